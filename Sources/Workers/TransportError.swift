internal import YAML

/// Why a worker could not be asked, or why its answer did not arrive.
///
/// It says nothing of the command itself: a command that failed is an answer, not an error.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong, told apart because each asks for something else from the person who reads it.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// No route, name unknown, or nothing answered while connecting.
        case unreachable
        /// The host answered, and nothing listens there.
        case refused
        /// The worker does not accept the key.
        case authentication
        /// The worker's host key is not known.
        case unknownHostKey
        /// The worker's host key is another one than the one that is known.
        case changedHostKey
        /// Nothing was heard within the time that was allowed.
        case timedOut
        /// The connection, or the process that stands for it, ended before the answer did.
        case connectionLost
        /// The caller has cancelled.
        case cancelled
        /// What was to be sent could not be read, or is not what was announced.
        case source
        /// The answer is not one of the worker script's.
        case malformedAnswer
        /// The worker script could not do what it was asked; the reason says why.
        case workerFault
    }

    /// What can be done about it.
    public var kind: Kind
    /// The worker's name.
    public var worker: String
    /// For people: what happened, and where possible what to do.
    public var reason: String
    /// It is the way to the worker that failed, not the worker.
    public var isOfJumpHost: Bool

    public init(_ kind: Kind, worker: String, reason: String, isOfJumpHost: Bool = false) {
        self.kind = kind
        self.worker = worker
        // Worker and server may have said some of it.
        self.reason = VisibleText.escape(reason, for: .terminal)
        self.isOfJumpHost = isOfJumpHost
    }

    /// Whether what was asked may have been carried out all the same. Only asking again by the same id tells.
    public var mayHaveReachedWorker: Bool {
        switch kind {
        case .unreachable, .refused, .authentication, .unknownHostKey, .changedHostKey: false
        case .timedOut, .connectionLost, .cancelled, .source, .malformedAnswer, .workerFault: true
        }
    }

    public var description: String { "worker \(worker): \(message)" }

    /// Without the worker's name, for where it stands already.
    package var message: String {
        let what =
            switch kind {
            case .unreachable: "unreachable"
            case .refused: "connection refused"
            case .authentication: "authentication failed"
            case .unknownHostKey: "unknown host key"
            case .changedHostKey: "host key changed"
            case .timedOut: "timed out"
            case .connectionLost: "connection lost"
            case .cancelled: "cancelled"
            case .source: "nothing was sent"
            case .malformedAnswer: "answer not understood"
            case .workerFault: "fault on the worker"
            }
        return "\(what): \(reason)"
    }
}
