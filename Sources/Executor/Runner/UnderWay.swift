internal import Synchronization

/// What this process waits for at the moment, so that a wait that takes long is told.
package final class UnderWay: Sendable {
    /// Something that is waited for.
    struct Wait: Sendable {
        /// For people: a step's id, or a worker and what it is asked.
        var what: String
        var since: ContinuousClock.Instant

        var seconds: Int { Int(since.duration(to: .now).components.seconds) }
    }

    private struct State {
        var waits: [Int: Wait] = [:]
        var next = 0
        /// Waits that have ended.
        var ended = 0
    }

    private let state = Mutex(State())

    /// How long nothing ends until the waits are told for the first time; then after twice as long, up to `longest`.
    private static let first = Duration.seconds(10)
    private static let longest = Duration.seconds(320)

    /// What `body` returns; while it runs it counts as something that is waited for.
    func during<Value>(
        _ what: String, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
    ) async rethrows -> Value {
        let number = state.withLock { state in
            state.next += 1
            state.waits[state.next] = Wait(what: what, since: .now)
            return state.next
        }
        defer {
            state.withLock { state in
                state.waits[number] = nil
                state.ended += 1
            }
        }
        return try await body()
    }

    /// Tells `observe` again and again what is waited for while nothing ends. Returns when its task is cancelled.
    package func tell(_ observe: @Sendable (RunEvent) -> Void) async {
        var pause = Self.first
        var ended = 0
        while (try? await Task.sleep(for: pause)) != nil {
            let (waits, now) = state.withLock { ($0.waits.values.sorted { $0.since < $1.since }, $0.ended) }
            guard now == ended, !waits.isEmpty else {
                (ended, pause) = (now, Self.first)
                continue
            }
            pause = min(pause * 2, Self.longest)
            observe(
                .waiting(waits.prefix(5).map { (what: $0.what, seconds: $0.seconds) }, more: max(0, waits.count - 5)))
        }
    }
}
