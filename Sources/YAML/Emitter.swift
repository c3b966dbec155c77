/// Writes the canonical YAML of a value: one spelling for each, whatever the machine or the version of a library.
///
/// An emitter begins inside the root mapping. Block style indents by two spaces, list items two below their key; flow
/// style puts the whole collection on one line, and everything inside it is flow, too. Empty collections are `{}` and
/// `[]`. Texts are plain where they are nothing but letters, digits and `_ . / -`, begin with a letter or `_` and are no
/// word that a YAML reader takes for something else, or are `sha256:` and lower-case hexadecimal digits; all others are
/// in double quotes, with escapes for every character that a reader would not see.
public struct Emitter: Sendable {
    /// How a collection is laid out: over several lines, or on one.
    public enum Style: Sendable {
        case block, flow
    }

    private enum Brackets {
        case mapping, sequence

        var open: UInt8 { self == .mapping ? UInt8(ascii: "{") : UInt8(ascii: "[") }
        var close: UInt8 { self == .mapping ? UInt8(ascii: "}") : UInt8(ascii: "]") }
    }

    private var output: [UInt8] = []
    private var indent = 0
    private var isFlow = false
    /// What the innermost open collection is, and whether it is still empty.
    private var inside = Brackets.mapping
    private var isEmpty = true
    /// The line begins with `- ` and is indented already.
    private var isLineBegun = false

    /// - Parameter capacity: bytes to reserve; more are taken where needed.
    public init(capacity: Int = 0) {
        output.reserveCapacity(capacity)
    }

    /// The bytes of the file, with a line feed at its end.
    public func finish() -> [UInt8] {
        isEmpty ? Array("{}\n".utf8) : output
    }

    // MARK: Fields of a mapping

    /// `key: value`
    public mutating func field(_ key: String, _ value: Scalar) {
        beginField(key)
        output.append(UInt8(ascii: " "))
        write(value)
        endEntry()
    }

    /// `key:` and a mapping, whose fields `body` writes.
    public mutating func mapping(_ key: String, _ style: Style = .block, _ body: (inout Emitter) -> Void) {
        beginField(key)
        collection(.mapping, style, afterKey: true, body)
    }

    /// `key:` and a list, whose items `body` writes.
    public mutating func sequence(_ key: String, _ style: Style = .block, _ body: (inout Emitter) -> Void) {
        beginField(key)
        collection(.sequence, style, afterKey: true, body)
    }

    // MARK: Items of a list

    /// `- value`
    public mutating func item(_ value: Scalar) {
        beginItem()
        write(value)
        endEntry()
    }

    /// `- ` and a mapping, whose fields `body` writes.
    public mutating func mappingItem(_ style: Style = .block, _ body: (inout Emitter) -> Void) {
        beginItem()
        collection(.mapping, style, afterKey: false, body)
    }

    /// `- ` and a list, whose items `body` writes.
    public mutating func sequenceItem(_ style: Style = .block, _ body: (inout Emitter) -> Void) {
        beginItem()
        collection(.sequence, style, afterKey: false, body)
    }

    // MARK: Layout

    private mutating func beginEntry() {
        if isFlow {
            if !isEmpty { output.append(contentsOf: ", ".utf8) }
        } else if isLineBegun {
            isLineBegun = false
        } else {
            writeIndent()
        }
        isEmpty = false
    }

    private mutating func beginItem() {
        precondition(inside == .sequence, "an item belongs into a list")
        beginEntry()
        if !isFlow { output.append(contentsOf: "- ".utf8) }
    }

    private mutating func beginField(_ key: String) {
        precondition(inside == .mapping, "a field belongs into a mapping")
        beginEntry()
        let start = output.count
        write(key)
        // A key that no "?" announces may have 1024 characters at most, or readers do not find its colon.
        if output.count - start > 1000 {
            output.insert(contentsOf: "? ".utf8, at: start)
            if !isFlow {
                output.append(UInt8(ascii: "\n"))
                writeIndent()
            }
        }
        output.append(UInt8(ascii: ":"))
    }

    private mutating func endEntry() {
        if !isFlow { output.append(UInt8(ascii: "\n")) }
    }

    private mutating func collection(
        _ brackets: Brackets, _ style: Style, afterKey: Bool, _ body: (inout Emitter) -> Void
    ) {
        let outer = (inside: inside, isFlow: isFlow)
        inside = brackets
        isEmpty = true
        if isFlow || style == .flow {
            if afterKey { output.append(UInt8(ascii: " ")) }
            isFlow = true
            output.append(brackets.open)
            body(&self)
            output.append(brackets.close)
        } else {
            indent += 2
            isLineBegun = !afterKey
            let beforeEntries = output.count
            if afterKey { output.append(UInt8(ascii: "\n")) }
            body(&self)
            indent -= 2
            if isEmpty {
                isLineBegun = false
                output.removeSubrange(beforeEntries...)
                if afterKey { output.append(UInt8(ascii: " ")) }
                output.append(brackets.open)
                output.append(brackets.close)
                output.append(UInt8(ascii: "\n"))
            }
        }
        let wasFlow = isFlow
        (inside, isFlow) = outer
        isEmpty = false
        if wasFlow { endEntry() }
    }

    private mutating func writeIndent() {
        for _ in 0..<indent { output.append(UInt8(ascii: " ")) }
    }

    private mutating func write(_ value: Scalar) {
        switch value {
        case .string(let text): write(text)
        case .int(let number): output.append(contentsOf: String(number).utf8)
        case .bool(let flag): output.append(contentsOf: (flag ? "true" : "false").utf8)
        case .null: output.append(contentsOf: "null".utf8)
        }
    }

    private mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { CanonicalText.append($0, to: &output) }
    }
}
