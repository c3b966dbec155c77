/// How a verb of `printf` shows a value: its flags, width and precision.
struct FormatStyle {
    var minus = false
    var zero = false
    private var plus = false
    private var space = false
    private var sharp = false
    /// `%#v`: as Go would write the value in a program.
    private(set) var isSource = false
    /// Columns, at least.
    var width: Int?
    /// Characters of a text, at most, or digits of a number, at least.
    var precision: Int?

    /// Returns whether it is a flag.
    mutating func take(flag: UInt8) -> Bool {
        switch flag {
        case UInt8(ascii: "#"): sharp = true
        case UInt8(ascii: "0"): zero = true
        case UInt8(ascii: "+"): plus = true
        case UInt8(ascii: "-"): minus = true
        case UInt8(ascii: " "): space = true
        case _: return false
        }
        return true
    }

    /// For `%v`, of which `#` and `+` have another meaning.
    mutating func becomesValue() {
        isSource = sharp
        (sharp, plus) = (false, false)
    }

    /// - Returns: nil if the verb does not fit the value.
    func text(_ value: TemplateValue, _ verb: Unicode.Scalar) -> TextBytes? {
        if case .none = value { return verb == "v" || verb == "T" ? padded(Array("<nil>".utf8)) : nil }
        if verb == "T" { return typeName(value).map { padded(Array(truncated(Array($0.utf8)))) } }
        switch value {
        case .boolean(let value):
            return verb == "t" || verb == "v" ? padded(Array((value ? "true" : "false").utf8)) : nil
        case .number(let number): return integer(number.magnitude, number < 0, UInt64(bitPattern: Int64(number)), verb)
        case .byte(let byte):
            if isSource {
                var style = self
                (style.isSource, style.sharp) = (false, true)
                return style.digits(UInt(byte), radix: 16)
            }
            return integer(UInt(byte), false, UInt64(byte), verb)
        case .bytes(let text): return string(text, verb)
        case .list(let items): return list(items, verb)
        case .none, .fields, .secret, .refused: return nil
        }
    }

    private func typeName(_ value: TemplateValue) -> String? {
        switch value {
        case .bytes: "string"
        case .number: "int"
        case .byte: "uint8"
        case .boolean: "bool"
        case .list: "[]string"
        case .none, .fields, .secret, .refused: nil
        }
    }

    private func list(_ items: [TextBytes], _ verb: Unicode.Scalar) -> TextBytes? {
        // Go shows where a list is in memory, and whether an empty one was ever made.
        if verb == "p" || isSource && items.isEmpty { return nil }
        var shown: [TextBytes] = []
        for item in items {
            guard let text = string(item, verb) else { return nil }
            shown.append(text)
        }
        let all = TextBytes(shown.joined(separator: isSource ? Array(", ".utf8) : [0x20]))
        return isSource ? Array("[]string{".utf8) + all + Array("}".utf8) : Array("[".utf8) + all + Array("]".utf8)
    }

    // MARK: Padding

    private func padding(_ count: Int) -> TextBytes {
        TextBytes(repeating: UInt8(ascii: zero && !minus ? "0" : " "), count: max(0, count))
    }

    private func padded(_ text: TextBytes) -> TextBytes {
        guard let width, width > 0 else { return text }
        let missing = padding(width - text.characterCount)
        return minus ? text + missing : missing + text
    }

    private func truncated(_ text: TextBytes) -> ArraySlice<UInt8> {
        precision.map { text.prefix(characters: $0) } ?? text[...]
    }

    /// With blanks, whatever the flags say.
    private func paddedWithBlanks(_ text: TextBytes) -> TextBytes {
        var style = self
        style.zero = false
        return style.padded(text)
    }

    // MARK: Texts

    private func string(_ text: TextBytes, _ verb: Unicode.Scalar) -> TextBytes? {
        switch verb {
        case "v" where !isSource, "s": padded(Array(truncated(text)))
        case "v", "q": quoted(Array(truncated(text)))
        case "x": hexadecimal(text, Self.lower)
        case "X": hexadecimal(text, Self.upper)
        case _: nil
        }
    }

    private static let lower = Array("0123456789abcdefx".utf8)
    private static let upper = Array("0123456789ABCDEFX".utf8)

    private func quoted(_ text: TextBytes) -> TextBytes {
        if sharp, GoQuoting.fitsBackquotes(text) {
            return padded([UInt8(ascii: "`")] + text + [UInt8(ascii: "`")])
        }
        return padded(GoQuoting.quoted(text, asASCII: plus))
    }

    private func hexadecimal(_ text: TextBytes, _ digits: [UInt8]) -> TextBytes {
        let bytes = text.prefix(precision ?? text.count)
        let prefix = sharp ? [0x30, digits[16]] : []
        var out: TextBytes = []
        for (index, byte) in bytes.enumerated() {
            if index == 0 || space { out += (index > 0 ? [0x20] : []) + prefix }
            out += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        let missing = padding((width ?? 0) - out.count)
        // Of an empty text Go writes the blanks alone.
        return minus ? out + missing : missing + out
    }

    // MARK: Numbers

    /// - Parameter bits: the number in two's complement.
    private func integer(
        _ magnitude: UInt, _ isNegative: Bool, _ bits: UInt64, _ verb: Unicode.Scalar
    ) -> TextBytes? {
        let scalar = UInt32(exactly: bits).flatMap(Unicode.Scalar.init) ?? TextCharacter.replacement
        switch verb {
        case "v", "d": return digits(magnitude, isNegative, radix: 10)
        case "b": return digits(magnitude, isNegative, radix: 2)
        case "o": return digits(magnitude, isNegative, radix: 8)
        case "O": return digits(magnitude, isNegative, radix: 8, prefix: "0o")
        case "x": return digits(magnitude, isNegative, radix: 16)
        case "X": return digits(magnitude, isNegative, radix: 16, isUpper: true)
        case "c": return padded(Array(String(scalar).utf8))
        case "q": return padded(GoQuoting.quoted(scalar, asASCII: plus))
        case "U":
            var text = String(bits, radix: 16, uppercase: true)
            text = "U+" + String(repeating: "0", count: max(0, max(precision ?? 0, 4) - text.utf8.count)) + text
            if sharp, bits == UInt64(scalar.value), scalar.isPrintable { text += " '\(scalar)'" }
            return paddedWithBlanks(Array(text.utf8))
        case _: return nil
        }
    }

    private func digits(
        _ magnitude: UInt, _ isNegative: Bool = false, radix: Int, prefix: String = "", isUpper: Bool = false
    ) -> TextBytes {
        if precision == 0, magnitude == 0 { return TextBytes(repeating: 0x20, count: width ?? 0) }
        let sign = isNegative ? "-" : plus ? "+" : space ? " " : ""
        var least = precision ?? 0
        if precision == nil, zero, !minus, let width { least = width - sign.utf8.count }
        var text = String(magnitude, radix: radix, uppercase: isUpper)
        text = String(repeating: "0", count: max(0, least - text.utf8.count)) + text
        if sharp {
            switch radix {
            case 2: text = "0b" + text
            case 8 where !text.hasPrefix("0"): text = "0" + text
            case 16: text = (isUpper ? "0X" : "0x") + text
            case _: break
            }
        }
        return paddedWithBlanks(Array((sign + prefix + text).utf8))
    }
}
