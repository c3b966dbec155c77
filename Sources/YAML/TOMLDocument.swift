/// Reads one TOML text (version 1.0), strictly.
///
/// Refused, each with its place: what the grammar does not allow, keys and tables that are defined twice, bytes that
/// are not UTF-8, a byte order mark, texts with a NUL, numbers that do not fit, dates and times (nothing here has a use
/// for one), and whatever exceeds the limits. LF and CRLF line ends are both fine. Nothing recurses deeper than the
/// limit of the depth.
public enum TOMLDocument {
    /// - Parameters:
    ///   - bytes: the whole file; it may be empty.
    ///   - file: its path as the user gave it, for messages.
    /// - Throws: ``InputFailure`` with the first thing that is wrong.
    public static func parse(
        _ bytes: [UInt8], file: String, limits: InputLimits = .toml
    ) throws(InputFailure) -> TOMLTable {
        if bytes.isEmpty { return TOMLTable([]) }
        var source = SourceText(bytes: bytes, file: file)
        try source.check(.toml, limits: limits)
        do {
            return try bytes.withUnsafeBufferPointer { buffer throws(TreeBuilder.Problem) in
                var parser = TOMLParser(buffer, limits: limits)
                return try parser.parse()
            }
        } catch {
            throw source.failure(at: error.mark, "this is not TOML: \(error.message)", note: error.note)
        }
    }
}

extension InputLimits {
    /// Far more than files that people write: 4 MiB, 32 levels, 200,000 values and keys, 1 MiB a text.
    public static let toml = InputLimits(bytes: 4 << 20, depth: 32, nodes: 200_000, scalarBytes: 1 << 20)
}

/// What stands at a key of a TOML file, or in a list.
public enum TOMLValue: Sendable {
    case text(String)
    case integer(Int)
    /// Infinite or not a number where the file says so.
    case number(Double)
    case boolean(Bool)
    case list([TOMLValue])
    case table(TOMLTable)
}

/// A table of a TOML file, whichever way it is written. No two keys of it are equal.
public struct TOMLTable: Sendable {
    /// A key with its value.
    public struct Entry: Sendable {
        public let key: String
        /// Where the key stands; of a table, where it is named first.
        public let mark: Mark
        public let value: TOMLValue
    }

    /// In the order of the file.
    public let entries: [Entry]
    private let places: [String: Int]

    init(_ entries: [Entry]) {
        self.entries = entries
        places = Dictionary(
            entries.enumerated().map { ($0.element.key, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// The names of the keys, sorted.
    public var keys: [String] { places.keys.sorted() }

    /// Nil where there is no such key.
    public subscript(key: String) -> Entry? { places[key].map { entries[$0] } }
}
