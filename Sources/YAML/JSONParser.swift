/// The grammar of RFC 8259 over bytes that are known to be UTF-8. Iterative: nesting lives in the builder's frames.
struct JSONParser {
    typealias Problem = TreeBuilder.Problem

    private let bytes: UnsafeBufferPointer<UInt8>
    private var builder: TreeBuilder
    private var index = 0
    private var line = 1
    private var lineStart = 0
    /// Bytes since `lineStart` that begin no character.
    private var continuations = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: InputLimits) {
        self.bytes = bytes
        builder = TreeBuilder(limits: limits)
    }

    private var mark: Mark { Mark(line: line, column: index - lineStart - continuations + 1) }
    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func parse() throws(Problem) -> Node {
        skipSpace()
        while true {
            if try readValue() { continue }  // A collection is open and its first value comes next.
            while let isMapping = builder.openMapping {
                skipSpace()
                if current == UInt8(ascii: ",") {
                    try readComma(inMapping: isMapping)
                    break
                }
                guard current == UInt8(ascii: isMapping ? "}" : "]") else {
                    throw unexpected(isMapping ? "\",\" or \"}\"" : "\",\" or \"]\"")
                }
                index += 1
                try builder.end()
            }
            if let root = builder.root {
                skipSpace()
                guard index == bytes.count else { throw unexpected("the end of the file") }
                return root
            }
        }
    }

    /// Reads a scalar or an empty collection and returns false, or opens a collection and returns true.
    private mutating func readValue() throws(Problem) -> Bool {
        let start = mark
        switch current {
        case UInt8(ascii: "{"):
            index += 1
            try builder.begin(mapping: true, at: start)
            skipSpace()
            if current != UInt8(ascii: "}") {
                try readKey(orElse: "a key in double quotes or \"}\"")
                return true
            }
            index += 1
            try builder.end()
        case UInt8(ascii: "["):
            index += 1
            try builder.begin(mapping: false, at: start)
            skipSpace()
            if current != UInt8(ascii: "]") { return true }
            index += 1
            try builder.end()
        case UInt8(ascii: "\""):
            let text = try readString()
            try builder.scalar(text, isPlain: false, at: start)
        case let byte? where byte == UInt8(ascii: "-") || Self.isDigit(byte):
            let text = try readNumber()
            try builder.scalar(text, isPlain: true, at: start)
        default:
            let word = try readWord()
            try builder.scalar(word, isPlain: true, at: start)
        }
        return false
    }

    private mutating func readComma(inMapping isMapping: Bool) throws(Problem) {
        let comma = mark
        index += 1
        skipSpace()
        if current == UInt8(ascii: "}") || current == UInt8(ascii: "]") {
            throw Problem(mark: comma, message: "a comma may not stand before the closing bracket")
        }
        if isMapping { try readKey(orElse: "a key in double quotes") }
    }

    private mutating func readKey(orElse expected: String) throws(Problem) {
        guard current == UInt8(ascii: "\"") else { throw unexpected(expected) }
        let start = mark
        let text = try readString()
        try builder.scalar(text, isPlain: false, at: start)
        skipSpace()
        guard current == UInt8(ascii: ":") else { throw unexpected("\":\" after the key") }
        index += 1
        skipSpace()
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                index += 1
            case UInt8(ascii: "\n"):
                index += 1
                line += 1
                lineStart = index
                continuations = 0
            default:
                return
            }
        }
    }

    private mutating func readWord() throws(Problem) -> String {
        for word in ["true", "false", "null"] where bytes[index...].starts(with: word.utf8) {
            index += word.utf8.count
            return word
        }
        throw unexpected("a value")
    }

    private mutating func readNumber() throws(Problem) -> String {
        let start = index
        let startMark = mark
        if current == UInt8(ascii: "-") { index += 1 }
        if current == UInt8(ascii: "0") {
            index += 1
            if let next = current, Self.isDigit(next) {
                throw Problem(mark: startMark, message: "a number may not begin with 0")
            }
        } else {
            try readDigits()
        }
        if current == UInt8(ascii: ".") {
            index += 1
            try readDigits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            index += 1
            if current == UInt8(ascii: "-") || current == UInt8(ascii: "+") { index += 1 }
            try readDigits()
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func readDigits() throws(Problem) {
        guard let first = current, Self.isDigit(first) else { throw unexpected("a digit") }
        while let next = current, Self.isDigit(next) { index += 1 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    /// Reads from the opening quote to behind the closing one.
    private mutating func readString() throws(Problem) -> String {
        let openMark = mark
        index += 1
        var start = index
        var unescaped: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                let rest = bytes[start..<index]
                index += 1
                if unescaped.isEmpty { return String(decoding: rest, as: UTF8.self) }
                unescaped.append(contentsOf: rest)
                return String(decoding: unescaped, as: UTF8.self)
            case UInt8(ascii: "\\"):
                unescaped.append(contentsOf: bytes[start..<index])
                try readEscape(into: &unescaped)
                start = index
            case 0..<0x20:
                throw Problem(
                    mark: mark, message: "a string may not hold a line end or another control character",
                    note: "write it as an escape such as \\n")
            default:
                if byte & 0xC0 == 0x80 { continuations += 1 }
                index += 1
            }
        }
        throw Problem(mark: openMark, message: "the string has no closing quote")
    }

    private mutating func readEscape(into text: inout [UInt8]) throws(Problem) {
        let start = mark
        index += 1
        guard let letter = current else { return }
        index += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var value = try readHexDigits(from: start)
            if value & 0xFC00 == 0xD800, bytes[index...].starts(with: "\\u".utf8) {
                index += 2
                let low = try readHexDigits(from: start)
                guard low & 0xFC00 == 0xDC00 else { throw Self.loneSurrogate(at: start) }
                value = 0x10000 + (value & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let scalar = Unicode.Scalar(value) else { throw Self.loneSurrogate(at: start) }
            text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default:
            throw Problem(mark: start, message: "unknown escape", note: "a backslash itself is written \\\\")
        }
    }

    private static func loneSurrogate(at mark: Mark) -> Problem {
        Problem(mark: mark, message: "\\u escape is half of a surrogate pair")
    }

    private mutating func readHexDigits(from start: Mark) throws(Problem) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Unicode.Scalar(byte).hexDigit else {
                throw Problem(mark: start, message: "\\u needs four hexadecimal digits")
            }
            value = value << 4 | digit
            index += 1
        }
        return value
    }

    private func unexpected(_ expected: String) -> Problem {
        guard index < bytes.count else {
            var note: String?
            if let open = builder.openMark { note = "opened at line \(open.line), column \(open.column)" }
            return Problem(mark: mark, message: "the file ends where \(expected) was expected", note: note)
        }
        var note: String?
        let length = bytes[index] < 0x80 ? 1 : (bytes[index] < 0xE0 ? 2 : (bytes[index] < 0xF0 ? 3 : 4))
        if bytes[index] == UInt8(ascii: "/") || bytes[index] == UInt8(ascii: "#") { note = "JSON has no comments" }
        if bytes[index] == UInt8(ascii: "'") { note = "strings stand in double quotes" }
        let found = String(decoding: bytes[index..<min(index + length, bytes.count)], as: UTF8.self)
        return Problem(mark: mark, message: "expected \(expected), found \(VisibleText.quote(found))", note: note)
    }
}

extension Unicode.Scalar {
    fileprivate var hexDigit: UInt32? {
        switch self {
        case "0"..."9": value - 0x30
        case "a"..."f": value - 0x61 + 10
        case "A"..."F": value - 0x41 + 10
        default: nil
        }
    }
}
