/// A command line that a hook asks to run on a worker.
public struct HookWorkerCommand: Hashable, Sendable {
    /// The name of the worker, or its address.
    public let worker: String
    /// Lines for bash, or for sh where there is no bash.
    public let lines: String
    /// What the command reads from standard input; nil for nothing.
    public let input: String?
    /// Seconds that it may take.
    public let timeout: Int

    /// Bytes of the lines: a program is started with them as one argument.
    public static let linesLimit = 100 << 10
    /// Bytes of the input.
    public static let inputLimit = 256 << 10
    /// Seconds.
    static let timeouts = 1...86400
    static let defaultTimeout = 300
}

/// What became of a command that a hook has asked for.
public enum HookWorkerOutcome: Hashable, Sendable {
    case ended(exitStatus: Int, timedOut: Bool, output: Stream, errorOutput: Stream)
    /// It cannot be run there, or the outcome is unknown; why, as a sentence.
    case failed(String)
    /// The rollout knows no such worker; why, as a sentence.
    case unknownWorker(String)

    /// The end of an output stream.
    public struct Stream: Hashable, Sendable {
        public let bytes: [UInt8]
        /// Bytes that were written.
        public let total: Int

        public init(bytes: [UInt8] = [], total: Int = 0) {
            self.bytes = bytes
            self.total = total
        }
    }
}

/// Runs commands of hooks on workers.
public typealias HookWorkerCommands = @Sendable (HookWorkerCommand) async -> HookWorkerOutcome
