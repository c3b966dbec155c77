internal import CSSH2
internal import Glibc

/// The bytes between one libssh2 session and its peer, held in two queues.
///
/// libssh2 never touches a socket here: its callbacks append to `outbound`, which always takes everything, and take from
/// `inbound`. So a send never stops inside a packet, and the only reason for `EAGAIN` is that the peer has not answered
/// yet: operations of different channels may follow each other in any order. A sender of bulk data looks at
/// `outbound.count` first. The same two queues serve a session that runs through another session's channel.
final class Link {
    var inbound = ByteQueue()
    var outbound = ByteQueue()
    /// Why no more bytes will come, once that is so. libssh2 is not told: it first uses up what arrived before.
    var ended: String?
    /// What the peer said when it hung up. From then on libssh2 fails at once, whatever it is asked.
    var farewell: String?
    /// What the peer may still send.
    var allowance = Allowance()
    /// Set when the session is only freed from now on: libssh2 sees a closed socket and so waits for nothing.
    var isAbandoned = false

    /// Above this many bytes under way to the peer, no more bulk data is given to libssh2.
    static let outboundLimit = 256 << 10

    /// Makes a libssh2 session over this link, which must outlive it.
    func makeSession() -> OpaquePointer? {
        cssh2_session_init(
            Unmanaged.passUnretained(self).toOpaque(),
            { size, context in
                let block = malloc(size)
                Link.from(context)?.allowance.held += malloc_usable_size(block)
                return block
            },
            { block, size, context in
                let before = malloc_usable_size(block)
                let block = realloc(block, size)
                if block != nil { Link.from(context)?.allowance.held += malloc_usable_size(block) - before }
                return block
            },
            { block, context in
                Link.from(context)?.allowance.held -= malloc_usable_size(block)
                Glibc.free(block)
            },
            { _, buffer, length, _, context in
                guard let buffer, let link = Link.from(context) else { return 0 }
                // A peer beyond its share is not read any more: the session ends before it is asked again.
                if link.isAbandoned || link.allowance.excess != nil { return 0 }
                var count = -Int(EAGAIN)
                link.inbound.consume { bytes in
                    guard !bytes.isEmpty else { return 0 }
                    let front = UnsafeRawBufferPointer(rebasing: bytes.prefix(length))
                    UnsafeMutableRawBufferPointer(start: buffer, count: length).copyMemory(from: front)
                    count = front.count
                    return front.count
                }
                return count
            },
            { _, buffer, length, _, context in
                guard let buffer, let link = Link.from(context) else { return -Int(EPIPE) }
                if !link.isAbandoned { link.outbound.append(UnsafeRawBufferPointer(start: buffer, count: length)) }
                return length
            },
            { _, reason, message, length, _, _, context in
                guard let link = Link.from(context) else { return }
                let bytes = UnsafeRawBufferPointer(start: message, count: message == nil ? 0 : max(0, Int(length)))
                // A server may say anything; it ends up in a sentence.
                let text = String(decoding: bytes.prefix(200), as: UTF8.self).split(whereSeparator: \.isNewline)
                link.farewell = text.isEmpty ? "reason \(reason)" : text.joined(separator: " ")
            })
    }

    private static func from(_ context: UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> Link? {
        context?.pointee.map { Unmanaged<Link>.fromOpaque($0).takeUnretainedValue() }
    }
}
