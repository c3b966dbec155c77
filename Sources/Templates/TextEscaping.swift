/// What the functions `html`, `js` and `urlquery` of templates make of a text.
enum TextEscaping {
    static func html(_ text: TextBytes) -> TextBytes {
        replaced(text) { byte in
            switch byte {
            case 0: "\u{FFFD}"
            case UInt8(ascii: "\""): "&#34;"
            case UInt8(ascii: "'"): "&#39;"
            case UInt8(ascii: "&"): "&amp;"
            case UInt8(ascii: "<"): "&lt;"
            case UInt8(ascii: ">"): "&gt;"
            case _: nil
            }
        }
    }

    private static func replaced(_ text: TextBytes, _ replacement: (UInt8) -> String?) -> TextBytes {
        var out: TextBytes = []
        out.reserveCapacity(text.count)
        for byte in text {
            if let replacement = replacement(byte) { out += replacement.utf8 } else { out.append(byte) }
        }
        return out
    }

    static func javaScript(_ text: TextBytes) -> TextBytes {
        var out: TextBytes = []
        out.reserveCapacity(text.count)
        text.eachCharacter { at, character in
            switch character.scalar {
            case "\\", "'", "\"": out += [UInt8(ascii: "\\"), text[at]]
            case "<", ">", "&", "=", "\0"..<" ": out += "\\u00".utf8 + hex(UInt32(text[at]), digits: 2)
            case let scalar where scalar.isPrintable || scalar.isASCII: out += text[at..<at + character.width]
            case let scalar: out += "\\u".utf8 + hex(scalar.value, digits: 4)
            }
        }
        return out
    }

    /// For the part of an address behind `?`.
    static func query(_ text: TextBytes) -> TextBytes {
        var out: TextBytes = []
        out.reserveCapacity(text.count)
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                out.append(byte)
            case 0x20: out.append(UInt8(ascii: "+"))
            case _: out += "%".utf8 + hex(UInt32(byte), digits: 2)
            }
        }
        return out
    }

    /// In upper case, with at least so many digits.
    private static func hex(_ number: UInt32, digits: Int) -> TextBytes {
        let text = String(number, radix: 16, uppercase: true)
        return Array((String(repeating: "0", count: max(0, digits - text.utf8.count)) + text).utf8)
    }
}
