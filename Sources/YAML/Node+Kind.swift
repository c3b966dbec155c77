extension Node.Kind {
    /// What a plain scalar means to some YAML reader: the union of YAML 1.1's types and YAML 1.2's core schema, so that
    /// a text that anybody could take for something else counts as something else. (Dates of YAML 1.1 count as text.)
    init(plain text: String) {
        var text = text
        self = text.withUTF8 { Self(plain: $0) }
    }

    init(plain text: UnsafeBufferPointer<UInt8>) {
        switch text.first {
        case nil:
            self = .null
        case UInt8(ascii: "~"):
            self = text.count == 1 ? .null : .text
        case let first? where first <= UInt8(ascii: "9"):  // Digits, signs and the point are among these.
            self = NumberScanner.matches(text) ? .number : .text
        case let first?:
            // Only words with these letters, so that most texts need no closer look.
            switch first | 0x20 {
            case UInt8(ascii: "f"), UInt8(ascii: "i"), UInt8(ascii: "n"), UInt8(ascii: "o"), UInt8(ascii: "t"),
                UInt8(ascii: "y"):
                self = text.count <= 5 ? Self(word: String(decoding: text, as: UTF8.self)) : .text
            default:
                self = .text
            }
        }
    }

    /// The words that YAML 1.1 or 1.2 takes for null or a boolean, or that people take for a number, in any case of
    /// their letters.
    private init(word: String) {
        switch word.lowercased() {
        case "null": self = .null
        case "y", "n", "yes", "no", "on", "off", "true", "false": self = .boolean
        case "nan", "inf": self = .number
        default: self = .text
        }
    }
}

/// Recognises the numbers of YAML 1.1 and 1.2, and so JSON's: decimal, octal, hexadecimal, binary, base 60, with
/// underscores, with fraction and exponent, infinities and not-a-number.
private enum NumberScanner {
    static func matches(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var rest = bytes[...]
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest.removeFirst() }
        guard let first = rest.first else { return false }
        if first == UInt8(ascii: "."), [".inf", ".nan"].contains(String(decoding: rest, as: UTF8.self).lowercased()) {
            return true
        }
        if first == UInt8(ascii: "0"), rest.count > 2 {
            let digits = rest.dropFirst(2)
            switch rest[rest.startIndex + 1] | 0x20 {
            case UInt8(ascii: "x"): return digits.allSatisfy { isHexDigit($0) || $0 == UInt8(ascii: "_") }
            case UInt8(ascii: "o"), UInt8(ascii: "b"):
                return digits.allSatisfy { isDigit($0) || $0 == UInt8(ascii: "_") }
            default: break
            }
        }
        return isDecimal(rest)
    }

    /// Digits, `_` between them, `:` between parts of base 60, at most one point, at most one exponent.
    private static func isDecimal(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        var hasDigit = false
        var hasPoint = false
        var index = bytes.startIndex
        while index < bytes.endIndex {
            switch bytes[index] {
            case let byte where isDigit(byte): hasDigit = true
            case UInt8(ascii: "_") where hasDigit: break
            case UInt8(ascii: ":") where hasDigit && !hasPoint: break
            case UInt8(ascii: ".") where !hasPoint: hasPoint = true
            case UInt8(ascii: "e") where hasDigit, UInt8(ascii: "E") where hasDigit:
                var exponent = bytes[(index + 1)...]
                if let sign = exponent.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
                    exponent.removeFirst()
                }
                return !exponent.isEmpty && exponent.allSatisfy(isDigit)
            default: return false
            }
            index += 1
        }
        return hasDigit
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "f"))
    }
}
