internal import Catalog
internal import Glibc
internal import Model
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Plans
internal import Synchronization

/// The port of 127.0.0.1 at which hooks are to ask cannot be had.
public struct HookPortTaken: Error, Hashable {
    public let port: Int
}

/// The connections of hooks: HTTP/1.1 with one request each, on a Unix socket and, where that is asked for, on a port of
/// 127.0.0.1. There a client may ask first, on the same connection, for a proof that it speaks with the right process:
/// `GET /hello?hook=NAME&challenge=TEXT`; see `AdmittedHooks.proof`.
final class HookServer: Sendable {
    typealias Listener = NIOAsyncChannel<HookConnection, Never>
    private typealias Parts = HookConnection.Parts.AsyncIterator
    private typealias Writer = HookConnection.Writer

    /// Connections at one listener that have not shown a token.
    static let maximumGuests = 64
    /// Bytes of a body: the largest value, each byte of it escaped.
    static let maximumBody = 512 << 10
    /// How long a request may take to arrive.
    static let arrival = TimeAmount.seconds(10)

    /// Which port of 127.0.0.1 is wanted.
    struct Port {
        /// 0 for any.
        var number: Int
        /// Whether any other does where it is taken.
        var mayMove: Bool
    }

    private struct Door {
        let listener: Listener
        /// Where it is on this host, for proofs; nil where only this user can be there.
        let address: String?
        let guests = HookGuests(limit: HookServer.maximumGuests)
    }

    let socket: HookSocket
    /// Nil where it is asked for on the socket alone.
    let port: Int?
    private let doors: [Door]
    private let service: HookService
    private let hooks: AdmittedHooks
    private let accepting = Mutex<[Task<Void, Never>]>([])

    private init(socket: HookSocket, doors: [Door], port: Int?, service: HookService, hooks: AdmittedHooks) {
        self.socket = socket
        self.doors = doors
        self.port = port
        self.service = service
        self.hooks = hooks
    }

    /// Begins to listen.
    ///
    /// - Parameter hooks: token -> who may ask from the first moment on.
    /// - Throws: `HookPortTaken`, `HookFileProblem`, or why the socket or any port is not to be had.
    static func start(
        _ socket: HookSocket, port wanted: Port?, _ service: HookService, hooks: [String: HookIdentity] = [:]
    ) async throws -> HookServer {
        var doors: [Door] = []
        var port: Int?
        if let wanted {
            let listener: Listener
            if let found = try? await listen(wanted.number) {
                listener = found
            } else if !wanted.mayMove {
                throw HookPortTaken(port: wanted.number)
            } else {
                listener = try await listen(0)
            }
            guard let number = listener.channel.localAddress?.port else {
                await close(listener)
                throw ChannelError.unknownLocalAddress
            }
            doors.append(Door(listener: listener, address: "127.0.0.1:\(number)"))
            port = number
        }
        do {
            let listener = try await socket.bind { path in
                try await bootstrap.bind(unixDomainSocketPath: path, childChannelInitializer: Self.connection)
            }
            doors.append(Door(listener: listener, address: nil))
        } catch {
            for door in doors { await close(door.listener) }
            guard let error = error as? IOError else { throw error }
            throw HookFileProblem(path: socket.path, reason: String(cString: strerror(error.errnoCode)))
        }
        let server = HookServer(
            socket: socket, doors: doors, port: port, service: service, hooks: AdmittedHooks(hooks))
        server.accepting.withLock { tasks in
            tasks = server.doors.map { door in Task { await server.accept(at: door) } }
        }
        return server
    }

    private static func listen(_ port: Int) async throws -> Listener {
        try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: "127.0.0.1", port: port, childChannelInitializer: connection)
    }

    /// Closes a listener at which nobody has accepted anything.
    private static func close(_ listener: Listener) async { try? await listener.executeThenClose { _ in } }

    private static var bootstrap: ServerBootstrap {
        ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).serverChannelOption(.backlog, value: 512)
    }

    /// What is read before the token is known; requests of hooks have a few short fields.
    private static let heads: NIOHTTPDecoderLimitConfiguration = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 16 << 10
        limits.maxHeaderListSize = 32 << 10
        limits.maxHeaderFieldCount = 64
        return limits
    }()

    @Sendable private static func connection(_ channel: any Channel) -> EventLoopFuture<HookConnection> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                withErrorHandling: true, withEncoderConfiguration: .init(), withDecoderLimitConfiguration: heads)
            return HookConnection(try .init(wrappingChannelSynchronously: channel))
        }
    }

    func admit(_ identity: HookIdentity, token: String) { hooks.admit(identity, token: token) }

    func dismiss(_ attempt: WritingAttempt) { hooks.dismiss(attempt) }

    func close() async {
        // Before the next process can have made its own.
        socket.remove()
        let tasks = accepting.withLock { $0 }
        for task in tasks { task.cancel() }
        for door in doors { try? await door.listener.channel.close() }
        for task in tasks { await task.value }
    }

    private func accept(at door: Door) async {
        try? await door.listener.executeThenClose { connections in
            // Guests and requests are bounded, so it is not waited for those that are open.
            await withDiscardingTaskGroup { group in
                var iterator = connections.makeAsyncIterator()
                while let connection = try? await iterator.next() {
                    group.addTask { await self.serve(connection, at: door) }
                }
                group.cancelAll()
            }
        }
    }

    private func serve(_ connection: HookConnection, at door: Door) async {
        let channel = connection.channel
        let guest = door.guests.enter(channel)
        let deadline = channel.eventLoop.scheduleTask(in: Self.arrival) { channel.close(promise: nil) }
        // A hook that is ended while it waits leaves its connection; then nobody waits any more.
        let serving = Task {
            try? await connection.executeThenClose { parts, outbound in
                var parts = parts.makeAsyncIterator()
                try await self.converse(&parts, outbound, at: door, guest) { deadline.cancel() }
            }
        }
        channel.closeFuture.whenComplete { _ in serving.cancel() }
        await withTaskCancellationHandler {
            await serving.value
        } onCancel: {
            serving.cancel()
        }
        deadline.cancel()
        door.guests.leave(guest)
    }

    /// - Parameter arrived: to be called when the request is there.
    private func converse(
        _ parts: inout Parts, _ outbound: Writer, at door: Door, _ guest: Int, arrived: () -> Void
    ) async throws {
        guard var request = try await Self.head(&parts) else { return }
        if let address = door.address, request.path == "/hello" {
            try await Self.skip(&parts)
            guard let proof = proof(for: request, address) else {
                return try await Self.send(Self.unknown, outbound)
            }
            door.guests.namedHook(guest)
            try await Self.send(.json("{\"proof\": \"\(proof)\"}"), outbound, isLast: false)
            guard let next = try await Self.head(&parts) else { return }
            request = next
        }
        guard let token = request.token else {
            try await Self.skip(&parts)
            return try await Self.send(Self.missing, outbound)
        }
        switch hooks.enter(token) {
        case .unknown:
            try await Self.skip(&parts)
            try await Self.send(Self.unknown, outbound)
        case .tooMany(let isOne):
            try await Self.skip(&parts)
            try await Self.send(isOne ? Self.tooManyOfOne : Self.tooMany, outbound)
        case .identity(let identity):
            door.guests.leave(guest)
            defer { hooks.left(token) }
            let isWhole = try await Self.receive(&request.body, &parts)
            arrived()
            let answer = isWhole ? await service.answer(request, from: identity) : Self.tooLarge
            // Of what was cut off, the hook hears nothing rather than half.
            try Task.checkCancellation()
            try await Self.send(answer, outbound)
        }
    }

    private func proof(for request: HookRequest, _ address: String) -> String? {
        guard let hook = request.parameter("hook"), let challenge = request.parameter("challenge"),
            32...128 ~= challenge.utf8.count
        else { return nil }
        return hooks.proof(hook: hook, challenge: challenge, address: address)
    }

    private static let missing = HookAnswer(
        status: .unauthorized,
        body: "this request has no token: hooks show what MAAND_API_TOKEN of their environment holds as "
            + "`Authorization: Bearer ...`; the module maand does it for them")
    private static let unknown = HookAnswer(
        status: .unauthorized, body: "the token is not that of a hook which runs now; it ends with its hook")
    private static let tooLarge = HookAnswer(
        status: .tooLarge, body: "the request has more than \(maximumBody >> 10) KiB")
    private static let tooManyOfOne = HookAnswer(
        status: .unavailable, body: "this hook waits for \(AdmittedHooks.limitOfOne) answers already")
    private static let tooMany = HookAnswer(
        status: .unavailable, body: "hooks wait for \(AdmittedHooks.limit) answers already")

    /// The next request as far as its body; nil where nobody asks any more.
    private static func head(_ parts: inout Parts) async throws -> HookRequest? {
        while let part = try await parts.next() {
            if case .head(let head) = part { return HookRequest(head) }
        }
        return nil
    }

    /// Reads the rest of a request.
    ///
    /// - Returns: false where it is too large; then as much of it is gone as may be.
    private static func receive(_ body: inout [UInt8], _ parts: inout Parts) async throws -> Bool {
        while let part = try await parts.next() {
            switch part {
            case .head: return true
            case .body(let buffer):
                guard body.count + buffer.readableBytes <= maximumBody else {
                    try await skip(&parts)
                    return false
                }
                body.append(contentsOf: buffer.readableBytesView)
            case .end: return true
            }
        }
        throw ChannelError.eof
    }

    /// Reads on without keeping it, so that a client that still sends gets the answer; not without end.
    private static func skip(_ parts: inout Parts) async throws {
        var count = 0
        while count <= 4 * maximumBody, let part = try await parts.next() {
            switch part {
            case .head: break
            case .body(let buffer): count += buffer.readableBytes
            case .end: return
            }
        }
    }

    private static func send(_ answer: HookAnswer, _ outbound: Writer, isLast: Bool = true) async throws {
        let isJSON = answer.status == .ok && !answer.body.isEmpty
        let body = answer.body + (answer.body.isEmpty ? "" : "\n")
        var head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status.rawValue))
        head.headers.add(name: "Content-Type", value: isJSON ? "application/json" : "text/plain; charset=utf-8")
        head.headers.add(name: "Content-Length", value: String(body.utf8.count))
        if isLast { head.headers.add(name: "Connection", value: "close") }
        try await outbound.write(.head(head))
        try await outbound.write(.body(.byteBuffer(ByteBuffer(string: body))))
        try await outbound.end()
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
