public import TOMLKit
public import YAML

/// The text of a TOML file, ready for the parser.
public enum TOMLText {
    /// - Throws: `InputFailure` where the bytes are not UTF-8, have characters that TOML 1.0 does not allow where they
    ///   stand, a NUL in a text, or a table's header without a name: the parser ends the process there (an assertion of toml++ 3.4) in
    ///   place of saying so.
    public static func decode(_ bytes: [UInt8], file: String) throws(InputFailure) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InputFailure(Diagnostic(file: file, mark: Mark(line: 1, column: 1), message: "this is not UTF-8"))
        }
        var scanner = HeaderScanner(bytes)
        scanner.scan()
        if let problem = scanner.problem {
            throw InputFailure(
                Diagnostic(
                    file: file, mark: problem.mark, message: "this is not TOML: \(problem.message)",
                    note: problem.note))
        }
        return text
    }
}

extension TOMLText {
    /// The text of a value that a variable may have; nil for dates, lists and tables.
    public static func variable(_ value: any TOMLValueConvertible) -> String? {
        value.string ?? value.int.map { String($0) } ?? value.bool.map { String($0) }
            ?? value.double.map { String($0) }
    }
}

/// Finds the headers of tables, as far as needed to look at what follows their brackets.
private struct HeaderScanner {
    /// The first one.
    private(set) var problem: (mark: Mark, message: String, note: String)?
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1
    private var lineStart = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Ends at the first problem, or at the end.
    mutating func scan() {
        // What closes the arrays and inline tables that are open: lines in them are no statements.
        var open: [UInt8] = []
        while at < bytes.count, problem == nil {
            if open.isEmpty {
                skip { $0 == 0x20 || $0 == 0x09 }
                if take("[") { checkHeader() }
            }
            statement: while at < bytes.count, problem == nil {
                if take("\"\"\"") {
                    skipText("\"\"\"", hasEscapes: true)
                } else if take("'''") {
                    skipText("'''", hasEscapes: false)
                } else if take("\"") {
                    skipText("\"", hasEscapes: true)
                } else if take("'") {
                    skipText("'", hasEscapes: false)
                } else if take("#") {
                    while at < bytes.count, bytes[at] != 0x0a { step() }
                } else if take("[") {
                    open.append(UInt8(ascii: "]"))
                } else if take("{") {
                    open.append(UInt8(ascii: "}"))
                } else if let last = open.last, bytes[at] == UInt8(ascii: "]") || bytes[at] == UInt8(ascii: "}") {
                    if bytes[at] != last {
                        refuse("`\(UnicodeScalar(last))` has to close what was opened", note: "brackets are in pairs")
                    }
                    at += 1
                    open.removeLast()
                } else if bytes[at] == 0x0a {
                    newLine()
                    if open.isEmpty { break statement }
                } else if bytes[at] >= 0x80 {
                    refuse(
                        "outside of quotes and comments only ASCII is allowed",
                        note: "a key with other letters stands in quotes")
                } else {
                    step()
                }
            }
        }
    }

    /// After a header's first bracket. At the end of the file the parser has a message of its own.
    private mutating func checkHeader() {
        _ = take("[")
        skip { $0 == 0x20 || $0 == 0x09 }
        guard at < bytes.count else { return }
        switch bytes[at] {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f, 0x22, 0x27: break
        default:
            refuse("a table's name has to follow here", note: "letters, digits, `-` and `_`, or a text in quotes")
        }
    }

    private mutating func refuse(_ message: String, note: String) {
        problem = problem ?? (Mark(line: line, column: at - lineStart + 1), message, note)
    }

    /// Over one byte that is not the end of a line.
    private mutating func step() {
        let byte = bytes[at]
        let endsLine = byte == 0x0d && at + 1 < bytes.count && bytes[at + 1] == 0x0a
        if byte == 0x7f || (byte < 0x20 && byte != 0x09 && !endsLine) {
            refuse("a control character", note: "in a text in quotes it is written as \\u and four digits")
        }
        at += 1
    }

    private mutating func take(_ text: StaticString) -> Bool {
        let found = isNext(text)
        if found { at += text.utf8CodeUnitCount }
        return found
    }

    private func isNext(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { wanted in bytes[at...].starts(with: wanted) }
    }

    private mutating func skip(while condition: (UInt8) -> Bool) {
        while at < bytes.count, condition(bytes[at]) { at += 1 }
    }

    /// To the end of a text; one of a single line ends with its line, whatever the parser will say of that.
    private mutating func skipText(_ end: StaticString, hasEscapes: Bool) {
        while at < bytes.count {
            if take(end) {
                // A text of several lines may have up to two quotes more at its end.
                if end.utf8CodeUnitCount == 3 {
                    for _ in 0..<2 where at < bytes.count && bytes[at] == bytes[at - 1] { at += 1 }
                }
                return
            }
            if hasEscapes, isNext("\\u0000") || isNext("\\U00000000") {
                refuse("a NUL", note: "no text may hold one, since programs would take it for the end")
            }
            if hasEscapes, bytes[at] == 0x5c, at + 1 < bytes.count, bytes[at + 1] >= 0x20 { at += 1 }
            if bytes[at] == 0x0a {
                if end.utf8CodeUnitCount == 1 { return }
                newLine()
            } else {
                step()
            }
        }
    }

    private mutating func newLine() {
        at += 1
        line += 1
        lineStart = at
    }
}
