internal import Executor

/// Requests to park, heard from the moment on at which a run's process begins: before its first step, too.
final class ParkInbox: Sendable {
    /// Raised by the first urgent request.
    let urgent = ParkSignal()
    /// All requests, for one listener.
    let requests: AsyncStream<ParkRequest>
    private let listening: Task<Void, Never>

    init(_ incoming: AsyncStream<ParkRequest>) {
        let (stream, continuation) = AsyncStream.makeStream(of: ParkRequest.self)
        requests = stream
        listening = Task { [urgent] in
            for await request in incoming {
                continuation.yield(request)
                if request.isUrgent { urgent.raise() }
            }
            continuation.finish()
        }
    }

    /// Hears nothing any more.
    func close() { listening.cancel() }
}
