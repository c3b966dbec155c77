internal import CSSH2

/// A channel of one session that carries another one's bytes; used on the reactor's thread alone.
final class Tunnel {
    let child: Session
    private(set) var channel: OpaquePointer?

    init(child: Session) { self.child = child }

    func opened(_ channel: OpaquePointer) { self.channel = channel }

    func takeChannel() -> OpaquePointer? { channel.take() }

    /// Moves bytes both ways; whether anything moved.
    func advance(session: OpaquePointer, link: Link, scratch: UnsafeMutableRawBufferPointer) -> Bool {
        guard let channel, !child.isClosed else { return false }
        var moved = false
        var failure: String?
        while !child.link.outbound.isEmpty, link.outbound.count < Link.outboundLimit, failure == nil {
            var count = 0
            child.link.outbound.consume { bytes in
                count = libssh2_channel_write_ex(
                    channel, 0, bytes.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count)
                return max(0, count)
            }
            if count == 0 || count == Int(LibSSH2.again) { break }
            if count < 0 { failure = session.sessionErrorText }
            moved = true
        }
        // What the child has not used yet bounds what is read: then the jump host has to wait.
        while child.link.inbound.count < Link.outboundLimit, failure == nil {
            let count = libssh2_channel_read_ex(
                channel, 0, scratch.assumingMemoryBound(to: CChar.self).baseAddress, scratch.count)
            if count == 0 || count == Int(LibSSH2.again) { break }
            if count < 0 {
                failure = session.sessionErrorText
            } else {
                link.allowance.use(count)
                child.arrived(UnsafeRawBufferPointer(rebasing: scratch[..<count]))
            }
            moved = true
        }
        if child.link.ended == nil {
            if let failure {
                child.link.ended = failure
            } else if libssh2_channel_eof(channel) == 1 {
                child.link.ended = "the server closed the connection (seen through the jump host)"
                moved = true
            }
        }
        if moved { child.loop.markUnsettled(child) }
        return moved
    }
}
