internal import Crypto

/// A tar archive that is made while it is sent: one chunk of one file is in memory at a time.
///
/// Plain ustar headers, with GNU's long-name entries where a name does not fit: busybox tar knows no others.
struct TarArchive: Sendable {
    struct Member: Sendable {
        enum Content: Sendable {
            /// The digest, lower-case hex, is compared while the bytes are sent.
            case file(size: Int, mode: Int, digest: String?, ByteSource)
            case symbolicLink(target: String)
        }

        var path: String
        var content: Content
    }

    var members: [Member]

    /// Why the archive ended early; the receiver sees it cut off.
    struct Altered: Error, CustomStringConvertible {
        var path: String
        var description: String { "\(path) is not what the plan names any more: its bytes have changed" }
    }

    var source: ByteSource {
        ByteSource {
            let writer = Writer(members: members)
            return { try await writer.next() }
        }
    }

    private actor Writer {
        private var members: ArraySlice<Member>
        private var file: OpenMember?
        private var pending: [UInt8] = []
        private var ended = false

        /// Small files are sent together.
        private static let chunk = 1 << 16

        init(members: [Member]) { self.members = members[...] }

        func next() async throws -> [UInt8]? {
            while pending.count < Self.chunk, !ended {
                if file != nil {
                    try await copy()
                } else if let member = members.popFirst() {
                    try open(member)
                } else {
                    pending += [UInt8](repeating: 0, count: 1024)
                    ended = true
                }
            }
            defer { pending = [] }
            return pending.isEmpty ? nil : pending
        }

        private func open(_ member: Member) throws {
            switch member.content {
            case .symbolicLink(let target):
                pending += TarArchive.header(member.path, type: "2", mode: 0o777, size: 0, link: target)
            case .file(let size, let mode, let digest, let source):
                pending += TarArchive.header(member.path, type: "0", mode: mode, size: size)
                file = OpenMember(path: member.path, size: size, left: size, digest: digest, next: try source.open())
            }
        }

        private func copy() async throws {
            guard var open = file else { return }
            if let bytes = try await open.next() {
                open.left -= bytes.count
                guard open.left >= 0 else { throw Altered(path: open.path) }
                open.hash.update(data: bytes)
                pending += bytes
                file = open
            } else {
                guard open.left == 0, open.digest == nil || open.digest == open.hash.finalize().hexadecimal else {
                    throw Altered(path: open.path)
                }
                pending += [UInt8](repeating: 0, count: (512 - open.size % 512) % 512)
                file = nil
            }
        }
    }

    private struct OpenMember {
        var path: String
        var size: Int
        var left: Int
        var digest: String?
        var next: ByteSource.Reader
        var hash = SHA256()
    }

    private static func header(_ path: String, type: Unicode.Scalar, mode: Int, size: Int, link: String = "") -> [UInt8]
    {
        var bytes: [UInt8] = []
        for (long, type) in [(link, "K"), (path, "L")] as [(String, Unicode.Scalar)] where long.utf8.count > 100 {
            let text = Array(long.utf8) + [0]
            bytes += block("././@LongLink", type: type, mode: 0o644, size: text.count, link: "")
            bytes += text + [UInt8](repeating: 0, count: (512 - text.count % 512) % 512)
        }
        return bytes + block(path, type: type, mode: mode, size: size, link: link)
    }

    private static func block(_ path: String, type: Unicode.Scalar, mode: Int, size: Int, link: String) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: some Collection<UInt8>, at offset: Int, limit: Int) {
            for (index, byte) in text.prefix(limit).enumerated() { block[offset + index] = byte }
        }
        func octal(_ value: Int, digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            return Array((String(repeating: "0", count: max(0, digits - text.count)) + text).utf8)
        }
        put(path.utf8, at: 0, limit: 100)
        put(octal(mode, digits: 7), at: 100, limit: 7)
        put(octal(0, digits: 7), at: 108, limit: 7)
        put(octal(0, digits: 7), at: 116, limit: 7)
        if size < 1 << 33 {
            put(octal(size, digits: 11), at: 124, limit: 11)
        } else {
            // Eleven octal digits end at 8 GiB; beyond, the number is binary, marked by its first bit.
            block[124] = 0x80
            for index in 0..<8 { block[135 - index] = UInt8(truncatingIfNeeded: size >> (8 * index)) }
        }
        put(octal(0, digits: 11), at: 136, limit: 11)
        put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148, limit: 8)
        block[156] = UInt8(ascii: type)
        put(link.utf8, at: 157, limit: 100)
        // GNU's own magic, which its long-name entries belong to.
        put("ustar  ".utf8, at: 257, limit: 8)
        put(octal(block.reduce(0) { $0 + Int($1) }, digits: 6) + [0, UInt8(ascii: " ")], at: 148, limit: 8)
        return block
    }
}
