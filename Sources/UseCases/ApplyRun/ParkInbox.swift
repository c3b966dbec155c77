internal import Executor
internal import Synchronization

/// Requests to park, heard from the moment on at which a run's process begins: before its first step, too.
final class ParkInbox: Sendable {
    /// Raised by the first urgent request.
    let urgent = ParkSignal()
    private let state = Mutex(State())
    private let listening: Task<Void, Never>

    private struct State {
        var heard: [ParkRequest] = []
        var listeners: [AsyncStream<ParkRequest>.Continuation] = []
        var isOver = false
    }

    init(_ incoming: AsyncStream<ParkRequest>) {
        let (stream, continuation) = AsyncStream.makeStream(of: ParkRequest.self)
        listening = Task {
            for await request in incoming { continuation.yield(request) }
            continuation.finish()
        }
        Task { [weak self] in
            for await request in stream { self?.hear(request) }
            self?.end()
        }
    }

    /// All requests, those that were heard before included; for one listener each.
    var requests: AsyncStream<ParkRequest> {
        AsyncStream { continuation in
            state.withLock { state in
                for request in state.heard { continuation.yield(request) }
                if state.isOver { continuation.finish() } else { state.listeners.append(continuation) }
            }
        }
    }

    private func hear(_ request: ParkRequest) {
        if request.isUrgent { urgent.raise() }
        state.withLock { state in
            state.heard.append(request)
            for listener in state.listeners { listener.yield(request) }
        }
    }

    private func end() {
        state.withLock { state in
            state.isOver = true
            for listener in state.listeners { listener.finish() }
        }
    }

    /// Hears nothing any more.
    func close() { listening.cancel() }
}
