internal import CSSH2
internal import Dispatch
internal import Glibc

/// What the reactor's thread runs: it owns every session, waits for their sockets and for the mailbox, and keeps the time.
/// Lives on that thread alone.
final class EventLoop {
    let mailbox: Mailbox
    let options: SSHReactor.Options
    private let epoll: Int32
    private var sessions: [Ticket: Session] = [:]
    /// The session of each command under way.
    private var commands: [Ticket: Ticket] = [:]
    private var unfinished: [Session] = []
    private var handshakes = 0
    private var handshakeQueue: [Ticket] = []
    /// No deadline is earlier than this. It may be the time of a deadline that is gone: then one look at all of them
    /// finds the next.
    private var nextLook: ContinuousClock.Instant?
    private var isStopping = false
    /// What sockets and channels are read into; 256 KB for all of them.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    /// Name services block and may take long, so they get queues of their own, a few for all hosts.
    private let lookUps = (0..<8).map { DispatchQueue(label: "ssh.lookup.\($0)") }

    init(mailbox: Mailbox, options: SSHReactor.Options, epoll: Int32) {
        self.mailbox = mailbox
        self.options = options
        self.epoll = epoll
        watch(mailbox.descriptor, ticket: 0, for: UInt32(EPOLLIN.rawValue), isNew: true)
    }

    deinit {
        close(epoll)
        scratch.deallocate()
    }

    /// Runs until told to stop; then every session has been closed and every waiting task answered.
    func run() {
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        while !isStopping {
            let count = epoll_wait(epoll, &events, Int32(events.count), timeout())
            guard count >= 0 || errno == EINTR else { break }
            for event in events[..<max(0, Int(count))] {
                let ticket = event.data.u64
                if ticket == 0 {
                    mailbox.takeAll().forEach(handle)
                } else if let session = sessions[ticket] {
                    session.socketIsReady(event.events)
                }
            }
            settle()
            lookAtClocks()
        }
        mailbox.close().forEach(refuse)
        for session in Array(sessions.values) { session.close() }
    }

    // MARK: Messages

    private func handle(_ message: Message) {
        switch message {
        case .connect(let request):
            guard !request.answer.isGiven else { return }
            start(request)
        case .resolved(let ticket, let result):
            sessions[ticket]?.resolved(result)
        case .signed(let ticket, let result):
            sessions[ticket]?.signed(result)
        case .execute(let request):
            guard !request.answer.isGiven, let session = sessions[request.session] else {
                request.finish(.failure(.closed(request.endpoint)))
                return
            }
            commands[request.ticket] = session.ticket
            session.execute(request)
        case .wake(let ticket):
            if let session = sessions[ticket] { markUnsettled(session) }
        case .cancel(let ticket, let reason):
            if let owner = commands[ticket] {
                sessions[owner]?.giveUp(command: ticket, reason)
            } else if let session = sessions[ticket], !session.isOpen {
                session.fail(reason)
            }
        case .close(let ticket):
            sessions[ticket]?.close()
        case .stop:
            isStopping = true
        }
    }

    private func refuse(_ message: Message) {
        switch message {
        case .connect(let request): request.answer.give(.failure(.closed(request.endpoint)))
        case .execute(let request): request.finish(.failure(.closed(request.endpoint)))
        case .resolved, .signed, .wake, .cancel, .close, .stop: break
        }
    }

    private func start(_ request: ConnectRequest) {
        let session = Session(request: request, loop: self)
        sessions[session.ticket] = session
        if let jump = request.jump {
            guard let parent = sessions[jump], parent.isOpen else {
                session.fail(.unreachable(request.endpoint, reason: "the connection to the jump host is closed"))
                return
            }
            parent.openTunnel(for: session)
            return
        }
        let endpoint = request.endpoint
        let numeric = SocketAddress.lookUp(endpoint.host, port: endpoint.port, numericOnly: true)
        if case .success = numeric {
            session.resolved(numeric)
            return
        }
        // A queue each by name, so that one slow name holds up an eighth of the others at most.
        lookUps[Int(endpoint.host.hashValue.magnitude % UInt(lookUps.count))].async { [mailbox] in
            let found = SocketAddress.lookUp(endpoint.host, port: endpoint.port, numericOnly: false)
            mailbox.post(.resolved(request.ticket, found))
        }
    }

    // MARK: What sessions ask for

    /// Has the session go on with whatever it can do now, before the next wait.
    func markUnsettled(_ session: Session) {
        guard !session.isUnsettled else { return }
        session.isUnsettled = true
        unfinished.append(session)
    }

    /// Adds a socket to the ones waited for, or changes for what.
    func watch(_ descriptor: Int32, ticket: Ticket, for events: UInt32, isNew: Bool) {
        var event = epoll_event(events: events, data: epoll_data_t(u64: ticket))
        epoll_ctl(epoll, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event)
    }

    /// Sees to it that clocks are looked at by then.
    func look(at instant: ContinuousClock.Instant) {
        if nextLook.map({ instant < $0 }) ?? true { nextLook = instant }
    }

    /// Takes a place among those that do a handshake; without one, the session is told when it has its turn.
    func takeHandshakePlace(_ session: Session) -> Bool {
        guard handshakes < options.maximumHandshakes else {
            handshakeQueue.append(session.ticket)
            return false
        }
        handshakes += 1
        return true
    }

    /// Gives the place back, to the next who waits.
    func leaveHandshakePlace() {
        handshakes -= 1
        while handshakes < options.maximumHandshakes, !handshakeQueue.isEmpty {
            guard let next = sessions[handshakeQueue.removeFirst()], next.isQueued else { continue }
            handshakes += 1
            next.hasHandshakePlace()
        }
    }

    func forget(command: Ticket) { commands[command] = nil }

    func forget(session: Session) { sessions[session.ticket] = nil }

    // MARK: Turns

    private func settle() {
        // Sessions that run through others make work for them and the other way round, so this goes on until it is quiet.
        while !unfinished.isEmpty {
            let batch = unfinished
            unfinished = []
            for session in batch {
                session.isUnsettled = false
                session.advance()
            }
        }
    }

    private func timeout() -> Int32 {
        guard let nextLook else { return -1 }
        let wait = ContinuousClock.now.duration(to: nextLook).components
        guard wait.seconds >= 0, wait.attoseconds >= 0 else { return 0 }
        // Rounded up, so as not to wake just before the deadline; at most an hour, which the type holds.
        return Int32(min(wait.seconds, 3600)) * 1000 + Int32(wait.attoseconds / 1_000_000_000_000_000) + 1
    }

    private func lookAtClocks() {
        let now = ContinuousClock.now
        guard let due = nextLook, due <= now else { return }
        nextLook = nil
        for session in Array(sessions.values) { session.look(at: now) }
        settle()
    }
}
