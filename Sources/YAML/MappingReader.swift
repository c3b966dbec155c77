/// The fields of one mapping. Ask for each field that may be there, then call ``finish()``, which reports the others.
///
/// Where any key is allowed, walk ``entries`` instead, and do not finish.
public struct MappingReader {
    /// The mapping.
    public let node: Node
    /// All fields in the order of the file.
    public let entries: [Node.Entry]
    private let reader: Reader
    /// Where the next field probably is: fields are mostly asked for in the order of the file.
    private var next = 0
    /// Which of the first 64 entries were asked for, one bit each, and which of the others: small mappings, of which
    /// there are very many, need no allocation.
    private var asked: UInt64 = 0
    private var askedBeyond: Set<Int> = []
    private var askedCount = 0
    /// Names that were asked for and are not there, to suggest for unknown ones.
    private var absent: [String] = []

    init(node: Node, entries: [Node.Entry], reader: Reader) {
        self.node = node
        self.entries = entries
        self.reader = reader
    }

    /// The field's value; records an error at the mapping where the field is missing.
    public mutating func required(_ name: String) -> Node? {
        if let value = optional(name) { return value }
        reader.error(node, "the field `\(name)` is missing")
        return nil
    }

    /// The field's value, or nil where the field is missing. By ``Reader/Rules/exact`` a field that is there and null is a node:
    /// see ``Reader/isNull(_:)``.
    public mutating func optional(_ name: String) -> Node? {
        if next < entries.count, entries[next].name == name { return take(next) }
        for index in entries.indices where entries[index].name == name { return take(index) }
        if case .go = reader.rules {
            let lower = name.lowercased()
            for index in entries.indices where entries[index].name.lowercased() == lower { return take(index) }
        }
        if askedCount < entries.count { absent.append(name) }
        return nil
    }

    /// Names of fields among which an unknown one may be meant.
    private var candidates: [String] {
        switch reader.rules {
        case .exact: absent
        // It is an error to write a known field twice, too, once with a typing error.
        case .go: absent + entries.indices.filter(isAsked).map { entries[$0].name }
        }
    }

    /// Whether there is such a field; this does not ask for it.
    public func contains(_ name: String) -> Bool { entries.contains { $0.name == name } }

    /// Reports every field that was not asked for.
    public func finish() {
        guard askedCount < entries.count else { return }
        for index in entries.indices where !isAsked(index) {
            let name = entries[index].name
            let note = Suggestion.nearest(to: name, among: candidates).map { "did you mean `\($0)`?" }
            switch (reader.rules, note) {
            case (.exact, _), (.go, _?):
                reader.error(entries[index].key, "unknown field \(VisibleText.quote(name))", note: note)
            case (.go, nil):
                reader.warn(entries[index].key, "unknown field \(VisibleText.quote(name)): it means nothing here")
            }
        }
    }

    private mutating func take(_ index: Int) -> Node? {
        next = index + 1
        if !isAsked(index) {
            askedCount += 1
            if index < 64 { asked |= 1 << UInt64(index) } else { askedBeyond.insert(index) }
        }
        let value = entries[index].value
        if case .go = reader.rules, value.kind == .null { return nil }
        return value
    }

    private func isAsked(_ index: Int) -> Bool {
        index < 64 ? asked & (1 << UInt64(index)) != 0 : askedBeyond.contains(index)
    }
}
