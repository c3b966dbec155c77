/// Texts in quotes as Go writes them in programs, for `%q`.
enum GoQuoting {
    static func quoted(_ text: TextBytes, asASCII: Bool) -> TextBytes {
        var out: TextBytes = [UInt8(ascii: "\"")]
        text.eachCharacter { at, character in
            if character.isDamaged {
                out += "\\x".utf8
                out += hex(UInt32(text[at]), digits: 2)
            } else {
                append(character.scalar, quote: "\"", asASCII, to: &out)
            }
        }
        return out + [UInt8(ascii: "\"")]
    }

    /// One character, in `'`.
    static func quoted(_ scalar: Unicode.Scalar, asASCII: Bool) -> TextBytes {
        var out: TextBytes = [UInt8(ascii: "'")]
        append(scalar, quote: "'", asASCII, to: &out)
        return out + [UInt8(ascii: "'")]
    }

    private static func append(
        _ scalar: Unicode.Scalar, quote: Unicode.Scalar, _ asASCII: Bool, to out: inout TextBytes
    ) {
        if scalar == quote || scalar == "\\" {
            out.append(UInt8(ascii: "\\"))
            out.append(scalar: scalar)
        } else if scalar.isPrintable, scalar.isASCII || !asASCII {
            out.append(scalar: scalar)
        } else if let letter = letters[scalar] {
            out += [UInt8(ascii: "\\"), letter]
        } else {
            let (letter, digits) =
                scalar.value < 0x20 || scalar.value == 0x7f
                ? ("x", 2)
                : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
            out += "\\\(letter)".utf8
            out += hex(scalar.value, digits: digits)
        }
    }

    private static let letters: [Unicode.Scalar: UInt8] = [
        "\u{7}": UInt8(ascii: "a"), "\u{8}": UInt8(ascii: "b"), "\t": UInt8(ascii: "t"), "\n": UInt8(ascii: "n"),
        "\u{b}": UInt8(ascii: "v"), "\u{c}": UInt8(ascii: "f"), "\r": UInt8(ascii: "r"),
    ]

    private static func hex(_ number: UInt32, digits: Int) -> TextBytes {
        let text = String(number, radix: 16)
        return Array((String(repeating: "0", count: max(0, digits - text.utf8.count)) + text).utf8)
    }

    /// Whether a text can stand between backquotes: no control characters but tabs, and nothing damaged.
    static func fitsBackquotes(_ text: TextBytes) -> Bool {
        var fits = true
        text.eachCharacter { _, character in
            switch character.scalar {
            case "`", "\u{7f}", "\u{feff}": fits = false
            case "\t": break
            case let scalar where scalar.value < 0x20 || character.isDamaged: fits = false
            case _: break
            }
        }
        return fits
    }
}
