internal import Glibc
internal import SSH
internal import Subprocess

/// Workers that are directories of this machine: `<bucket>/workers/<worker>/` stands for the worker's `/`.
///
/// What it starts outlives this process, is out of reach of the terminal's signals, and inherits no descriptor.
public struct LocalTransport: Transport {
    private let workers: String
    private let shell: [String]

    /// - Parameters:
    ///   - bucket: the bucket's directory, absolute.
    ///   - shell: what stands for `sh`, found in the usual `PATH`.
    public init(bucket: String, shell: [String] = ["sh"]) {
        self.init(folder: bucket + "/workers/", shell: shell)
    }

    /// - Parameter folder: where the workers' directories are; absolute, with a slash at its end.
    package init(folder: String, shell: [String] = ["sh"]) {
        workers = folder
        self.shell = shell
        // Otherwise a worker's shell that ends before it has read everything would end this process.
        signal(SIGPIPE, SIG_IGN)
    }

    /// A local worker has no connection that could end.
    public var endsSessions: Bool { false }

    public var reconnectWindow: Duration? { nil }

    public var answerLimit: Duration { .seconds(120) }

    public func close() async {}

    public func path(_ path: String, on worker: String) -> String { workers + worker + path }

    public func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
        guard worker != ".", worker != "..", !worker.contains("/"), !worker.isEmpty else {
            throw TransportError(.unreachable, worker: worker, reason: "not a name of a worker")
        }
        do {
            return try await limited(command)
        } catch let failure as Failure {
            throw TransportError(failure.kind, worker: worker, reason: failure.reason)
        } catch is CancellationError {
            throw TransportError(.cancelled, worker: worker, reason: "waiting for its answer was given up")
        } catch {
            throw TransportError(.unreachable, worker: worker, reason: "\(shell[0]) could not be started: \(error)")
        }
    }

    private struct Failure: Error {
        var kind: TransportError.Kind
        var reason: String
    }

    private func limited(_ command: WorkerCommand) async throws -> CommandResult {
        guard let timeout = command.timeout else { return try await start(command) }
        return try await withThrowingTaskGroup(of: CommandResult?.self) { group in
            group.addTask { try await start(command) }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let result = first else {
                throw Failure(kind: .timedOut, reason: "no answer within \(timeout)")
            }
            return result
        }
    }

    private func start(_ command: WorkerCommand) async throws -> CommandResult {
        var arguments = command.arguments
        if arguments.first == "sh" { arguments.replaceSubrange(0...0, with: shell) }
        var options = PlatformOptions()
        // The terminal's SIGINT is for this process, which then waits for what is in flight.
        options.createSession = true
        let limit = command.outputLimit
        let result = try await Subprocess.run(
            .name(arguments[0]), arguments: Arguments(Array(arguments.dropFirst())),
            environment: .custom(Self.environment(shell: shell)), platformOptions: options,
            input: .inputWriter, output: .sequence, error: .sequence
        ) { execution in
            try await withThrowingTaskGroup(of: Stream.self) { group in
                group.addTask {
                    try await Self.send(command.input, to: execution.standardInputWriter)
                    return .input
                }
                group.addTask { .output(try await Self.tail(of: execution.standardOutput, limit: limit)) }
                group.addTask {
                    .error(try await Self.tail(of: execution.standardError, limit: CommandResult.errorOutputLimit))
                }
                var output: [UInt8] = []
                var errorOutput: [UInt8] = []
                while let stream = try await group.next() {
                    switch stream {
                    case .input: break
                    case .output(let bytes): output = bytes
                    case .error(let bytes): errorOutput = bytes
                    }
                }
                return (output, errorOutput)
            }
        }
        try Task.checkCancellation()
        let exit: CommandResult.Exit =
            switch result.terminationStatus {
            case .exited(let status): .status(Int(status))
            case .signaled(let number): .signal("signal \(number)")
            }
        return CommandResult(exit: exit, output: result.closureResult.0, errorOutput: result.closureResult.1)
    }

    private enum Stream {
        case input
        case output([UInt8])
        case error([UInt8])
    }

    /// A worker's own environment, not that of the user who runs the rollout.
    private static func environment(shell: [String]) -> [Environment.Key: String] {
        var values: [Environment.Key: String] = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        ]
        for name in ["HOME", "USER", "LOGNAME"] {
            guard let value = getenv(name), let key = Environment.Key(rawValue: name) else { continue }
            values[key] = String(cString: value)
        }
        if shell != ["sh"] { values["MAAND_SHELL"] = shell.joined(separator: " ") }
        return values
    }

    private static func send(_ source: ByteSource, to writer: StandardInputWriter) async throws {
        let next: ByteSource.Reader
        do { next = try source.open() } catch { throw Failure(kind: .source, reason: "\(error)") }
        while true {
            let chunk: [UInt8]?
            do {
                chunk = try await next()
            } catch {
                throw Failure(kind: .source, reason: "\(error)")
            }
            guard let chunk else { break }
            // A shell that has heard enough closes its end; its answer says why.
            do { _ = try await writer.write(chunk) } catch { break }
        }
        try? await writer.finish()
    }

    private static func tail(of sequence: SubprocessOutputSequence, limit: Int) async throws -> [UInt8] {
        var tail = TailBuffer(limit: limit)
        for try await buffer in sequence {
            buffer.withUnsafeBytes { tail.append($0) }
        }
        return tail.bytes
    }
}
