internal import Glibc

/// The IANA time-zone database: rules by name.
public struct ZoneDatabase: Sendable {
    /// The bytes of a zone's TZif file; nil where there is none. Asked only for names that `isName` accepts.
    private let load: @Sendable (String) -> [UInt8]?

    public init(_ load: @escaping @Sendable (_ name: String) -> [UInt8]?) { self.load = load }

    /// Nil where the database has no zone of this name, or holds it damaged. `UTC` is always there.
    public func rules(_ name: String) -> ZoneRules? {
        if name == Self.utc { return .utc }
        guard Self.isName(name) else { return nil }
        return load(name).flatMap(ZoneRules.init(tzif:))
    }

    /// The zone that every machine knows, with or without a database.
    public static let utc = "UTC"

    /// Whether a text can be a zone's name: parts of letters, digits, `_`, `+` and `-`, with `/` between.
    public static func isName(_ text: String) -> Bool {
        guard (1...64).contains(text.utf8.count) else { return false }
        return text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy {
                    (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || [0x2b, 0x2d, 0x5f].contains($0)
                }
        }
    }

    /// That of this machine, which its package manager keeps up to date (Debian: `tzdata`).
    public static let system = ZoneDatabase { name in
        for folder in ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"] {
            if let bytes = read("\(folder)/\(name)") { return bytes }
        }
        return nil
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // The largest zones have a few kilobytes.
        var buffer = [UInt8](repeating: 0, count: 1 << 17)
        var count = 0
        while count < buffer.count {
            let got = buffer[count...].withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { return nil }
            if got == 0 { return Array(buffer[..<count]) }
            count += got
        }
        return nil
    }
}
