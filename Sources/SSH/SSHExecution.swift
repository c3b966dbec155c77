/// How a command on a server ended, and what it said.
public struct SSHExecution: Sendable, Hashable {
    public enum Outcome: Sendable, Hashable {
        /// The command ended with this status. The SSH protocol does not require a server to say so at all, and libssh2
        /// then shows 0: where a false success would do harm, let the command print a proof.
        case exited(Int32)
        /// A signal ended the command: its name without `SIG`, in capitals and digits; `?` where the server gives no such name.
        case signalled(String)
    }

    /// What arrived of one stream.
    public struct Stream: Sendable, Hashable {
        /// The last bytes, at most as many as ``SSHOutput/tail(_:)`` asked for; empty where the stream was passed on.
        public let tail: [UInt8]
        /// The number of bytes that arrived in all.
        public let count: Int
    }

    public let outcome: Outcome
    public let standardOutput: Stream
    public let standardError: Stream

    /// Whether the command ended with status 0.
    public var isSuccess: Bool { outcome == .exited(0) }
}

/// Where a command's standard input comes from.
public enum SSHInput: Sendable {
    /// There is none: the command reads end-of-file at once.
    case none
    case bytes([UInt8])
    /// Asked for the next bytes until it returns nil; asked again only when the server has room. An error that it throws
    /// gives the command up.
    case stream(@Sendable () async throws -> [UInt8]?)
}

/// Where a command's output goes. Both streams of a command are always read, so neither can block the other.
public enum SSHOutput: Sendable {
    /// The last bytes are kept, at most this many; all are counted.
    case tail(Int)
    /// Every chunk is handed to this function, in order, one at a time. While it works, at most 2.5 MB wait for it, then the
    /// server has to. An error that it throws gives the command up.
    case stream(@Sendable ([UInt8]) async throws -> Void)
}
