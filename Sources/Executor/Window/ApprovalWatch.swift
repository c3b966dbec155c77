package import Model
internal import Synchronization

/// Looks again from time to time whether a plan is approved while it is executed. Safe from any task.
package final class ApprovalWatch: Sendable {
    /// Milliseconds after which what was found is looked for again.
    static let interval: Int64 = 30_000

    private let look: @Sendable (Timestamp) async throws -> String?
    private let state: Mutex<State>

    private struct State {
        var lookedAt: Timestamp
        /// It does not come back by itself within one process.
        var lapse: String?
    }

    /// - Parameters:
    ///   - now: when it was found to be approved.
    ///   - look: nil where it is, else why it is not.
    package init(since now: Timestamp, look: @escaping @Sendable (Timestamp) async throws -> String?) {
        self.look = look
        state = Mutex(State(lookedAt: now))
    }

    /// Why the plan is not approved any more; nil where it is.
    func lapse(at now: Timestamp) async -> String? {
        let isDue = state.withLock { state -> Bool in
            guard state.lapse == nil, abs(now.milliseconds - state.lookedAt.milliseconds) >= Self.interval else {
                return false
            }
            state.lookedAt = now
            return true
        }
        if isDue {
            let found: String?
            do { found = try await look(now) } catch { found = "whether the plan is still approved was not found out" }
            state.withLock { $0.lapse = $0.lapse ?? found }
        }
        return state.withLock { $0.lapse }
    }
}
