internal import Synchronization

/// Names a session or a command; unique in the life of a reactor.
typealias Ticket = UInt64

/// Whether a session is over, for those who hold its connection.
final class SessionEnd: Sendable {
    private let hasCome = Atomic(false)

    var isOver: Bool { hasCome.load(ordering: .relaxed) }

    func come() { hasCome.store(true, ordering: .relaxed) }
}

/// A connection that is asked for.
struct ConnectRequest: Sendable {
    let ticket: Ticket
    let endpoint: SSHEndpoint
    let attempts: [AuthenticationAttempt]
    let hostKeys: SSHHostKeyPolicy
    let algorithms: SSHAlgorithms
    let limit: Duration
    let jump: Ticket?
    let answer: Answer<Opened>
    let end = SessionEnd()

    /// What an open connection says of itself.
    struct Opened: Sendable {
        let hostKey: SSHHostKey
        /// The file that has to take up the host key, where it was accepted as new.
        let recordIn: String?
    }
}

/// A command that is asked for.
struct CommandRequest: Sendable {
    let ticket: Ticket
    let session: Ticket
    let endpoint: SSHEndpoint
    let command: String
    let input: BytePipe?
    let output: Output
    let errors: Output
    let limit: Duration?
    /// Bytes of output, of both streams together, that are taken; nil for any number.
    let outputLimit: Int?
    let answer: Answer<SSHExecution>

    /// Where a stream goes: its last bytes are kept, or everything is passed on.
    enum Output: Sendable {
        case tail(Int)
        case pipe(BytePipe)

        /// Bytes at the end of the stream that are kept.
        var tailLimit: Int {
            switch self {
            case .tail(let limit): limit
            case .pipe: 0
            }
        }

        var pipe: BytePipe? {
            switch self {
            case .tail: nil
            case .pipe(let pipe): pipe
            }
        }
    }

    /// Ends the streams and answers the waiting task. After a success its readers still get what is in the pipes.
    func finish(_ result: Result<SSHExecution, SSHError>) {
        for pipe in [output.pipe, errors.pipe] {
            switch result {
            case .success: pipe?.end()
            case .failure: pipe?.close()
            }
        }
        input?.close()
        answer.give(result)
    }
}

/// What the other threads and tasks tell the reactor's thread.
enum Message: Sendable {
    case connect(ConnectRequest)
    case resolved(Ticket, Result<[SocketAddress], LookupFailure>)
    case signed(Ticket, Result<[UInt8], SSHError>)
    case execute(CommandRequest)
    /// There is input for a command, or room for its output.
    case wake(session: Ticket)
    /// Give up a connection that is being made, or a command.
    case cancel(Ticket, SSHError)
    case close(session: Ticket)
    case stop
}
