/// An open connection to one server, as one user. Any number of tasks may run commands on it at the same time; it is closed
/// by ``close()``, or with its last reference.
public final class SSHConnection: Sendable {
    public let endpoint: SSHEndpoint
    /// The key that the server has shown, and that the policy trusts.
    public let hostKey: SSHHostKey
    /// The known_hosts file to which the host key was added now, where it was accepted as new: say so to the person.
    public let recordedHostKeyIn: String?

    private let reactor: SSHReactor
    private let ticket: Ticket
    private let end: SessionEnd
    /// The jump host's connection lives as long as what runs through it.
    private let jump: SSHConnection?

    /// Connects, checks the host key, and logs in.
    ///
    /// - Parameters:
    ///   - credentials: offered in this order until the server accepts one.
    ///   - algorithms: what the connection may be encrypted and secured with.
    ///   - timeout: for everything together; time that the connection waits for other handshakes of this process does not
    ///     count.
    ///   - jump: an open connection through which this one is made; the server is then reached from there, under the name
    ///     that `endpoint` gives.
    /// - Throws: the first obstacle; a cancelled task ends with ``SSHError/cancelled(_:)``.
    public static func connect(
        to endpoint: SSHEndpoint, credentials: [SSHCredential], hostKeys: SSHHostKeyPolicy,
        algorithms: SSHAlgorithms = SSHAlgorithms(), timeout: Duration = .seconds(10),
        through jump: SSHConnection? = nil, on reactor: SSHReactor
    ) async throws(SSHError) -> SSHConnection {
        let answer = Answer<ConnectRequest.Opened>()
        let ticket = reactor.nextTicket()
        let request = ConnectRequest(
            ticket: ticket, endpoint: endpoint, attempts: credentials.flatMap(\.attempts), hostKeys: hostKeys,
            algorithms: algorithms, limit: timeout, jump: jump?.ticket, answer: answer)
        let opened = try await withTaskCancellationHandler {
            if !reactor.mailbox.post(.connect(request)) { answer.give(.failure(.closed(endpoint))) }
            return await answer.wait()
        } onCancel: {
            answer.give(.failure(.cancelled(endpoint)))
            reactor.mailbox.post(.cancel(ticket, .cancelled(endpoint)))
        }.get()
        let connection = SSHConnection(
            endpoint: endpoint, opened: opened, reactor: reactor, ticket: ticket, end: request.end, jump: jump)
        if let path = opened.recordIn { try KnownHosts.record(opened.hostKey, of: endpoint, in: path) }
        return connection
    }

    private init(
        endpoint: SSHEndpoint, opened: ConnectRequest.Opened, reactor: SSHReactor, ticket: Ticket, end: SessionEnd,
        jump: SSHConnection?
    ) {
        self.endpoint = endpoint
        self.hostKey = opened.hostKey
        self.recordedHostKeyIn = opened.recordIn
        self.reactor = reactor
        self.ticket = ticket
        self.end = end
        self.jump = jump
    }

    /// Whether the connection has ended, from either side. It may end right after it was said to be open.
    public var isClosed: Bool { end.isOver }

    deinit { reactor.mailbox.post(.close(session: ticket)) }

    /// Closes the connection. Commands that still run end here with ``SSHError/closed(_:)``; on the server they may go on.
    public func close() { reactor.mailbox.post(.close(session: ticket)) }

    /// The longest command line: sshd takes the request in one packet of 32 KB. Longer scripts go through standard input.
    public static let commandLimit = 32_000

    /// Runs a command line under the user's login shell and waits for its end and the end of its output.
    ///
    /// - Parameters:
    ///   - output: where standard output goes.
    ///   - errors: where standard error goes.
    ///   - outputLimit: bytes of both streams together; a command that prints more is given up. Nil for any number.
    ///   - timeout: from this call to the end of the command; nil for none. When it passes, or when the task is cancelled,
    ///     the channel is closed and the call returns; the command itself may go on on the server.
    /// - Returns: how the command ended, whatever its status.
    /// - Throws: ``SSHError``; where the connection is lost, never a result.
    public func execute(
        _ command: String, input: SSHInput = .none, output: SSHOutput = .tail(64 << 10),
        errors: SSHOutput = .tail(64 << 10), outputLimit: Int? = nil, timeout: Duration? = nil
    ) async throws(SSHError) -> SSHExecution {
        guard command.utf8.count <= Self.commandLimit, !command.utf8.contains(0) else {
            throw .channel(
                endpoint,
                reason: "a command line of \(command.utf8.count) bytes cannot be sent (at most \(Self.commandLimit), "
                    + "without NUL); send it on standard input")
        }
        let input = input.pipe
        let (output, errors) = (output.destination, errors.destination)
        let request = CommandRequest(
            ticket: reactor.nextTicket(), session: ticket, endpoint: endpoint, command: command, input: input.pipe,
            output: output.request, errors: errors.request, limit: timeout, outputLimit: outputLimit,
            answer: Answer())
        return try await withTaskGroup(of: SSHError?.self) { inputTask in
            addTask(input.work, for: request, to: &inputTask)
            let result = await withTaskGroup(of: SSHError?.self) { outputTasks in
                addTask(output.work, for: request, to: &outputTasks)
                addTask(errors.work, for: request, to: &outputTasks)
                let result = await perform(request)
                // A reader that failed on the last bytes makes a failure of what was a result.
                for await case let failure? in outputTasks { return Result<SSHExecution, SSHError>.failure(failure) }
                return result
            }
            // The command has ended, so nobody waits for the rest of its input.
            inputTask.cancelAll()
            return result
        }.get()
    }

    private func perform(_ request: CommandRequest) async -> Result<SSHExecution, SSHError> {
        await withTaskCancellationHandler {
            if !reactor.mailbox.post(.execute(request)) { request.finish(.failure(.closed(endpoint))) }
            return await request.answer.wait()
        } onCancel: {
            giveUp(request, .cancelled(endpoint))
        }
    }

    private func giveUp(_ request: CommandRequest, _ reason: SSHError) {
        request.answer.give(.failure(reason))
        reactor.mailbox.post(.cancel(request.ticket, reason))
    }

    private func addTask(
        _ work: StreamWork?, for request: CommandRequest, to group: inout TaskGroup<SSHError?>
    ) {
        guard let work else { return }
        group.addTask { [reactor, ticket, endpoint] in
            do {
                try await work { reactor.mailbox.post(.wake(session: ticket)) }
                return nil
            } catch {
                // The command may have ended first, and then this error came of being cancelled.
                let failure = SSHError.caller(endpoint, reason: "\(error)")
                self.giveUp(request, failure)
                return failure
            }
        }
    }
}

/// Moves one stream between the caller's function and a pipe; given a function that wakes the reactor.
private typealias StreamWork = @Sendable (@Sendable () -> Void) async throws -> Void

extension SSHInput {
    fileprivate var pipe: (pipe: BytePipe?, work: StreamWork?) {
        switch self {
        case .none: return (nil, nil)
        case .bytes(let bytes): return (BytePipe(bytes), nil)
        case .stream(let next):
            let pipe = BytePipe()
            return (
                pipe,
                { wake in
                    while let chunk = try await next() {
                        guard await pipe.write(chunk, notify: wake) else { return }
                    }
                    pipe.end()
                    wake()
                }
            )
        }
    }
}

extension SSHOutput {
    fileprivate var destination: (request: CommandRequest.Output, work: StreamWork?) {
        switch self {
        case .tail(let limit): return (.tail(max(0, limit)), nil)
        case .stream(let consume):
            let pipe = BytePipe()
            return (
                .pipe(pipe),
                { wake in
                    while let chunk = await pipe.read(notify: wake) { try await consume(chunk) }
                }
            )
        }
    }
}
