/// The one spelling of a text: plain where that is safe for every reader, else in double quotes.
enum CanonicalText {
    /// - Parameter text: valid UTF-8.
    static func append(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        if isPlain(text) {
            output.append(contentsOf: text)
        } else {
            appendQuoted(text, to: &output)
        }
    }

    private static func isPlain(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let first = text.first, isLetter(first) || first == UInt8(ascii: "_") else { return false }
        for (index, byte) in text.enumerated() where !isPlain(byte) {
            return byte == UInt8(ascii: ":") && index == 6 && isDigest(text)
        }
        return Node.Kind(plain: text) == .text
    }

    /// `sha256:` and hexadecimal digits: a colon that no space follows ends a plain text for no reader.
    private static func isDigest(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard text.count > 7, text[..<7].elementsEqual("sha256:".utf8) else { return false }
        return text[7...].allSatisfy { byte in
            (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
                || (byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"))
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-")...UInt8(ascii: "9"), UInt8(ascii: "_"): true  // - . / and digits are neighbours in ASCII
        default: isLetter(byte)
        }
    }

    private static func appendQuoted(_ text: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var start = 0  // All before it is written.
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte < 0x80 {
                index += 1
                if byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
                output.append(contentsOf: text[start..<(index - 1)])
                appendEscape(Unicode.Scalar(byte), to: &output)
            } else {
                let (scalar, length) = decode(text, index)
                index += length
                if !VisibleText.isHidden(scalar) { continue }
                output.append(contentsOf: text[start..<(index - length)])
                appendEscape(scalar, to: &output)
            }
            start = index
        }
        output.append(contentsOf: text[start...])
        output.append(UInt8(ascii: "\""))
    }

    /// The scalar at `index`, which begins with a byte above 0x7F. A Swift string is always valid UTF-8.
    private static func decode(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> (Unicode.Scalar, Int) {
        let first = text[index]
        let length = first < 0xE0 ? 2 : (first < 0xF0 ? 3 : 4)
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for byte in text[(index + 1)..<(index + length)] { value = value << 6 | UInt32(byte & 0x3F) }
        return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
    }

    private static func appendEscape(_ scalar: Unicode.Scalar, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\\"))
        switch scalar {
        case "\"", "\\": output.append(UInt8(ascii: scalar))
        case "\n": output.append(UInt8(ascii: "n"))
        case "\t": output.append(UInt8(ascii: "t"))
        case "\0"..."\u{FF}": appendHex("x", scalar.value, digits: 2, to: &output)
        case "\u{100}"..."\u{FFFF}": appendHex("u", scalar.value, digits: 4, to: &output)
        default: appendHex("U", scalar.value, digits: 8, to: &output)
        }
    }

    private static func appendHex(_ letter: Unicode.Scalar, _ value: UInt32, digits: Int, to output: inout [UInt8]) {
        output.append(UInt8(ascii: letter))
        for digit in stride(from: digits - 1, through: 0, by: -1) {
            let nibble = UInt8(value >> UInt32(4 * digit) & 0xF)
            output.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
        }
    }
}
