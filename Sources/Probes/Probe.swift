internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
package import Plans

/// One look at one service, from the controller.
///
/// Probes only ask: they may be repeated at will, and hold no state. Proxy settings of the environment play no part.
package enum Probe {
    /// Makes a check.
    ///
    /// - Parameters:
    ///   - timeout: seconds for the whole check.
    ///   - command: runs a command on the worker; nil if it exits with 0.
    /// - Returns: what is wrong, for people; nil if the check passes.
    package static func ask(
        _ check: HealthCheck.Check, at address: String, timeout: Int,
        command: (_ line: String, _ timeout: Int) async -> String?
    ) async -> String? {
        switch check {
        case .tcp(let port): await tcp(address: address, port: port, timeout: timeout)
        case .http(let port, let path, let expected):
            await http(address: address, port: port, path: path, expected: expected, timeout: timeout)
        case .ssh(let line): await command(line, timeout)
        }
    }

    /// What is wrong, written for people, or nil where the service answered as it should.
    ///
    /// - Parameter timeout: seconds for the whole probe.
    static func tcp(address: String, port: Int, timeout: Int) async -> String? {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: Void.self)
        let connection = bootstrap(timeout, on: loop).connect(host: address, port: port)
        connection.whenFailure { answer.fail($0) }
        connection.whenSuccess { channel in
            channel.close(promise: nil)
            answer.succeed()
        }
        do {
            try await value(of: answer)
            return nil
        } catch {
            return describe(error, address: address, port: port, timeout: timeout)
        }
    }

    /// A GET of `path`; nil where the answer's status is `expected`. Redirects are answers like any other.
    static func http(address: String, port: Int, path: String, expected: Int, timeout: Int) async -> String? {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: Int.self)
        do {
            let status = try await request(address, port, path, [], timeout, loop, answer) { StatusHandler(answer) }
            return status == expected
                ? nil : "GET http://\(address):\(port)\(path) answered \(status), expected \(expected)"
        } catch {
            return describe(error, address: address, port: port, timeout: timeout)
        }
    }

    /// A GET of `path` with its answer's body, for programs that keep something.
    ///
    /// - Parameters:
    ///   - headers: beside those of every request.
    ///   - limit: bytes that the body may have.
    ///   - timeout: seconds for the whole request.
    /// - Throws: `Unanswered`.
    package static func get(
        address: String, port: Int, path: String, headers: [(String, String)], limit: Int, timeout: Int
    ) async throws -> (status: Int, body: [UInt8]) {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: BodyHandler.Answer.self)
        do {
            let found = try await request(address, port, path, headers, timeout, loop, answer) {
                BodyHandler(answer, limit: limit)
            }
            return (found.status, found.body)
        } catch {
            throw Unanswered(description: describe(error, address: address, port: port, timeout: timeout))
        }
    }

    /// Why there is no answer, for people.
    package struct Unanswered: Error, CustomStringConvertible {
        package let description: String
    }

    /// Sends a GET, and waits for what the handler makes of the answer.
    private static func request<Answer: Sendable>(
        _ address: String, _ port: Int, _ path: String, _ headers: [(String, String)], _ timeout: Int,
        _ loop: any EventLoop, _ answer: EventLoopPromise<Answer>,
        handler: @escaping @Sendable () -> some ChannelHandler
    ) async throws -> Answer {
        let deadline = loop.scheduleTask(in: .seconds(Int64(timeout))) { answer.fail(ProbeTimeout()) }
        defer { deadline.cancel() }
        let connection = bootstrap(timeout, on: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AnswerLimit())
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(handler())
                }
            }
            .connect(host: address, port: port)
        connection.whenFailure { answer.fail($0) }
        connection.whenSuccess { channel in
            // The deadline may have passed while connecting; the channel is closed with the answer, whatever it is.
            answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
            var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path)
            head.headers.add(name: "Host", value: port == 80 ? address : "\(address):\(port)")
            head.headers.add(name: "User-Agent", value: "maand-apply")
            head.headers.add(name: "Accept", value: "*/*")
            head.headers.add(name: "Connection", value: "close")
            for (name, value) in headers { head.headers.add(name: name, value: value) }
            channel.write(HTTPClientRequestPart.head(head), promise: nil)
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        }
        return try await value(of: answer)
    }

    /// What the promise gets, or a `CancellationError` as soon as the task is cancelled.
    private static func value<Value: Sendable>(of promise: EventLoopPromise<Value>) async throws -> Value {
        try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    private static func bootstrap(_ timeout: Int, on loop: any EventLoop) -> ClientBootstrap {
        ClientBootstrap(group: loop).connectTimeout(.seconds(Int64(timeout)))
    }

    private static func describe(_ error: any Error, address: String, port: Int, timeout: Int) -> String {
        let place = "\(address):\(port)"
        switch error {
        case is ProbeTimeout: return "\(place) did not answer within \(timeout) s"
        case let error as ChannelError:
            if case .connectTimeout = error { return "\(place) accepted no connection within \(timeout) s" }
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return describe(first.error, place: place) }
            return "\(place): the address cannot be resolved"
        case let error as IOError:
            return "\(place): \(String(cString: strerror(error.errnoCode)))"
        default: break
        }
        return describe(error, place: place)
    }

    private static func describe(_ error: any Error, place: String) -> String {
        if let error = error as? IOError { return "\(place): \(String(cString: strerror(error.errnoCode)))" }
        if let error = error as? ChannelError, case .connectTimeout = error { return "\(place): no connection in time" }
        return "\(place): \(error)"
    }
}

private struct ProbeTimeout: Error {}

/// Gives up on a service that sends far more than the head of an answer without ending it.
private final class AnswerLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let limit = 1 << 20
    private var received = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytes
        guard received <= Self.limit else { return context.fireErrorCaught(AnswerTooLong()) }
        context.fireChannelRead(data)
    }
}

private struct AnswerTooLong: Error, CustomStringConvertible {
    var description: String { "more than 1 MiB arrived before the head of the answer was complete" }
}

private struct ConnectionClosed: Error, CustomStringConvertible {
    var description: String { "the connection was closed before a complete answer" }
}

/// Reports the status of the first answer.
private final class StatusHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let answer: EventLoopPromise<Int>

    init(_ answer: EventLoopPromise<Int>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The body is of no interest, and an informational answer (1xx) is not the answer.
        if case .head(let head) = unwrapInboundIn(data), head.status.code >= 200 {
            answer.succeed(Int(head.status.code))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(ConnectionClosed())
        context.fireChannelInactive()
    }
}

/// Gathers the first whole answer.
private final class BodyHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    struct Answer: Sendable {
        var status: Int
        var body: [UInt8] = []
    }

    private let promise: EventLoopPromise<Answer>
    private let limit: Int
    private var answer: Answer?

    init(_ promise: EventLoopPromise<Answer>, limit: Int) {
        self.promise = promise
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): if head.status.code >= 200 { answer = Answer(status: Int(head.status.code)) }
        case .body(let buffer):
            answer?.body += buffer.readableBytesView
            if answer.map({ $0.body.count > limit }) == true { promise.fail(AnswerTooLong()) }
        case .end: if let answer { promise.succeed(answer) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ConnectionClosed())
        context.fireChannelInactive()
    }
}
