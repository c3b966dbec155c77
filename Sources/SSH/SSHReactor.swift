internal import CSSH2
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Why no reactor could be started: the system is out of descriptors or threads, or libssh2 did not start.
public struct SSHReactorFailure: Error, CustomStringConvertible {
    let reason: String
    public var description: String { "SSH cannot be used: \(reason)" }
}

/// Owns every SSH connection of a process, on one operating-system thread that waits for all of them.
///
/// One reactor serves hundreds of connections. Call ``shutdown()`` before the process exits: it ends the thread, which
/// must not be inside the library while the process's exit handlers run.
public final class SSHReactor: Sendable {
    /// Limits and times that are the same for all connections.
    public struct Options: Sendable {
        /// How many connections do key exchange and authentication at a time, which costs CPU on this host. Connections
        /// that only wait for a server to answer at all do not count.
        public var maximumHandshakes = 64
        /// After this time without sending, the server is asked whether it is there; whole seconds, at least 2.
        public var keepaliveInterval = Duration.seconds(15)
        /// A server that has not answered that question for so long is taken for dead.
        public var silenceLimit = Duration.seconds(30)

        public init() {}
    }

    let mailbox: Mailbox
    private let thread = Mutex<pthread_t?>(nil)
    private let tickets = Atomic<Ticket>(1)

    /// Starts the thread.
    public init(options: Options = Options()) throws(SSHReactorFailure) {
        guard LibSSH2.initialised == 0 else {
            throw SSHReactorFailure(reason: "libssh2_init failed (\(LibSSH2.initialised))")
        }
        mailbox = try Mailbox()
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw SSHReactorFailure(reason: "epoll: \(systemMessage(errno))") }
        let start = Start(mailbox: mailbox, options: options, epoll: epoll)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(start)
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                EventLoop(mailbox: start.mailbox, options: start.options, epoll: start.epoll).run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            close(epoll)
            throw SSHReactorFailure(reason: "no thread: \(systemMessage(code))")
        }
        self.thread.withLock { $0 = thread }
    }

    deinit {
        // Without shutdown(): the thread ends by itself, once it has closed its sessions.
        mailbox.post(.stop)
        if let thread = thread.withLock({ $0.take() }) { pthread_detach(thread) }
    }

    /// Closes every connection, answers every waiting task with ``SSHError/closed(_:)``, and waits for the thread's end.
    /// Further calls do nothing.
    public func shutdown() async {
        guard let thread = thread.withLock({ $0.take() }) else { return }
        mailbox.post(.stop)
        await withCheckedContinuation { continuation in
            // The thread has only its farewells left, but those are system calls: not on the cooperative pool.
            DispatchQueue.global().async {
                pthread_join(thread, nil)
                continuation.resume()
            }
        }
    }

    func nextTicket() -> Ticket { tickets.add(1, ordering: .relaxed).newValue }

    private final class Start: Sendable {
        let mailbox: Mailbox
        let options: Options
        let epoll: Int32

        init(mailbox: Mailbox, options: Options, epoll: Int32) {
            (self.mailbox, self.options, self.epoll) = (mailbox, options, epoll)
        }
    }
}
