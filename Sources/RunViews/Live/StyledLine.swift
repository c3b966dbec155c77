/// One line for a terminal: parts of text, each with a style. Texts are without control characters.
public struct StyledLine: Equatable, Sendable {
    /// What a part means; a terminal without colors shows them all alike.
    public enum Tone: Sendable {
        case plain, faint, bold, good, warning, bad
    }

    public struct Part: Equatable, Sendable {
        public var text: String
        public var tone: Tone
    }

    public private(set) var parts: [Part]

    public init(_ text: String = "", _ tone: Tone = .plain) {
        parts = text.isEmpty ? [] : [Part(text: text, tone: tone)]
    }

    static func + (a: Self, b: Self) -> Self {
        var line = a
        line.parts += b.parts
        return line
    }

    /// Without its styles.
    public var text: String { parts.map(\.text).joined() }

    /// Columns of a terminal.
    public var width: Int { parts.reduce(0) { $0 + TextWidth.of($1.text) } }

    /// At most so many columns; what is cut off is shown by `…`.
    public func cut(to columns: Int) -> Self {
        if width <= columns { return self }
        guard columns > 0 else { return StyledLine() }
        var line = StyledLine()
        var room = columns - 1
        for part in parts {
            let fitting = TextWidth.prefix(of: part.text, columns: room)
            line.parts.append(Part(text: String(fitting), tone: part.tone))
            room -= TextWidth.of(fitting)
            if fitting.count < part.text.count { break }
        }
        line.parts.append(Part(text: "…", tone: .faint))
        return line
    }

    /// With spaces up to this number of columns.
    func filled(to columns: Int) -> Self {
        let missing = columns - width
        return missing > 0 ? self + StyledLine(String(repeating: " ", count: missing)) : self
    }
}

/// How many columns of a terminal a text takes: none for marks that combine with what is before them, two for wide
/// characters of East Asia and for pictures.
enum TextWidth {
    static func of(_ text: some StringProtocol) -> Int {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
        return text.reduce(0) { $0 + width($1) }
    }

    /// As many characters from the beginning as fit.
    static func prefix(of text: String, columns: Int) -> Substring {
        var rest = columns
        var end = text.startIndex
        while end < text.endIndex {
            rest -= width(text[end])
            if rest < 0 { break }
            end = text.index(after: end)
        }
        return text[..<end]
    }

    private static func width(_ character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if character.unicodeScalars.contains("\u{FE0F}") { return 2 }
        return width(first)
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0x20..<0x7F: return 1
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: break
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: return 1
        }
    }
}
