internal import CSSH2

/// The channels of one session, and what waits for one; used on the reactor's thread alone. libssh2 opens one channel at a
/// time.
final class ChannelTable {
    enum Opening {
        case command(Command)
        case tunnel(Tunnel)
        /// A channel for nothing yet: see ``advance(_:session:)``.
        case spare
    }

    /// What a server may send on a channel before it is read: libssh2's default (its macro is not visible here).
    private static let window: UInt32 = 2 << 20

    private(set) var commands: [Command] = []
    private var tunnels: [Tunnel] = []
    private var queue: [Opening] = []
    private var opening: Opening?
    private var spare: OpaquePointer?
    /// Channels that nobody needs any more, until the server has closed them too.
    private var retired: [OpaquePointer] = []
    /// How many the server was seen to allow (`MaxSessions`), once it has refused one.
    private var limit = Int.max
    /// A server frees a channel a moment after it has closed it, and may refuse the next one until then: since when it does,
    /// although none is open, and when it is asked again.
    private var refusedSince: ContinuousClock.Instant?
    private(set) var retryAt: ContinuousClock.Instant?
    private var hasOpened = false
    private static let patience = Duration.seconds(10)
    private static let retryInterval = Duration.milliseconds(50)

    private var openCount: Int {
        retired.count + commands.count { $0.channel != nil } + tunnels.count { $0.channel != nil }
            + (spare == nil ? 0 : 1)
    }

    func add(_ command: Command) {
        commands.append(command)
        queue.append(.command(command))
    }

    func add(_ tunnel: Tunnel) {
        tunnels.append(tunnel)
        queue.append(.tunnel(tunnel))
    }

    /// Takes a command out; its channel is closed. One whose channel is being opened is closed when that is done.
    func remove(command ticket: Ticket) -> Command? {
        guard let index = commands.firstIndex(where: { $0.request.ticket == ticket }) else { return nil }
        let command = commands.remove(at: index)
        queue.removeAll { if case .command(let other) = $0 { other === command } else { false } }
        if let channel = command.takeChannel() { retired.append(channel) }
        return command
    }

    func remove(tunnelOf child: Session) {
        queue.removeAll { if case .tunnel(let tunnel) = $0 { tunnel.child === child } else { false } }
        guard let index = tunnels.firstIndex(where: { $0.child === child }) else { return }
        if let channel = tunnels.remove(at: index).takeChannel() { retired.append(channel) }
    }

    func removeAllCommands() -> [Command] {
        defer { commands = [] }
        return commands
    }

    func removeAllTunnels() -> [Tunnel] {
        defer { tunnels = [] }
        return tunnels
    }

    /// Goes on with everything as far as possible without waiting.
    ///
    /// - Throws: what ends the whole session.
    func advance(_ raw: OpaquePointer, session: Session) throws(SSHError) {
        let scratch = session.loop.scratch
        // Reading for one channel takes up packets for all of them, so this repeats until nothing moves. It comes to an
        // end, because nothing is received meanwhile and what can be sent is bounded.
        var moved = true
        while moved {
            moved = try openNext(raw, session: session)
            for command in commands {
                moved = try advance(command, raw, session: session, scratch: scratch) || moved
            }
            for tunnel in tunnels {
                moved = tunnel.advance(session: raw, link: session.link, scratch: scratch) || moved
            }
            retired.removeAll { libssh2_channel_free($0) != LibSSH2.again }
        }
        // libssh2 reads only for a channel. Without one, a server's keepalive would never be answered, and the server
        // would drop the connection: then a spare channel is opened, which the next command takes.
        if !session.link.inbound.isEmpty {
            if let spare {
                _ = libssh2_channel_read_ex(
                    spare, 0, scratch.assumingMemoryBound(to: CChar.self).baseAddress, scratch.count)
                if libssh2_channel_eof(spare) == 1 {
                    retired.append(spare)
                    self.spare = nil
                }
            } else if opening == nil, openCount == 0 {
                queue.append(.spare)
                _ = try openNext(raw, session: session)
            }
        }
    }

    private func advance(
        _ command: Command, _ raw: OpaquePointer, session: Session, scratch: UnsafeMutableRawBufferPointer
    ) throws(SSHError) -> Bool {
        let progress: Command.Progress
        do throws(SSHError) {
            progress = try command.advance(session: raw, link: session.link, scratch: scratch)
        } catch {
            guard case .channel = error else { throw error }
            command.request.finish(.failure(error))
            progress = .done
        }
        switch progress {
        case .waiting: return false
        case .moved: return true
        case .done:
            _ = remove(command: command.request.ticket)
            session.loop.forget(command: command.request.ticket)
            return true
        }
    }

    /// Opens the channel that is next; whether one was opened.
    private func openNext(_ raw: OpaquePointer, session: Session) throws(SSHError) -> Bool {
        if let retryAt, retryAt > .now { return false }
        if opening == nil {
            guard let next = queue.first, openCount < limit || isServedBySpare(next) else { return false }
            queue.removeFirst()
            opening = next
        }
        guard let opening else { return false }
        if case .command(let command) = opening, let channel = spare.take() {
            self.opening = nil
            command.opened(channel)
            return true
        }
        let channel: OpaquePointer?
        switch opening {
        case .command, .spare:
            channel = libssh2_channel_open_ex(
                raw, "session", 7, Self.window, UInt32(LIBSSH2_CHANNEL_PACKET_DEFAULT), nil, 0)
        case .tunnel(let tunnel):
            let target = tunnel.child.endpoint
            channel = libssh2_channel_direct_tcpip_ex(raw, target.host, Int32(target.port), "127.0.0.1", 22)
        }
        guard let channel else {
            let code = libssh2_session_last_errno(raw)
            if code == LibSSH2.again { return false }
            self.opening = nil
            try refused(opening, code: code, raw, session: session)
            return true
        }
        self.opening = nil
        (hasOpened, refusedSince, retryAt) = (true, nil, nil)
        switch opening {
        case .command(let command) where commands.contains { $0 === command }: command.opened(channel)
        case .tunnel(let tunnel) where tunnels.contains { $0 === tunnel }:
            tunnel.opened(channel)
            tunnel.child.phase = .greeting
            session.loop.markUnsettled(tunnel.child)
        case .spare: spare = channel
        case .command, .tunnel: retired.append(channel)
        }
        return true
    }

    private func isServedBySpare(_ opening: Opening) -> Bool {
        switch opening {
        case .command: spare != nil
        case .tunnel, .spare: false
        }
    }

    /// The server refused a channel. With others open it is taken for its limit, and the command waits for one of them.
    private func refused(
        _ opening: Opening, code: Int32, _ raw: OpaquePointer, session: Session
    ) throws(SSHError) {
        let reason = raw.sessionErrorText
        guard code == LIBSSH2_ERROR_CHANNEL_FAILURE else {
            throw .connectionLost(session.endpoint, reason: "no channel could be opened: \(reason)")
        }
        switch opening {
        case .spare:
            break
        case .tunnel(let tunnel):
            tunnel.child.fail(
                .unreachable(
                    tunnel.child.endpoint, reason: "the jump host \(session.endpoint) cannot reach it: \(reason)"))
        case .command(let command):
            let open = openCount
            if open > 0 {
                limit = open
                queue.insert(opening, at: 0)
            } else if hasOpened, retries() {
                queue.insert(opening, at: 0)
                if let retryAt { session.loop.look(at: retryAt) }
            } else if commands.contains(where: { $0 === command }) {
                command.request.finish(.failure(.tooManyChannels(session.endpoint)))
                _ = remove(command: command.request.ticket)
                session.loop.forget(command: command.request.ticket)
            }
        }
    }

    /// Whether a server that had allowed channels, and refuses one although none is open, is asked once more.
    private func retries() -> Bool {
        let now = ContinuousClock.now
        let since = refusedSince ?? now
        guard now - since < Self.patience else { return false }
        (refusedSince, retryAt) = (since, now + Self.retryInterval)
        return true
    }
}
