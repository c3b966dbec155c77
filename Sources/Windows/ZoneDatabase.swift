internal import Model

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
            // The largest zones have a few kilobytes.
            if let bytes = try? InputFile.read("\(folder)/\(name)", limit: 1 << 17) { return bytes }
        }
        return nil
    }
}
