internal import Synchronization

/// Says, once and to everybody who waits for it, that the run parks. Safe from any task.
package final class ParkSignal: Sendable {
    private struct State {
        var isRaised = false
        var next = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// From now on every wait ends at once. Further calls do nothing.
    package func raise() {
        let waiters = state.withLock { state in
            state.isRaised = true
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    package init() {}

    /// What `body` returns, or nil where the run parks first; then `body` is cancelled and waited for.
    package func race<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value? {
        try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                await self.raised()
                return nil
            }
            defer { group.cancelAll() }
            let first = try await group.next() ?? nil
            guard first == nil else { return first }
            group.cancelAll()
            do {
                // It may have ended at the same moment, and a result is better than none.
                return try await group.next() ?? nil
            } catch is CancellationError {
                return nil
            }
        }
    }

    /// Returns when the signal is raised, or the task is cancelled.
    private func raised() async {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isRaised || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }
}
