internal import Model
public import YAML

/// `workspace/freezes.yaml`: times in which nothing of the bucket begins, whatever a plan's window says.
///
/// ```yaml
/// zone: Europe/Berlin
/// freezes:
///   - {from: "2026-12-20", until: "2027-01-04T06:00", reason: year's end}
/// ```
///
/// Times are local to `zone`, or UTC with a `Z` at their end; a date alone is its first moment. `until` is not in the
/// freeze; without it the freeze holds until the entry is taken out.
public enum FreezeFile {
    /// The name within a workspace.
    public static let name = "freezes.yaml"
    /// The path within a bucket.
    public static let path = "workspace/\(name)"

    /// What the file says.
    public struct Contents: Equatable, Sendable {
        /// In which its times are meant.
        public var zone: String
        public var freezes: [Freeze]

        /// Of a bucket without the file.
        public static let none = Contents(zone: ZoneDatabase.utc, freezes: [])
    }

    /// The freezes alone.
    ///
    /// - Throws: as `contents`.
    public static func read(_ bytes: [UInt8], file: String, database: ZoneDatabase) throws(InputFailure) -> [Freeze] {
        try contents(bytes, file: file, database: database).freezes
    }

    /// - Throws: `InputFailure` with every error found.
    public static func contents(
        _ bytes: [UInt8], file: String, database: ZoneDatabase
    ) throws(InputFailure) -> Contents {
        let root = try YAMLDocument.parse(bytes, file: file, limits: .standard)
        let reader = Reader(root: root, source: bytes, file: file)
        let contents = FreezeReader(reader: reader, database: database).contents(root)
        try reader.check()
        return contents ?? .none
    }
}

private struct FreezeReader {
    let reader: Reader
    let database: ZoneDatabase

    func contents(_ root: Node) -> FreezeFile.Contents? {
        fields(root) { map in
            guard let zoneNode = map.required("zone"), let zone = reader.string(zoneNode) else {
                return nil
            }
            guard let rules = database.rules(zone) else {
                reader.error(
                    zoneNode, "this is no zone of this machine's time-zone data",
                    note: "an IANA name such as Europe/Berlin")
                return nil
            }
            let node = map.required("freezes")
            let freezes = node.flatMap(reader.sequence)?.compactMap { freeze($0, rules) }
            if let node, let freezes, freezes.count > MaintenanceWindow.maximumFreezes {
                reader.error(node, "at most \(MaintenanceWindow.maximumFreezes) freezes are read")
            }
            return freezes.map { .init(zone: zone, freezes: $0) }
        }
    }

    private func freeze(_ node: Node, _ rules: ZoneRules) -> Freeze? {
        fields(node) { map in
            let from = moment(map.required("from"), rules)
            let untilNode = map.optional("until")
            let until = untilNode.map { moment($0, rules) } ?? .distantFuture
            let reason = map.optional("reason").flatMap(reader.string) ?? ""
            guard let from, let until else { return nil }
            if from >= until {
                let isSkipped = untilNode.map { isInGap(map.required("from"), $0) } ?? false
                reader.error(
                    node,
                    isSkipped
                        ? "the clocks are set forward over the freeze: its times do not exist that day"
                        : "the freeze ends before it begins")
            }
            return Freeze(FixedInterval(from: from, until: until), reason: reason)
        }
    }

    /// Whether the local times of a freeze are in order, though their instants are not.
    private func isInGap(_ from: Node?, _ until: Node) -> Bool {
        guard let from, let start = from.text.flatMap(CivilTime.init), let end = until.text.flatMap(CivilTime.init)
        else { return false }
        return start < end
    }

    private func moment(_ node: Node?, _ rules: ZoneRules) -> Timestamp? {
        guard let node, let text = reader.string(node) else { return nil }
        if let instant = Timestamp(utcText: text) { return instant }
        if let local = CivilTime(text) { return rules.instant(of: local).instant }
        reader.error(node, "expected a local time, such as \"2026-12-01T22:00:00\"")
        return nil
    }

    private func fields<Value>(_ node: Node, _ body: (inout MappingReader) -> Value?) -> Value? {
        guard var map = reader.mapping(node) else { return nil }
        let value = body(&map)
        map.finish()
        return value
    }
}
