internal import CSSH2
internal import Glibc

/// Deadlines, keepalives, and the silence of a server.
extension Session {
    private var currentPhase: SSHPhase {
        switch phase {
        case .lookingUp: .nameLookup
        case .connecting: .connecting
        case .tunnelling: .jump
        case .greeting, .closed: .greeting
        case .queued, .handshake: .handshake
        case .authentication: .authentication
        case .open: .command
        }
    }

    /// Acts on every deadline that has passed and registers the next ones.
    func look(at now: ContinuousClock.Instant) {
        switch phase {
        case .closed, .queued: return
        case .lookingUp, .tunnelling, .greeting, .handshake, .authentication:
            guard deadline > now else { return fail(.timedOut(endpoint, phase: currentPhase, limit: request.limit)) }
            loop.look(at: deadline)
        case .connecting(let remaining, let until):
            guard deadline > now else { return fail(.timedOut(endpoint, phase: currentPhase, limit: request.limit)) }
            guard until > now else { return connect(to: remaining, after: ConnectFailure(code: ETIMEDOUT)) }
            loop.look(at: min(deadline, until))
        case .open:
            lookAtCommands(now)
            if let retryAt = channels.retryAt {
                if retryAt > now { loop.look(at: retryAt) } else { loop.markUnsettled(self) }
            }
            keepAlive(now)
        }
    }

    private func lookAtCommands(_ now: ContinuousClock.Instant) {
        for command in channels.commands {
            guard let deadline = command.deadline else { continue }
            if deadline <= now {
                let limit = command.request.limit ?? .zero
                giveUp(command: command.request.ticket, .timedOut(endpoint, phase: command.phase, limit: limit))
            } else {
                loop.look(at: deadline)
            }
        }
    }

    private func keepAlive(_ now: ContinuousClock.Instant) {
        guard let raw, let due = keepaliveDue else { return }
        if let since = silentSince {
            let end = since + loop.options.silenceLimit
            guard end > now else {
                return fail(lost("no answer from the server for \(loop.options.silenceLimit)"))
            }
            loop.look(at: end)
        }
        var next = due
        if due <= now {
            var seconds: Int32 = 0
            libssh2_keepalive_send(raw, &seconds)
            link.allowance.ask()
            if silentSince == nil, !link.outbound.isEmpty {
                silentSince = now
                loop.look(at: now + loop.options.silenceLimit)
            }
            next = now + .seconds(max(1, Int(seconds)))
            keepaliveDue = next
            loop.markUnsettled(self)
        }
        loop.look(at: next)
    }
}
