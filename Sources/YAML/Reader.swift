/// Decodes the nodes of one document and collects everything that is wrong with it, instead of stopping at the first.
///
/// Each accessor returns nil after it has recorded an error, so a decoder goes on with what it has, and asks
/// ``check()`` before it uses the result. One reader serves one document on one task.
public final class Reader {
    /// The document's value.
    public let root: Node
    /// What is accepted but should be changed, in the order in which it was found.
    public private(set) var warnings: [Diagnostic] = []
    private var errors: [Diagnostic] = []
    private var omitted = 0
    private var source: SourceText
    /// How fields are found.
    let rules: Rules

    /// How the fields of mappings are found.
    public enum Rules: Sendable {
        /// By their exact names; a field that nobody asks for is an error, and null is a value.
        case exact
        /// As Go's `encoding/json` does it: in any case of letters, and null is as good as no field. A field that nobody asks for
        /// is a warning; if its name is nearly one that is known, it is an error.
        case go
    }

    /// Errors and warnings that are kept each; further ones are only counted.
    private static let limit = 100

    /// - Parameters:
    ///   - source: the bytes that `root` was read from; diagnostics show their lines.
    ///   - file: the path as the user gave it.
    public init(root: Node, source: [UInt8], file: String, rules: Rules = .exact) {
        self.root = root
        self.rules = rules
        self.source = SourceText(bytes: source, file: file)
    }

    /// How many errors were recorded so far.
    public var errorCount: Int { errors.count + omitted }

    /// Whether ``check()`` throws.
    public var hasErrors: Bool { !errors.isEmpty }

    /// Records an error at the node.
    public func error(_ node: Node, _ message: String, note: String? = nil) {
        guard errors.count < Self.limit else {
            omitted += 1
            return
        }
        errors.append(source.diagnostic(at: node.mark, message, note: note))
    }

    /// Records something that is accepted but should be changed.
    public func warn(_ node: Node, _ message: String, note: String? = nil) {
        guard warnings.count < Self.limit else { return }
        warnings.append(source.diagnostic(.warning, at: node.mark, message, note: note))
    }

    /// - Throws: ``InputFailure`` with all recorded errors, in the order of the file; nothing where there are none.
    public func check() throws(InputFailure) {
        guard !errors.isEmpty else { return }
        let places = errors.indices.sorted { left, right in
            (errors[left].mark ?? root.mark, left) < (errors[right].mark ?? root.mark, right)
        }
        let ordered = places.map { errors[$0] }
        throw InputFailure(ordered[0], Array(ordered.dropFirst()), omitted: omitted)
    }

    /// The fields of a mapping, to be asked for by name.
    public func mapping(_ node: Node) -> MappingReader? {
        guard case .mapping(let entries) = node.value else {
            mismatch(node, "a mapping")
            return nil
        }
        return MappingReader(node: node, entries: entries, reader: self)
    }

    /// The elements of a list.
    public func sequence(_ node: Node) -> [Node]? {
        guard case .sequence(let elements) = node.value else {
            mismatch(node, "a list")
            return nil
        }
        return elements
    }

    /// A text: quoted, or plain and not what any YAML reader takes for null, a boolean or a number. It may be empty and
    /// may hold any Unicode scalar, U+0000 included.
    public func string(_ node: Node) -> String? {
        guard case .scalar(let text, let isPlain) = node.value, !isPlain || Node.Kind(plain: text) == .text else {
            let wantsQuotes = node.kind == .number || node.kind == .boolean
            mismatch(node, "a text", note: wantsQuotes ? "put it in double quotes" : nil)
            return nil
        }
        return text
    }

    /// A whole number in decimal digits: `0`, `17`, `-3`; no `+`, leading zero, fraction or exponent.
    public func integer(_ node: Node, in range: ClosedRange<Int>) -> Int? {
        guard case .scalar(let text, isPlain: true) = node.value, let number = Self.integer(text),
            range.contains(number)
        else {
            mismatch(node, Self.wholeNumber(in: range))
            return nil
        }
        return number
    }

    /// Exactly `true` or `false`.
    public func boolean(_ node: Node) -> Bool? {
        switch node.value {
        case .scalar("true", isPlain: true): return true
        case .scalar("false", isPlain: true): return false
        case .scalar, .sequence, .mapping:
            mismatch(node, "true or false")
            return nil
        }
    }

    /// A text that is one of the type's raw values.
    public func choice<Choice>(_ node: Node, of type: Choice.Type) -> Choice?
    where Choice: RawRepresentable<String> & CaseIterable {
        if case .scalar(let text, _) = node.value, let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map(\.rawValue)
        let note = Suggestion.nearest(to: node.text ?? "", among: names).map { "did you mean `\($0)`?" }
        mismatch(node, names.dropLast().joined(separator: ", ") + " or \(names.last ?? "")", note: note)
        return nil
    }

    /// Whether the node is `null` (or, in YAML, `~` or nothing). Records nothing.
    public func isNull(_ node: Node) -> Bool { node.kind == .null }

    private func mismatch(_ node: Node, _ expected: String, note: String? = nil) {
        error(node, "expected \(expected), found \(Self.describe(node))", note: note)
    }

    private static func describe(_ node: Node) -> String {
        switch (node.kind, node.text ?? "") {
        case (.null, _): "nothing (null)"
        case (.boolean, let text): VisibleText.cut(text)
        case (.number, let text): "the number \(VisibleText.cut(text))"
        case (.text, let text): "the text \(VisibleText.quote(text))"
        case (.sequence, _): "a list"
        case (.mapping, _): "a mapping"
        }
    }

    private static func wholeNumber(in range: ClosedRange<Int>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (.min, .max): "a whole number"
        case (let lower, .max): "a whole number of at least \(lower)"
        case (.min, let upper): "a whole number of at most \(upper)"
        case (let lower, let upper): "a whole number from \(lower) to \(upper)"
        }
    }

    private static func integer(_ text: String) -> Int? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1, first != UInt8(ascii: "+")
        else { return nil }
        return Int(text)
    }
}
