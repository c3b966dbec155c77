/// A text of templates is bytes, as in Go: mostly UTF-8, but any bytes are possible.
typealias TextBytes = [UInt8]

/// One character of a text, as Go reads it: a byte that belongs to no character of UTF-8 stands for U+FFFD.
struct TextCharacter {
    let scalar: Unicode.Scalar
    /// In bytes, 1 to 4.
    let width: Int

    static let replacement: Unicode.Scalar = "\u{FFFD}"

    /// A byte that is not UTF-8.
    var isDamaged: Bool { width == 1 && scalar == Self.replacement }

    private init(_ scalar: Unicode.Scalar, _ width: Int) {
        self.scalar = scalar
        self.width = width
    }

    /// - Parameter index: a place in `bytes`.
    init(_ bytes: TextBytes, at index: Int) {
        let first = bytes[index]
        if first < 0x80 {
            self.init(Unicode.Scalar(first), 1)
            return
        }
        let (width, bits): (Int, UInt8)
        switch first {
        case 0xc2...0xdf: (width, bits) = (2, 0x1f)
        case 0xe0...0xef: (width, bits) = (3, 0x0f)
        case 0xf0...0xf4: (width, bits) = (4, 0x07)
        case _:
            self.init(Self.replacement, 1)
            return
        }
        var value = UInt32(first & bits)
        for next in index + 1..<index + width {
            guard next < bytes.count, bytes[next] & 0xc0 == 0x80 else {
                self.init(Self.replacement, 1)
                return
            }
            value = value << 6 | UInt32(bytes[next] & 0x3f)
        }
        // Longer forms than needed, and halves of pairs, are no UTF-8.
        let least: UInt32 = width == 2 ? 0x80 : width == 3 ? 0x800 : 0x10000
        if value >= least, let scalar = Unicode.Scalar(value) {
            self.init(scalar, width)
        } else {
            self.init(Self.replacement, 1)
        }
    }
}

extension UInt8 {
    /// A letter, a digit or `_` of ASCII.
    var isNamePart: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: true
        case _: false
        }
    }
}

extension Unicode.Scalar {
    /// Go's `unicode.IsLetter`, `unicode.IsDigit` and `_`: what names in templates are made of.
    var isNamePart: Bool {
        if isASCII { return UInt8(ascii: self).isNamePart }
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber:
            return true
        case _: return false
        }
    }

    /// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols, and of blanks the one of ASCII.
    var isPrintable: Bool {
        if isASCII { return (0x20...0x7e).contains(value) }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        case _: return true
        }
    }

    /// Go maps one character to one: `ß` stays, because its upper case has two.
    var upper: Unicode.Scalar {
        if isASCII { return ("a"..."z").contains(self) ? Unicode.Scalar(UInt8(value) - 0x20) : self }
        return Self.single(properties.uppercaseMapping) ?? Self.single(properties.titlecaseMapping) ?? self
    }

    var lower: Unicode.Scalar {
        if isASCII { return ("A"..."Z").contains(self) ? Unicode.Scalar(UInt8(value) + 0x20) : self }
        return Self.single(properties.lowercaseMapping) ?? (self == "İ" ? "i" : self)
    }

    private static func single(_ text: String) -> Unicode.Scalar? {
        text.unicodeScalars.count == 1 ? text.unicodeScalars.first : nil
    }
}

extension TextBytes {
    mutating func append(scalar: Unicode.Scalar) {
        if scalar.isASCII {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else {
            self += UTF8.encode(scalar) ?? .init()
        }
    }

    /// Characters, where each damaged byte counts as one.
    var characterCount: Int {
        var count = 0
        eachCharacter { _, _ in count += 1 }
        return count
    }

    func eachCharacter(_ body: (_ at: Int, TextCharacter) -> Void) {
        var at = 0
        while at < count {
            let character = TextCharacter(self, at: at)
            body(at, character)
            at += character.width
        }
    }

    /// The first `limit` characters.
    func prefix(characters limit: Int) -> ArraySlice<UInt8> {
        var (at, left) = (0, limit)
        while at < count, left > 0 {
            at += TextCharacter(self, at: at).width
            left -= 1
        }
        return self[..<at]
    }

    /// Without white space at its ends.
    var trimmed: TextBytes {
        var (start, end) = (0, count)
        while start < end {
            let character = TextCharacter(self, at: start)
            guard character.scalar.properties.isWhitespace else { break }
            start += character.width
        }
        while end > start {
            // The last character begins where a whole one ends at `end`.
            let last = (1...4).reversed().lazy.map { end - $0 }.first { at in
                at >= start && TextCharacter(self, at: at).width == end - at
            }
            guard let last, TextCharacter(self, at: last).scalar.properties.isWhitespace else { break }
            end = last
        }
        return Array(self[start..<end])
    }

    /// Each character by another one. A damaged byte becomes U+FFFD, as in Go.
    func mapped(_ change: (Unicode.Scalar) -> Unicode.Scalar) -> TextBytes {
        var out: TextBytes = []
        out.reserveCapacity(count)
        eachCharacter { _, character in out.append(scalar: change(character.scalar)) }
        return out
    }

    var uppercased: TextBytes { mapped(\.upper) }
    var lowercased: TextBytes { mapped(\.lower) }
}
