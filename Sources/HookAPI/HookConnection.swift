internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// A connection that was accepted. Where nobody serves it, it closes itself: SwiftNIO ends the process where a channel is
/// dropped that was not closed, and a listener that closes drops what it has accepted and nobody has asked it for.
final class HookConnection: Sendable {
    typealias Parts = NIOAsyncChannelInboundStream<HTTPServerRequestPart>
    typealias Writer = NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>

    private let asyncChannel: NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    private let isServed = Atomic(false)

    init(_ asyncChannel: NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>) {
        self.asyncChannel = asyncChannel
    }

    var channel: any Channel { asyncChannel.channel }

    /// To be called once. The connection is closed when this returns.
    func executeThenClose(_ body: (Parts, Writer) async throws -> Void) async throws {
        isServed.store(true, ordering: .relaxed)
        try await asyncChannel.executeThenClose(body)
    }

    deinit {
        guard !isServed.load(ordering: .relaxed) else { return }
        Task { [asyncChannel] in try? await asyncChannel.executeThenClose { _, _ in } }
    }
}
