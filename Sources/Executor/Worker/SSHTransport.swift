internal import SSH

/// Workers that are hosts with sshd: one connection for each, opened when it is first needed and used for everything.
///
/// A connection that breaks is opened anew for the next command; no command is ever sent twice from here.
final class SSHTransport: Transport {
    /// How one worker is reached and recognised.
    struct Target: Sendable {
        var endpoint: SSHEndpoint
        var hostKeys: SSHHostKeyPolicy
    }

    /// What all connections have in common.
    struct Access: Sendable {
        var credentials: [SSHCredential]
        var connectTimeout: Duration
        var jump: Target?
        /// Run every command through `sudo -n`.
        var useSudo: Bool
    }

    private let reactor: SSHReactor
    private let access: Access
    private let targets: [String: Target]
    private let pool = ConnectionPool()
    private let report: @Sendable (String) -> Void

    /// - Parameters:
    ///   - targets: by the worker's name.
    ///   - report: told when a new host key was recorded, in words for people.
    /// - Throws: `SSHReactorFailure` where the system has no thread or descriptor left.
    init(targets: [String: Target], access: Access, report: @escaping @Sendable (String) -> Void) throws {
        self.targets = targets
        self.access = access
        self.report = report
        reactor = try SSHReactor()
    }

    /// logind may end what a session's user has started together with the session.
    var endsSessions: Bool { true }

    func path(_ path: String, on worker: String) -> String { path }

    func close() async { await reactor.shutdown() }

    func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
        guard let target = targets[worker] else {
            throw TransportError(.unreachable, worker: worker, reason: "the plan does not say how to reach it")
        }
        let connection: SSHConnection
        do {
            connection = try await self.connection(to: target, key: worker)
        } catch {
            throw Self.transportError(error, worker: worker, isConnecting: true)
        }
        let input: SSHInput
        do {
            let next = try command.input.open()
            input = .stream { try await next() }
        } catch {
            throw TransportError(.source, worker: worker, reason: "\(error)")
        }
        let words = (access.useSudo ? ["sudo", "-n"] : []) + command.arguments
        do {
            let result = try await connection.execute(
                words.map(ShellText.quoted).joined(separator: " "), input: input, output: .tail(command.outputLimit),
                errors: .tail(CommandResult.errorOutputLimit), timeout: command.timeout)
            let exit: CommandResult.Exit =
                switch result.outcome {
                case .exited(let status): .status(Int(status))
                case .signalled(let name, _): .signal("SIG" + name)
                }
            return CommandResult(
                exit: exit, output: result.standardOutput.tail, errorOutput: result.standardError.tail)
        } catch {
            if Self.isBroken(error) { await pool.forget(connection, key: worker) }
            throw Self.transportError(error, worker: worker, isConnecting: false)
        }
    }

    private func connection(to target: Target, key: String) async throws(SSHError) -> SSHConnection {
        let (reactor, access, pool, report) = (reactor, access, pool, report)
        return try await pool.connection(key) { () async throws(SSHError) in
            var jump: SSHConnection?
            if let host = access.jump {
                jump = try await pool.connection("") { () async throws(SSHError) in
                    try await SSHConnection.connect(
                        to: host.endpoint, credentials: access.credentials, hostKeys: host.hostKeys,
                        timeout: access.connectTimeout, on: reactor)
                }
            }
            let connection = try await SSHConnection.connect(
                to: target.endpoint, credentials: access.credentials, hostKeys: target.hostKeys,
                timeout: access.connectTimeout, through: jump, on: reactor)
            if let file = connection.recordedHostKeyIn {
                report(
                    "\(target.endpoint): the new host key \(connection.hostKey) was accepted and recorded in \(file)")
            }
            return connection
        }
    }

    /// Whether the connection is of no more use; a channel alone may fail on a good one.
    private static func isBroken(_ error: SSHError) -> Bool {
        switch error {
        case .connectionLost, .closed, .timedOut: true
        case .unreachable, .refused, .handshake, .unknownHostKey, .changedHostKey, .revokedHostKey, .authentication,
            .channel, .tooManyChannels, .unsupportedKey, .key, .passphraseNeeded, .wrongPassphrase, .agent, .knownHosts,
            .caller, .cancelled:
            false
        }
    }

    private static func transportError(_ error: SSHError, worker: String, isConnecting: Bool) -> TransportError {
        let kind: TransportError.Kind =
            switch error {
            case .unreachable, .handshake: .unreachable
            case .refused: .refused
            case .unknownHostKey: .unknownHostKey
            case .changedHostKey, .revokedHostKey: .changedHostKey
            case .authentication, .unsupportedKey, .key, .passphraseNeeded, .wrongPassphrase, .agent: .authentication
            case .knownHosts: .unknownHostKey
            // While connecting nothing was asked yet, so nothing can have begun.
            case .timedOut: isConnecting ? .unreachable : .timedOut
            case .connectionLost, .closed: isConnecting ? .unreachable : .connectionLost
            case .channel, .tooManyChannels: .connectionLost
            case .caller: .source
            case .cancelled: .cancelled
            }
        return TransportError(kind, worker: worker, reason: error.description)
    }
}

/// Open connections, one a key; who asks while one is being made waits for that one.
private actor ConnectionPool {
    private var connections: [String: Task<Result<SSHConnection, SSHError>, Never>] = [:]

    func connection(
        _ key: String, make: @escaping @Sendable () async throws(SSHError) -> SSHConnection
    ) async throws(SSHError) -> SSHConnection {
        if let task = connections[key] { return try await task.value.get() }
        let task = Task { () async -> Result<SSHConnection, SSHError> in
            do throws(SSHError) { return .success(try await make()) } catch { return .failure(error) }
        }
        connections[key] = task
        let result = await task.value
        // The next one who asks tries again.
        if case .failure = result { connections[key] = nil }
        return try result.get()
    }

    /// Only this very connection: another task may have opened the next one already.
    func forget(_ connection: SSHConnection, key: String) async {
        guard let task = connections[key], case .success(let held) = await task.value, held === connection else {
            return
        }
        connections[key] = nil
        connection.close()
    }
}
