internal import Model
internal import SSH

/// Workers that are hosts with sshd: one connection for each, opened when it is first needed and used for everything.
///
/// A connection that breaks is opened again for the next command; no command is ever sent twice from here.
final class SSHTransport: Transport {
    /// How one worker is reached and recognised.
    struct Target: Sendable {
        var endpoint: SSHEndpoint
        var hostKeys: SSHHostKeyPolicy
        var algorithms: SSHAlgorithms
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
        var options = SSHReactor.Options()
        // A worker that falls silent is noticed in about the time that connecting to it may take.
        let silence = min(max(2, Int(access.connectTimeout.components.seconds)), 30)
        options.keepaliveInterval = .seconds(max(2, silence / 2))
        options.silenceLimit = .seconds(silence)
        reactor = try SSHReactor(options: options)
    }

    /// logind may end what a session's user has started together with the session.
    var endsSessions: Bool { true }

    /// Long enough for a network that flaps or an sshd that is restarted.
    var reconnectWindow: Duration? { max(.seconds(10), access.connectTimeout * 3) }

    /// A worker on which no command ends is given up in about the time that connecting to it may take.
    var answerLimit: Duration { max(.seconds(10), access.connectTimeout * 3) }

    func path(_ path: String, on worker: String) -> String { path }

    func close() async { await reactor.shutdown() }

    func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
        guard let target = targets[worker] else {
            throw TransportError(.unreachable, worker: worker, reason: "the plan does not say how to reach it")
        }
        while true {
            let connection: SSHConnection
            do {
                connection = try await self.connection(to: target, key: worker)
            } catch {
                var failure = Self.transportError(error, worker: worker, isConnecting: true)
                if failure.kind == .authentication, access.credentials.contains(where: \.offersSeveral) {
                    failure.reason += " Where the agent holds the right key, name its public key file (`ssh_key` in "
                    failure.reason += "maand.conf), and it alone is offered"
                }
                throw failure
            }
            let input: SSHInput
            do {
                let next = try command.input.open()
                input = .stream { try await next() }
            } catch {
                throw TransportError(.source, worker: worker, reason: "\(error)")
            }
            let result: SSHExecution
            do {
                result = try await connection.execute(
                    commandLine(command), input: input, output: .tail(command.outputLimit),
                    errors: .tail(CommandResult.errorOutputLimit),
                    outputLimit: command.outputLimit + Self.noise, timeout: command.timeout)
            } catch SSHError.closed {
                // It had ended before, so nothing was sent; after `close()` connecting says so.
                continue
            } catch {
                throw Self.transportError(error, worker: worker, isConnecting: false)
            }
            if let problem = sudoProblem(result, target) {
                throw TransportError(.workerFault, worker: worker, reason: problem)
            }
            let exit: CommandResult.Exit =
                switch result.outcome {
                case .exited(let status): .status(Int(status))
                case .signalled(let name): .signal("SIG" + name)
                }
            return CommandResult(
                exit: exit, output: result.standardOutput.tail, errorOutput: result.standardError.tail)
        }
    }

    /// `exec`, which csh and fish have too: so that it is the program of that name, whatever functions the user's start-up
    /// files define, and the login shell is gone.
    private func commandLine(_ command: WorkerCommand) -> String {
        let words = (access.useSudo ? ["sudo", "-n"] : []) + command.arguments
        return "exec " + words.map(ShellText.quoted).joined(separator: " ")
    }

    /// What sudo or the shell said instead of running the command.
    private func sudoProblem(_ result: SSHExecution, _ target: Target) -> String? {
        guard access.useSudo, result.standardOutput.tail.isEmpty,
            [.exited(1), .exited(127)].contains(result.outcome)
        else { return nil }
        let lines = String(decoding: result.standardError.tail, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let line = lines.first(where: { $0.contains("sudo:") }) else { return nil }
        return "`sudo -n` does not work for \(target.endpoint.user) there: \(line). Allow it without a password "
            + "(NOPASSWD in sudoers), or set `use_sudo = false` in maand.conf"
    }

    /// The worker's connection. Where there was one before, connecting is tried for as long as the window is open.
    private func connection(to target: Target, key: String) async throws(SSHError) -> SSHConnection {
        var pause = Duration.milliseconds(200)
        while true {
            do {
                return try await pool.connection(key) { [self] () async throws(SSHError) in
                    try await connect(to: target)
                }
            } catch {
                guard Self.mayPass(error), let lost = await pool.lost(key), let window = reconnectWindow,
                    lost.duration(to: .now) + pause < window, (try? await Task.sleep(for: pause)) != nil
                else { throw error }
                if pause == .milliseconds(200) {
                    report(
                        "connection to \(key.isEmpty ? "the jump host" : key) lost (\(error)), reconnecting for \(window.components.seconds) s"
                    )
                }
                pause = min(pause * 2, .seconds(3))
            }
        }
    }

    private func connect(to target: Target) async throws(SSHError) -> SSHConnection {
        var jump: SSHConnection?
        if let host = access.jump {
            jump = try await pool.connection(Self.jumpKey) { [self] () async throws(SSHError) in
                do throws(SSHError) {
                    let connection = try await SSHConnection.connect(
                        to: host.endpoint, credentials: access.credentials, hostKeys: host.hostKeys,
                        algorithms: host.algorithms, timeout: access.connectTimeout, on: reactor)
                    sayWhatWasRecorded(connection)
                    return connection
                } catch {
                    throw .jumpHost(error)
                }
            }
        }
        let connection = try await SSHConnection.connect(
            to: target.endpoint, credentials: access.credentials, hostKeys: target.hostKeys,
            algorithms: target.algorithms, timeout: access.connectTimeout, through: jump, on: reactor)
        sayWhatWasRecorded(connection)
        return connection
    }

    private func sayWhatWasRecorded(_ connection: SSHConnection) {
        guard let file = connection.recordedHostKeyIn else { return }
        report("\(connection.endpoint): the new host key \(connection.hostKey) was accepted and recorded in \(file)")
    }

    /// What a login shell may print beside the answer, in bytes.
    private static let noise = 1 << 20

    /// No worker has this name.
    private static let jumpKey = ""

    /// Whether connecting may succeed a little later.
    private static func mayPass(_ error: SSHError) -> Bool {
        switch error {
        case .jumpHost(let error): mayPass(error)
        case .unreachable, .refused, .handshake, .timedOut, .connectionLost: true
        case .unknownHostKey, .changedHostKey, .revokedHostKey, .authentication, .channel, .tooManyChannels,
            .unsupportedKey, .key, .passphraseNeeded, .wrongPassphrase, .agent, .knownHosts, .caller, .cancelled,
            .closed:
            false
        }
    }

    private static func transportError(_ error: SSHError, worker: String, isConnecting: Bool) -> TransportError {
        if case .jumpHost(let inner) = error {
            var result = transportError(inner, worker: worker, isConnecting: isConnecting)
            (result.reason, result.isOfJumpHost) = (error.description, true)
            return result
        }
        let kind: TransportError.Kind =
            switch error {
            case .jumpHost, .unreachable, .handshake: .unreachable
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
    private var losses: [String: ContinuousClock.Instant] = [:]

    /// Since when the connection that there was is known to be lost; nil where none was.
    func lost(_ key: String) -> ContinuousClock.Instant? { losses[key] }

    func connection(
        _ key: String, make: @escaping @Sendable () async throws(SSHError) -> SSHConnection
    ) async throws(SSHError) -> SSHConnection {
        if let task = connections[key] {
            let result = await task.value
            guard case .success(let connection) = result, connection.isClosed else { return try result.get() }
            // Another task may have seen it first, and be connecting already.
            if connections[key] == task {
                connections[key] = nil
                losses[key] = losses[key] ?? .now
            }
            return try await self.connection(key, make: make)
        }
        let task = Task { () async -> Result<SSHConnection, SSHError> in
            do throws(SSHError) { return .success(try await make()) } catch { return .failure(error) }
        }
        connections[key] = task
        switch await task.value {
        case .success(let connection):
            losses[key] = nil
            return connection
        case .failure(let error):
            // The next one who asks tries again.
            if connections[key] == task { connections[key] = nil }
            throw error
        }
    }
}
