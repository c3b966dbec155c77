internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// A connection that was accepted. Where nobody serves it, it closes itself: SwiftNIO ends the process where a channel is
/// dropped that was not closed, and a listener that closes drops what it has accepted and nobody has asked it for.
final class HookConnection: Sendable {
    typealias Parts = NIOAsyncChannelInboundStream<HTTPServerRequestPart>

    /// Sends what is answered.
    struct Writer: Sendable {
        fileprivate let outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
        fileprivate let channel: any Channel

        /// How long a client may take to read an answer.
        private static let patience = TimeAmount.seconds(60)

        func write(_ part: HTTPServerResponsePart) async throws { try await outbound.write(part) }

        /// Ends an answer. When this returns, all of it has gone to the system: a channel that is closed before that drops the rest.
        func end() async throws {
            let limit = channel.eventLoop.scheduleTask(in: Self.patience) { [channel] in channel.close(promise: nil) }
            defer { limit.cancel() }
            try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
        }
    }

    private let asyncChannel: NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    private let isServed = Atomic(false)

    init(_ asyncChannel: NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>) {
        self.asyncChannel = asyncChannel
    }

    var channel: any Channel { asyncChannel.channel }

    /// To be called once. The connection is closed when this returns.
    func executeThenClose(_ body: (Parts, Writer) async throws -> Void) async throws {
        isServed.store(true, ordering: .relaxed)
        try await asyncChannel.executeThenClose { parts, outbound in
            try await body(parts, Writer(outbound: outbound, channel: asyncChannel.channel))
        }
    }

    deinit {
        guard !isServed.load(ordering: .relaxed) else { return }
        Task { [asyncChannel] in try? await asyncChannel.executeThenClose { _, _ in } }
    }
}
