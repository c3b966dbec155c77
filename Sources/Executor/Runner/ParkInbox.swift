/// Requests to park, heard from the moment on at which a run's process begins: before its first step, too.
package final class ParkInbox: Sendable {
    /// Raised by the first urgent request.
    package let urgent = ParkSignal()
    /// All requests, for one listener.
    package let requests: AsyncStream<ParkRequest>
    private let listening: Task<Void, Never>

    package init(_ incoming: AsyncStream<ParkRequest>) {
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
    package func close() { listening.cancel() }
}
