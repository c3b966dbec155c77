internal import Catalog
internal import Model
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// The port at which hooks of an earlier process ask cannot be had.
public struct HookPortTaken: Error, Hashable {
    public let port: Int
}

/// The connections of hooks: HTTP/1.1 on 127.0.0.1, one request each.
final class HookServer: Sendable {
    typealias Listener = NIOAsyncChannel<Connection, Never>
    typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    /// Connections at once; more hooks than that never run side by side.
    static let maximumConnections = 512
    /// Bytes of a body: the largest value, each byte of it escaped.
    static let maximumBody = 512 << 10
    /// How long a request may take to arrive.
    static let arrival = TimeAmount.seconds(30)

    let port: Int
    private let listener: Listener
    private let service: HookService
    /// Token -> who shows it.
    private let hooks: Mutex<[String: HookIdentity]>
    private let accepting = Mutex<Task<Void, Never>?>(nil)

    private init(listener: Listener, port: Int, service: HookService, hooks: [String: HookIdentity]) {
        self.hooks = Mutex(hooks)
        self.listener = listener
        self.port = port
        self.service = service
    }

    /// Listens on `port`, or on any where it is nil.
    ///
    /// - Parameters:
    ///   - mayMove: whether any other serves where `port` is taken.
    ///   - hooks: token -> who may ask from the first moment on.
    /// - Throws: `HookPortTaken`, or why no port is to be had.
    static func start(
        port wanted: Int?, _ service: HookService, mayMove: Bool, hooks: [String: HookIdentity] = [:]
    ) async throws -> HookServer {
        let listener: Listener
        if let wanted, let found = try? await listen(wanted) {
            listener = found
        } else if let wanted, !mayMove {
            throw HookPortTaken(port: wanted)
        } else {
            listener = try await listen(0)
        }
        guard let port = listener.channel.localAddress?.port else { throw ChannelError.unknownLocalAddress }
        let server = HookServer(listener: listener, port: port, service: service, hooks: hooks)
        server.accepting.withLock { task in task = Task { await server.accept() } }
        return server
    }

    private static func listen(_ port: Int) async throws -> Listener {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
    }

    func admit(_ identity: HookIdentity, token: String) { hooks.withLock { $0[token] = identity } }

    func dismiss(_ attempt: WritingAttempt) {
        hooks.withLock { hooks in hooks = hooks.filter { $0.value.attempt != attempt } }
    }

    func close() async {
        let task = accepting.withLock { $0 }
        task?.cancel()
        try? await listener.channel.close()
        await task?.value
    }

    private func accept() async {
        try? await listener.executeThenClose { connections in
            await withTaskGroup(of: Void.self) { group in
                var open = 0
                var iterator = connections.makeAsyncIterator()
                while let connection = try? await iterator.next() {
                    if open == Self.maximumConnections {
                        await group.next()
                        open -= 1
                    }
                    open += 1
                    group.addTask { await self.serve(connection) }
                }
                group.cancelAll()
            }
        }
    }

    private func serve(_ connection: Connection) async {
        let channel = connection.channel
        let deadline = channel.eventLoop.scheduleTask(in: Self.arrival) { channel.close(promise: nil) }
        // A hook that is ended while it waits leaves its connection; then nobody waits any more.
        let serving = Task {
            try? await connection.executeThenClose { parts, outbound in
                guard let received = try await Self.receive(parts) else { return }
                deadline.cancel()
                let answer = await self.answer(received)
                try await Self.send(answer, outbound)
            }
        }
        channel.closeFuture.whenComplete { _ in serving.cancel() }
        await withTaskCancellationHandler {
            await serving.value
        } onCancel: {
            serving.cancel()
        }
        deadline.cancel()
    }

    private func answer(_ received: Received) async -> HookAnswer {
        switch received {
        case .tooLarge:
            return HookAnswer(status: .tooLarge, body: "the request has more than \(Self.maximumBody >> 10) KiB")
        case .whole(let request):
            guard let token = request.token else {
                return HookAnswer(
                    status: .unauthorized,
                    body: "this request has no token: hooks show what MAAND_API_TOKEN of their environment holds as "
                        + "`Authorization: Bearer ...`; the module maand does it for them")
            }
            guard let identity = hooks.withLock({ $0[token] }) else {
                return HookAnswer(
                    status: .unauthorized, body: "the token is not that of a hook which runs now; it ends with its hook"
                )
            }
            return await service.answer(request, from: identity)
        }
    }

    private enum Received {
        case whole(HookRequest)
        case tooLarge
    }

    private static func receive(_ parts: NIOAsyncChannelInboundStream<HTTPServerRequestPart>) async throws -> Received?
    {
        var request: HookRequest?
        for try await part in parts {
            switch part {
            case .head(let head): request = HookRequest(head)
            case .body(let buffer):
                guard let count = request?.body.count, count + buffer.readableBytes <= maximumBody else {
                    return .tooLarge
                }
                request?.body.append(contentsOf: buffer.readableBytesView)
            case .end: return request.map { .whole($0) }
            }
        }
        return nil
    }

    private static func send(
        _ answer: HookAnswer, _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    ) async throws {
        let isJSON = answer.status == .ok && !answer.body.isEmpty
        let body = answer.body + (answer.body.isEmpty ? "" : "\n")
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status.rawValue))
        head.headers.add(name: "Content-Type", value: isJSON ? "application/json" : "text/plain; charset=utf-8")
        head.headers.add(name: "Content-Length", value: String(body.utf8.count))
        head.headers.add(name: "Connection", value: "close")
        try await outbound.write(.head(head))
        try await outbound.write(.body(.byteBuffer(ByteBuffer(string: body))))
        try await outbound.write(.end(nil))
    }
}

extension HookRequest {
    fileprivate init(_ head: HTTPRequestHead) {
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let authorization = head.headers.first(name: "Authorization")
        self.init(
            method: Method(rawValue: head.method.rawValue), path: parts.first.map { String($0) } ?? "",
            query: parts.count > 1 ? String(parts[1]) : "",
            token: authorization.flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil },
            allocationID: head.headers.first(name: "X-ALLOCATION-ID"), body: [])
    }
}
