extension TOMLParser {
    // MARK: Texts

    /// From the opening quotes to behind the closing ones: with escapes in double quotes, and over several lines where
    /// `isLong`.
    mutating func readText(quote: UInt8, isLong: Bool) throws(Problem) -> String {
        let open = mark
        index += isLong ? 3 : 1
        if isLong { _ = takeLineEnd() }
        var text: [UInt8] = []
        while let byte = current {
            guard text.count <= limits.scalarBytes else {
                throw Problem(mark: open, message: "a text of more than \(limits.scalarBytes) bytes")
            }
            if byte == quote {
                let quotes = bytes[index...].prefix(5).prefix { $0 == quote }.count
                guard isLong, quotes < 3 else {
                    // Two more quotes than those that close a long text belong to it.
                    text += [UInt8](repeating: quote, count: isLong ? quotes - 3 : 0)
                    index += isLong ? quotes : 1
                    return String(decoding: text, as: UTF8.self)
                }
                text += [UInt8](repeating: quote, count: quotes)
                index += quotes
            } else if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                try readEscape(isLong: isLong, into: &text)
            } else if isLong, takeLineEnd() {
                text.append(0x0a)
            } else if byte == 0x0a || isNext("\r\n") {
                break
            } else {
                try step()
                text.append(byte)
            }
        }
        throw Problem(mark: open, message: "the text has no closing quote" + (isLong ? "s" : " on its line"))
    }

    private mutating func readEscape(isLong: Bool, into text: inout [UInt8]) throws(Problem) {
        let start = mark
        index += 1
        if isLong, isOnlyBlanksBeforeLineEnd {
            repeat { skipBlanks() } while takeLineEnd()
            return
        }
        let letter = current
        index += letter == nil ? 0 : 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(bytes[index - 1])
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): try readScalar(digits: 4, from: start, into: &text)
        case UInt8(ascii: "U"): try readScalar(digits: 8, from: start, into: &text)
        default:
            throw Problem(
                mark: start, message: "unknown escape",
                note: #"a backslash itself is written \\, or stands in single quotes"#)
        }
    }

    private var isOnlyBlanksBeforeLineEnd: Bool {
        let rest = bytes[index...].drop { $0 == 0x20 || $0 == 0x09 }
        return rest.first == 0x0a || rest.starts(with: [0x0d, 0x0a])
    }

    private mutating func readScalar(digits: Int, from start: Mark, into text: inout [UInt8]) throws(Problem) {
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let byte = current, let digit = Self.digit(byte, radix: 16) else {
                throw Problem(mark: start, message: "this escape needs \(digits) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        guard value != 0 else {
            throw Problem(
                mark: start, message: "a NUL", note: "no text may hold one, since programs would take it for the end")
        }
        guard let scalar = Unicode.Scalar(value), let encoded = UTF8.encode(scalar) else {
            throw Problem(mark: start, message: "this escape stands for no character")
        }
        text.append(contentsOf: encoded)
    }

    // MARK: Numbers and words

    /// `true`, `false` or a number.
    mutating func readWord() throws(Problem) -> TOMLValue {
        let start = mark
        let first = index
        while let byte = current,
            Self.isBareKey(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: ":")
        { index += 1 }
        guard index > first else { throw unexpected("a value") }
        let word = bytes[first..<index]
        if word.elementsEqual("true".utf8) { return .boolean(true) }
        if word.elementsEqual("false".utf8) { return .boolean(false) }
        let sign = word.first == UInt8(ascii: "-") ? "-" : ""
        let isSigned = !sign.isEmpty || word.first == UInt8(ascii: "+")
        let body = word.dropFirst(isSigned ? 1 : 0)
        if body.elementsEqual("inf".utf8) { return .number(sign.isEmpty ? .infinity : -.infinity) }
        if body.elementsEqual("nan".utf8) { return .number(.nan) }
        if !isSigned, let value = try Self.based(word, at: start) { return .integer(value) }
        if let whole = Self.digits(body, radix: 10) {
            guard body.first != UInt8(ascii: "0") || body.count == 1 else {
                throw Problem(mark: start, message: "a number may not begin with 0", note: "a text stands in quotes")
            }
            guard let value = Int(sign + whole) else { throw Self.tooLarge(at: start) }
            return .integer(value)
        }
        if let text = Self.fraction(body) {
            guard let value = Double(sign + text), value.isFinite else { throw Self.tooLarge(at: start) }
            return .number(value)
        }
        throw Self.noValue(word, at: start)
    }

    /// A number in base 16, 8 or 2; nil where there is no sign of one.
    private static func based(_ word: Slice<UnsafeBufferPointer<UInt8>>, at start: Mark) throws(Problem) -> Int? {
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where word.starts(with: prefix.utf8) {
            guard let text = digits(word.dropFirst(2), radix: radix) else { throw noValue(word, at: start) }
            guard let value = Int(text, radix: radix) else { throw tooLarge(at: start) }
            return value
        }
        return nil
    }

    private static func tooLarge(at mark: Mark) -> Problem {
        Problem(mark: mark, message: "the number is too large", note: "whole numbers have 64 bits")
    }

    private static func noValue(_ word: Slice<UnsafeBufferPointer<UInt8>>, at mark: Mark) -> Problem {
        let text = String(decoding: word.prefix(100), as: UTF8.self)
        let digits = word.prefix { digit($0, radix: 10) != nil }.count
        let next = word.dropFirst(digits).first
        let isTime = (digits == 4 && next == UInt8(ascii: "-")) || (digits == 2 && next == UInt8(ascii: ":"))
        return Problem(
            mark: mark,
            message: isTime ? "dates and times are not read here" : "\(VisibleText.quote(text)) is no value",
            note: "a text stands in quotes")
    }

    /// The digits without the single `_` that may stand between two of them; nil where anything else is there.
    private static func digits(_ text: Slice<UnsafeBufferPointer<UInt8>>, radix: Int) -> String? {
        var result: [UInt8] = []
        var isBehindDigit = false
        for byte in text {
            if byte == UInt8(ascii: "_"), isBehindDigit {
                isBehindDigit = false
            } else if digit(byte, radix: radix) != nil {
                result.append(byte)
                isBehindDigit = true
            } else {
                return nil
            }
        }
        return isBehindDigit ? String(decoding: result, as: UTF8.self) : nil
    }

    /// A number without its sign, with a fraction, an exponent or both; nil for anything else.
    private static func fraction(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> String? {
        var result = ""
        var rest = text
        let end = rest.firstIndex { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") } ?? rest.endIndex
        let parts = rest[..<end].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = digits(parts[0], radix: 10) else { return nil }
        guard parts[0].first != UInt8(ascii: "0") || parts[0].count == 1 else { return nil }
        result = whole
        if parts.count == 2 {
            guard let behind = digits(parts[1], radix: 10) else { return nil }
            result += "." + behind
        }
        rest = rest[end...]
        guard !rest.isEmpty else { return result }
        rest = rest.dropFirst()
        result += "e"
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            result += sign == UInt8(ascii: "-") ? "-" : ""
            rest = rest.dropFirst()
        }
        guard let exponent = digits(rest, radix: 10) else { return nil }
        return result + exponent
    }

    private static func digit(_ byte: UInt8, radix: Int) -> Int? {
        let value: Int
        switch byte {
        case 0x30...0x39: value = Int(byte) - 0x30
        case 0x41...0x46: value = Int(byte) - 0x41 + 10
        case 0x61...0x66: value = Int(byte) - 0x61 + 10
        default: return nil
        }
        return value < radix ? value : nil
    }
}
