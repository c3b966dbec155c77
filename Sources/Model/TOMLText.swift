public import YAML

/// The text of a TOML file, ready for the parser.
public enum TOMLText {
    /// - Throws: `InputFailure` where the bytes are not UTF-8, or where a table's header has no name: the parser ends the
    ///   process there (an assertion of toml++ 3.4) in place of saying so.
    public static func decode(_ bytes: [UInt8], file: String) throws(InputFailure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InputFailure(Diagnostic(file: file, mark: Mark(line: 1, column: 1), message: "this is not UTF-8"))
        }
        var scanner = HeaderScanner(bytes)
        if let mark = scanner.headerWithoutName() {
            throw InputFailure(
                Diagnostic(
                    file: file, mark: mark, message: "this is not TOML: a table's name has to follow here",
                    note: "letters, digits, `-` and `_`, or a text in quotes"))
        }
        return text
    }
}

/// Finds the headers of tables, as far as needed to look at what follows their brackets.
private struct HeaderScanner {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1
    private var lineStart = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The place in the first header where a name should begin.
    mutating func headerWithoutName() -> Mark? {
        // Of arrays and inline tables: lines in them are no statements.
        var depth = 0
        while at < bytes.count {
            if depth == 0 {
                skip { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
                if take("["), let mark = headerMark() { return mark }
            }
            statement: while at < bytes.count {
                if take("\"\"\"") {
                    skipText("\"\"\"", hasEscapes: true)
                } else if take("'''") {
                    skipText("'''", hasEscapes: false)
                } else if take("\"") {
                    skipText("\"", hasEscapes: true)
                } else if take("'") {
                    skipText("'", hasEscapes: false)
                } else if take("#") {
                    skip { $0 != 0x0a }
                } else if take("[") || take("{") {
                    depth += 1
                } else if take("]") || take("}") {
                    depth = max(depth - 1, 0)
                } else if bytes[at] == 0x0a {
                    newLine()
                    if depth == 0 { break statement }
                } else {
                    at += 1
                }
            }
        }
        return nil
    }

    /// After a header's first bracket: nil where a name follows, or where the parser has a message of its own.
    private mutating func headerMark() -> Mark? {
        _ = take("[")
        skip { $0 == 0x20 || $0 == 0x09 }
        guard at < bytes.count else { return nil }
        switch bytes[at] {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f, 0x22, 0x27: return nil
        default: return Mark(line: line, column: at - lineStart + 1)
        }
    }

    private mutating func take(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard at + count <= bytes.count else { return false }
        let matches = text.withUTF8Buffer { wanted in bytes[at..<at + count].elementsEqual(wanted) }
        if matches { at += count }
        return matches
    }

    private mutating func skip(while condition: (UInt8) -> Bool) {
        while at < bytes.count, condition(bytes[at]) { at += 1 }
    }

    /// To the end of a text; one of a single line ends with its line, whatever the parser will say of that.
    private mutating func skipText(_ end: StaticString, hasEscapes: Bool) {
        while at < bytes.count {
            if take(end) { return }
            if hasEscapes, bytes[at] == 0x5c, at + 1 < bytes.count, bytes[at + 1] != 0x0a { at += 1 }
            if bytes[at] == 0x0a {
                if end.utf8CodeUnitCount == 1 { return }
                newLine()
            } else {
                at += 1
            }
        }
    }

    private mutating func newLine() {
        at += 1
        line += 1
        lineStart = at
    }
}
