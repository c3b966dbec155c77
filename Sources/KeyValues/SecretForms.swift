internal import Foundation

/// How a program may print a secret: as it is, without the blanks at its ends, single lines of it, and escaped for JSON,
/// a URL or a Python text, or in base64.
enum SecretForms {
    struct Form {
        let bytes: [UInt8]
        /// How much of its end counts as a part of it where an output begins. Bytes.
        let shortestEnd: Int
    }

    /// Shorter lines of a secret, such as `}` or `true`, are no secrets. Bytes.
    private static let shortestLine = 8

    static func of(_ value: [UInt8]) -> [Form] {
        var wholes = [value]
        let trimmed = trim(value[...])
        if trimmed.count < value.count, trimmed.count >= Redaction.shortest { wholes.append(Array(trimmed)) }
        var forms = wholes.flatMap { whole in
            ([whole] + escaped(whole) + base64(whole)).map { Form(bytes: $0, shortestEnd: Redaction.shortest) }
        }
        guard trimmed.contains(where: isLineEnd) else { return forms }
        for line in trimmed.split(whereSeparator: isLineEnd).map(trim) where line.count >= shortestLine {
            let line = Array(line)
            forms += ([line] + escaped(line)).map { Form(bytes: $0, shortestEnd: shortestLine) }
        }
        return forms
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

    private static func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
        let rest = bytes.drop(while: isBlank)
        return rest[..<(rest.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? rest.startIndex)]
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        case _: false
        }
    }

    /// Forms other than the bytes themselves; most secrets have none.
    private static func escaped(_ bytes: [UInt8]) -> [[UInt8]] {
        if bytes.allSatisfy(isUnreserved) { return [] }
        let text = String(decoding: bytes, as: UTF8.self)
        return [
            json(text, escaping: "\""), json(text, escaping: "\"", isASCII: true), json(text, escaping: "\"<>&"),
            json(text, escaping: ""), json(text, escaping: "'"),
            percent(bytes, keeping: ""), percent(bytes, keeping: "/"), percent(bytes, keeping: "", blank: "+"),
            percent(bytes, keeping: "!*'()"),
        ].filter { $0 != bytes }
    }

    /// - Parameters:
    ///   - escaping: what is escaped beside backslashes and control characters: quotes by a backslash, the rest by number.
    ///   - isASCII: whether everything else is, too, as Python does.
    private static func json(_ text: String, escaping: String, isASCII: Bool = false) -> [UInt8] {
        var out: [UInt8] = []
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": out += Array("\\\\".utf8)
            case "\n": out += Array("\\n".utf8)
            case "\r": out += Array("\\r".utf8)
            case "\t": out += Array("\\t".utf8)
            case "\"" where escaping.unicodeScalars.contains(scalar),
                "'" where escaping.unicodeScalars.contains(scalar):
                out += [UInt8(ascii: "\\"), UInt8(scalar.value)]
            case _
            where scalar.value < 0x20 || escaping.unicodeScalars.contains(scalar) || isASCII && scalar.value > 0x7e:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    out += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
                }
            case _: out += Array(String(scalar).utf8)
            }
        }
        return out
    }

    private static func percent(_ bytes: [UInt8], keeping: String, blank: String = "%20") -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return bytes.flatMap { byte -> [UInt8] in
            if isUnreserved(byte) || keeping.utf8.contains(byte) { return [byte] }
            if byte == 0x20 { return Array(blank.utf8) }
            return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }

    /// In base64 as a whole, also with something behind it, such as a line feed.
    private static func base64(_ bytes: [UInt8]) -> [[UInt8]] {
        let whole = Data(bytes).base64EncodedString()
        let unpadded = String(whole.prefix { $0 != "=" })
        var forms = [whole, unpadded, Data(bytes + [0x0a]).base64EncodedString()]
        if bytes.count >= 9 { forms.append(String(whole.prefix(bytes.count / 3 * 4))) }
        let urlSafe = forms.map { String($0.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }) }
        return (forms + urlSafe).map { Array($0.utf8) }
    }
}
