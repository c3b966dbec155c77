internal import CSSH2
internal import Glibc

/// One SSH connection: a socket or another session's channel, the handshake, and then commands and tunnels; used on the
/// reactor's thread alone. Everything is tried again whenever something may have changed (``advance()``).
final class Session {
    enum Phase {
        case lookingUp
        case connecting(remaining: [SocketAddress], until: ContinuousClock.Instant)
        case tunnelling
        /// Connected; the server's first bytes say that it is alive, and only then a handshake place is taken.
        case greeting
        case queued(since: ContinuousClock.Instant)
        case handshake
        case authentication
        case open
        case closed
    }

    private static let usualTypes = [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512",
        "rsa-sha2-256",
        "ssh-rsa",
    ]

    let request: ConnectRequest
    /// Lives longer: it alone holds and calls sessions, itself or as a tunnel of another one, on its one thread, and it closes all
    /// of them before `run` returns.
    unowned let loop: EventLoop
    let link = Link()
    var phase = Phase.lookingUp
    var isUnsettled = false
    /// The libssh2 session, from the handshake on.
    private(set) var raw: OpaquePointer?
    private var descriptor: Int32 = -1
    private var waitsToWrite = false
    private var holdsHandshakePlace = false
    /// Of the way to an open session.
    private(set) var deadline: ContinuousClock.Instant
    private var opened: ConnectRequest.Opened?
    private var authenticator: Authenticator
    /// The first bytes of the server, until the handshake is done: they tell why there was none.
    private var greeting: [UInt8] = []
    var keepaliveDue: ContinuousClock.Instant?
    /// Since when a keepalive, or anything else that was sent, is without any answer.
    var silentSince: ContinuousClock.Instant?
    /// The session whose channel carries this one.
    weak var parent: Session?
    let channels = ChannelTable()

    var ticket: Ticket { request.ticket }
    var endpoint: SSHEndpoint { request.endpoint }

    init(request: ConnectRequest, loop: EventLoop) {
        self.request = request
        self.loop = loop
        deadline = .now + request.limit
        authenticator = Authenticator(attempts: request.attempts, endpoint: request.endpoint)
        loop.look(at: deadline)
    }

    var isOpen: Bool { if case .open = phase { true } else { false } }
    var isClosed: Bool { if case .closed = phase { true } else { false } }
    var isQueued: Bool { if case .queued = phase { true } else { false } }

    // MARK: On the way to the server

    func resolved(_ result: Result<[SocketAddress], LookupFailure>) {
        guard case .lookingUp = phase else { return }
        switch result {
        case .failure(let failure): fail(.unreachable(endpoint, reason: failure.reason))
        case .success(let addresses): connect(to: addresses, after: nil)
        }
    }

    /// Tries the next address; each gets its share of the time that is left.
    func connect(to addresses: [SocketAddress], after failure: ConnectFailure?) {
        closeSocket()
        var addresses = addresses
        var failure = failure
        while !addresses.isEmpty {
            let share = ContinuousClock.now.duration(to: deadline) / addresses.count
            switch addresses.removeFirst().connect() {
            case .failure(let next): failure = next
            case .success(let descriptor):
                self.descriptor = descriptor
                let until = ContinuousClock.now + share
                phase = .connecting(remaining: addresses, until: until)
                loop.look(at: until)
                waitsToWrite = true
                loop.watch(descriptor, ticket: ticket, for: UInt32(EPOLLOUT.rawValue), isNew: true)
                return
            }
        }
        fail(failure?.error(for: endpoint) ?? .unreachable(endpoint, reason: "the name has no address"))
    }

    func socketIsReady(_ events: UInt32) {
        if case .connecting(let remaining, _) = phase {
            var code: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            guard code == 0 else { return connect(to: remaining, after: ConnectFailure(code: code)) }
            phase = .greeting
        }
        if events & ~UInt32(EPOLLOUT.rawValue) != 0 { receive() }
        loop.markUnsettled(self)
    }

    private func receive() {
        let count = recv(descriptor, loop.scratch.baseAddress, loop.scratch.count, 0)
        if count > 0 {
            arrived(UnsafeRawBufferPointer(rebasing: loop.scratch[..<count]))
            // Without it the kernel may hold the acknowledgement, and with it a server that waits for it, for 40 ms.
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &on, socklen_t(MemoryLayout<Int32>.size))
        } else if count == 0 {
            ended("the server closed the connection")
        } else if errno != EAGAIN, errno != EINTR {
            ended(systemMessage(errno))
        }
    }

    /// Nothing more comes from the socket, which must not be waited for then: it would be ready for ever.
    private func ended(_ reason: String) {
        link.ended = reason
        closeSocket()
    }

    /// Takes bytes from the socket or the parent's channel.
    func arrived(_ bytes: UnsafeRawBufferPointer) {
        if opened == nil, greeting.count < KeyExchangeProposal.limit {
            greeting += bytes.prefix(KeyExchangeProposal.limit)
        }
        silentSince = nil
        link.allowance.receive(bytes.count)
        if link.allowance.excess == nil { link.inbound.append(bytes) }
    }

    private func flush() {
        guard descriptor >= 0, !isClosed else {
            if !link.outbound.isEmpty, let parent { loop.markUnsettled(parent) }
            return
        }
        if case .connecting = phase { return }
        while !link.outbound.isEmpty, descriptor >= 0 {
            var sent = 0
            link.outbound.consume { bytes in
                sent = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                return max(0, sent)
            }
            if sent >= 0 { continue }
            if errno == EAGAIN { break }
            if errno != EINTR {
                // What arrived before is still read; the end of that then ends the session.
                link.outbound.removeAll()
                receive()
                if link.ended == nil { ended("the server closed the connection") }
                loop.markUnsettled(self)
            }
        }
        guard descriptor >= 0 else { return }
        let wants = !link.outbound.isEmpty
        if wants != waitsToWrite {
            waitsToWrite = wants
            let events = UInt32(EPOLLIN.rawValue) | (wants ? UInt32(EPOLLOUT.rawValue) : 0)
            loop.watch(descriptor, ticket: ticket, for: events, isNew: false)
        }
    }

    // MARK: Going on

    /// Does everything that can be done now without waiting.
    func advance() {
        guard !isClosed else { return }
        do throws(SSHError) {
            try step()
            if let reason = link.ended, link.inbound.isEmpty { throw lost(reason) }
            flush()
        } catch {
            fail(error)
        }
        // libssh2 sees the end of the connection then, and says something else.
        if let excess = link.allowance.excess { fail(lost(excess)) }
    }

    private func step() throws(SSHError) {
        if let excess = link.allowance.excess { throw lost(excess) }
        if case .greeting = phase, !link.inbound.isEmpty {
            if loop.takeHandshakePlace(self) {
                holdsHandshakePlace = true
                try beginHandshake()
            } else {
                phase = .queued(since: .now)
            }
        }
        if case .handshake = phase { try handshake() }
        if case .authentication = phase, let raw { try authenticate(raw) }
        if case .open = phase, let raw { try channels.advance(raw, session: self) }
    }

    func hasHandshakePlace() {
        guard case .queued(let since) = phase else { return }
        holdsHandshakePlace = true
        // The wait was this program's choice, so it is not held against the server.
        deadline += since.duration(to: .now)
        loop.look(at: deadline)
        do throws(SSHError) {
            try beginHandshake()
            loop.markUnsettled(self)
        } catch {
            fail(error)
        }
    }

    private func beginHandshake() throws(SSHError) {
        guard let session = link.makeSession() else { throw .handshake(endpoint, reason: "out of memory") }
        raw = session
        phase = .handshake
        guard request.algorithms.apply(to: session) else {
            throw .handshake(
                endpoint,
                reason: "libssh2 \(LibSSH2.version.text) knows no key exchange, cipher or MAC that is still safe")
        }
        let types = request.hostKeys.types(for: endpoint)
        guard !types.isEmpty else {
            // The key that is collected first elsewhere, too; the library would ask for ECDSA. One that has none of these
            // keeps its own order.
            _ = session.prefer(Self.usualTypes, for: LIBSSH2_METHOD_HOSTKEY)
            return
        }
        // ssh-rsa is one key type with several signature algorithms; a library that knows only the oldest ignores the others.
        let algorithms = types.flatMap { $0 == "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [$0] }
        if !session.prefer(algorithms, for: LIBSSH2_METHOD_HOSTKEY) {
            throw .handshake(
                endpoint,
                reason: "known_hosts has only \(types.joined(separator: ", ")) for it, which libssh2 "
                    + "\(LibSSH2.version.text) cannot check; add the server's ssh-ed25519 or ECDSA key")
        }
    }

    private func handshake() throws(SSHError) {
        guard let raw else { return }
        // The descriptor only has to be a non-blocking one: all bytes go through the link.
        let code = libssh2_session_handshake(raw, loop.mailbox.descriptor)
        if libssh2_session_banner_get(raw) != nil { link.allowance.greet() }
        if code == LibSSH2.again { return }
        guard code == 0 else {
            let types = request.hostKeys.types(for: endpoint)
            let mismatch = KeyExchangeProposal(greeting)?
                .mismatch(raw, hostKeyTypes: types, algorithms: request.algorithms)
            throw .handshake(endpoint, reason: mismatch ?? raw.sessionErrorText)
        }
        greeting = []
        var (length, type): (Int, Int32) = (0, 0)
        guard let bytes = libssh2_session_hostkey(raw, &length, &type),
            let key = SSHHostKey(blob: Array(UnsafeRawBufferPointer(start: bytes, count: length)))
        else { throw .handshake(endpoint, reason: "the server showed no host key") }
        switch request.hostKeys.judge(key, of: endpoint) {
        case .trusted: opened = .init(hostKey: key, recordIn: nil)
        case .new(let path): opened = .init(hostKey: key, recordIn: path)
        case .refused(let error): throw error
        }
        phase = .authentication
    }

    private func authenticate(_ raw: OpaquePointer) throws(SSHError) {
        let isLoggedIn = try authenticator.advance(raw, farewell: { link.farewell }) {
            [mailbox = loop.mailbox, ticket] agent, identity, data in
            agent.sign(data, with: identity) { mailbox.post(.signed(ticket, $0)) }
        }
        guard isLoggedIn, let opened else { return }
        leaveHandshakePlace()
        phase = .open
        link.allowance.logIn()
        libssh2_keepalive_config(raw, 1, UInt32(loop.options.keepaliveInterval.components.seconds))
        let due = ContinuousClock.now + loop.options.keepaliveInterval
        keepaliveDue = due
        loop.look(at: due)
        // Nobody waits any more where the task was cancelled just now.
        if !request.answer.give(.success(opened)) { throw .cancelled(endpoint) }
    }

    func signed(_ result: Result<[UInt8], SSHError>) {
        guard case .authentication = phase else { return }
        authenticator.signed(result)
        loop.markUnsettled(self)
    }

    // MARK: What is asked of an open session

    func execute(_ request: CommandRequest) {
        guard isOpen else {
            loop.forget(command: request.ticket)
            request.finish(.failure(.closed(endpoint)))
            return
        }
        link.allowance.ask()
        let command = Command(request: request)
        if let deadline = command.deadline { loop.look(at: deadline) }
        channels.add(command)
        loop.markUnsettled(self)
    }

    func giveUp(command ticket: Ticket, _ reason: SSHError) {
        guard let command = channels.remove(command: ticket) else { return }
        loop.forget(command: ticket)
        command.request.finish(.failure(reason))
        loop.markUnsettled(self)
    }

    func openTunnel(for child: Session) {
        child.parent = self
        child.phase = .tunnelling
        link.allowance.ask()
        channels.add(Tunnel(child: child))
        loop.markUnsettled(self)
    }

    // MARK: The end

    func lost(_ reason: String) -> SSHError {
        switch phase {
        case .authentication: authenticator.refusal(after: reason) ?? .connectionLost(endpoint, reason: reason)
        case .greeting, .handshake, .queued: .handshake(endpoint, reason: reason)
        case .lookingUp, .connecting, .tunnelling, .open, .closed: .connectionLost(endpoint, reason: reason)
        }
    }

    /// Ends an open session politely: the server is told, if it takes the words at once.
    func close() {
        if isOpen, let raw {
            libssh2_session_disconnect_ex(raw, SSH_DISCONNECT_BY_APPLICATION, "done", "")
            flush()
        }
        fail(.closed(endpoint))
    }

    /// Ends the session; everybody who waits for something of it gets this error.
    func fail(_ error: SSHError) {
        guard !isClosed else { return }
        phase = .closed
        request.end.come()
        leaveHandshakePlace()
        request.answer.give(.failure(error))
        for command in channels.removeAllCommands() {
            loop.forget(command: command.request.ticket)
            command.request.finish(.failure(error))
        }
        for tunnel in channels.removeAllTunnels() {
            tunnel.child.parent = nil
            tunnel.child.fail(tunnel.child.lost("the connection to the jump host ended: \(error)"))
        }
        if let parent {
            parent.channels.remove(tunnelOf: self)
            loop.markUnsettled(parent)
        }
        closeSocket()
        free()
        loop.forget(session: self)
    }

    private func leaveHandshakePlace() {
        guard holdsHandshakePlace else { return }
        holdsHandshakePlace = false
        loop.leaveHandshakePlace()
    }

    private func closeSocket() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    private func free() {
        link.isAbandoned = true
        guard let raw = raw.take() else { return }
        // With an abandoned link nothing waits; the bound only keeps a defect of the library from stopping the thread.
        for _ in 0..<1000 where libssh2_session_free(raw) != LibSSH2.again { return }
    }
}
