/// Makes nodes from a stream of beginnings, scalars and ends, and enforces what YAML and JSON have in common: limits,
/// keys that are scalars, no key twice.
///
/// Finished children wait on one stack until their parent ends, so each collection is allocated once, at its size, and
/// nesting costs no recursion.
struct TreeBuilder {
    /// Refused, and where; the caller knows the source and makes the failure.
    struct Problem: Error {
        let mark: Mark
        let message: String
        var note: String?
    }

    private struct Frame {
        let isMapping: Bool
        let firstChild: Int
        let mark: Mark
    }

    private let limits: InputLimits
    private var children: [Node] = []
    private var frames: [Frame] = []
    private var count = 0

    init(limits: InputLimits) {
        self.limits = limits
    }

    /// Whether a collection is open, and which.
    var openMapping: Bool? { frames.last?.isMapping }

    /// Where the innermost open collection begins.
    var openMark: Mark? { frames.last?.mark }

    /// The one finished node, when nothing is open any more.
    var root: Node? { frames.isEmpty ? children.first : nil }

    private var expectsKey: Bool {
        guard let frame = frames.last, frame.isMapping else { return false }
        return (children.count - frame.firstChild).isMultiple(of: 2)
    }

    private mutating func countNode(at mark: Mark) throws(Problem) {
        count += 1
        guard count <= limits.nodes else {
            throw Problem(mark: mark, message: "the file holds more than \(limits.nodes) values")
        }
    }

    mutating func scalar(_ text: String, isPlain: Bool, at mark: Mark) throws(Problem) {
        try countNode(at: mark)
        guard text.utf8.count <= limits.scalarBytes else {
            throw Problem(mark: mark, message: "a text of more than \(limits.scalarBytes) bytes")
        }
        if isPlain, text.isEmpty, expectsKey { throw Problem(mark: mark, message: "the key is missing before \":\"") }
        children.append(Node(.scalar(text: text, isPlain: isPlain), at: mark))
    }

    mutating func begin(mapping isMapping: Bool, at mark: Mark) throws(Problem) {
        try countNode(at: mark)
        if expectsKey { throw Problem(mark: mark, message: "a key has to be a text, not a list or a mapping") }
        guard frames.count < limits.depth else {
            throw Problem(mark: mark, message: "nested deeper than \(limits.depth) levels")
        }
        frames.append(Frame(isMapping: isMapping, firstChild: children.count, mark: mark))
    }

    mutating func end() throws(Problem) {
        guard let frame = frames.popLast() else { return }
        let value: Node.Value
        if frame.isMapping {
            var entries: [Node.Entry] = []
            entries.reserveCapacity((children.count - frame.firstChild) / 2)
            for index in stride(from: frame.firstChild, to: children.count - 1, by: 2) {
                entries.append(Node.Entry(key: children[index], value: children[index + 1]))
            }
            try Self.refuseDoubleKeys(entries)
            value = .mapping(entries)
        } else {
            value = .sequence(Array(children[frame.firstChild...]))
        }
        children.removeSubrange(frame.firstChild...)
        children.append(Node(value, at: frame.mark))
    }

    /// Keys that Swift's strings hold equal (canonically equivalent Unicode) count as the same: a dictionary made of
    /// them would lose one.
    private static func refuseDoubleKeys(_ entries: [Node.Entry]) throws(Problem) {
        if entries.count <= 16 {
            for (index, entry) in entries.enumerated() {
                for earlier in entries[..<index] where earlier.name == entry.name {
                    throw doubleKey(entry, earlier)
                }
            }
        } else {
            var seen: [String: Int] = [:]
            seen.reserveCapacity(entries.count)
            for (index, entry) in entries.enumerated() {
                if let earlier = seen.updateValue(index, forKey: entry.name) {
                    throw doubleKey(entry, entries[earlier])
                }
            }
        }
    }

    private static func doubleKey(_ entry: Node.Entry, _ earlier: Node.Entry) -> Problem {
        Problem(
            mark: entry.key.mark, message: "the key \(VisibleText.quote(entry.name)) is given twice",
            note: "first at line \(earlier.key.mark.line), column \(earlier.key.mark.column)")
    }
}
