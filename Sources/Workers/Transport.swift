/// The way to the workers. It runs one command at a time and place, and knows nothing of what the command means.
///
/// Implementations may be used from any number of tasks at once.
public protocol Transport: Sendable {
    /// Whether the end of the connection may end what was started over it (logind's `KillUserProcesses`).
    var endsSessions: Bool { get }

    /// How long a worker that was reached before is tried again after its connection was lost, and therefore how late a
    /// command that is on its way may still begin: what was given up must not run. `nil` where no word can be delayed.
    var reconnectWindow: Duration? { get }

    /// How long a worker may take to answer what it can answer at once.
    var answerLimit: Duration { get }

    /// Where an absolute path of the worker lies for the commands that this transport runs.
    func path(_ path: String, on worker: String) -> String

    /// Runs a command on a worker and collects what it prints.
    ///
    /// Cancelling the calling task gives up waiting; it does not promise that the command ends.
    ///
    /// - Returns: how the command ended, whatever its exit status.
    /// - Throws: ``TransportError`` where that is not known.
    func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult

    /// Ends all connections; what runs on workers goes on. Nothing may be run afterwards.
    func close() async
}

/// One command for a worker.
public struct WorkerCommand: Sendable {
    /// The program and its arguments. A transport that has only a command line quotes each.
    public var arguments: [String]
    /// What the command reads from standard input.
    public var input: ByteSource
    /// How many bytes of standard output are kept, the last ones.
    public var outputLimit: Int
    /// After how long the caller stops waiting; `nil` waits as long as the connection lives.
    public var timeout: Duration?

    public init(_ arguments: [String], input: ByteSource = .empty, outputLimit: Int = 1 << 20, timeout: Duration?) {
        self.arguments = arguments
        self.input = input
        self.outputLimit = outputLimit
        self.timeout = timeout
    }
}

/// How a command on a worker ended.
public struct CommandResult: Sendable, Hashable {
    /// How a command ended.
    public enum Exit: Sendable, Hashable {
        case status(Int)
        case signal(String)
    }

    /// How the command ended.
    public var exit: Exit
    /// The last bytes of standard output, as many as the command's `outputLimit`.
    public var output: [UInt8]
    /// The last bytes of standard error, at most ``errorOutputLimit``.
    public var errorOutput: [UInt8]

    /// Standard error carries only what a shell or a tool says when something is wrong.
    static let errorOutputLimit = 8192

    public init(exit: Exit, output: [UInt8], errorOutput: [UInt8]) {
        self.exit = exit
        self.output = output
        self.errorOutput = errorOutput
    }

    /// The first whole line of standard error, at most 300 characters; the others mostly repeat it.
    var firstErrorLine: String {
        // Of a stream that was cut, the first line may be half a one.
        let isCut = errorOutput.count >= Self.errorOutputLimit
        let lines = String(decoding: errorOutput, as: UTF8.self).split(separator: "\n").dropFirst(isCut ? 1 : 0)
        return String((lines.first ?? "").prefix(300))
    }

    /// The end of standard error as one line, at most 1,024 bytes of it.
    var errorText: String { Self.line(errorOutput) }

    /// The end of standard output as one line, at most 1,024 bytes of it.
    var outputText: String { Self.line(output) }

    private static func line(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.suffix(1024), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}
