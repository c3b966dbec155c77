internal import YAML

// Constants of templates: texts, characters and numbers, with Go's rules.

extension TemplateLexer {
    /// `"…"` with escapes.
    mutating func quoted(_ here: Mark) throws(TemplateProblem) -> TextBytes {
        advance(1)
        var text: TextBytes = []
        while let next, next != 0x0a, next != UInt8(ascii: "\"") { try unit(UInt8(ascii: "\""), into: &text) }
        guard next == UInt8(ascii: "\"") else { throw TemplateProblem(here, "the text has no end on its line") }
        advance(1)
        return text
    }

    /// Between backquotes; carriage returns are left out.
    mutating func raw(_ here: Mark) throws(TemplateProblem) -> TextBytes {
        advance(1)
        let start = at
        while let next, next != UInt8(ascii: "`") { advance(1) }
        guard next != nil else { throw TemplateProblem(here, "the text has no end") }
        let text = source[start..<at].filter { $0 != 0x0d }
        advance(1)
        return text
    }

    /// `'x'`: the number of a character.
    mutating func character(_ here: Mark) throws(TemplateProblem) -> Int {
        advance(1)
        var text: TextBytes = []
        var number: Int?
        if let next, next != 0x0a, next != UInt8(ascii: "'") { number = try unit(UInt8(ascii: "'"), into: &text) }
        guard let number, next == UInt8(ascii: "'") else {
            throw TemplateProblem(here, "between `'` and `'` there is exactly one character")
        }
        advance(1)
        return number
    }

    /// One character or escape of a constant.
    ///
    /// - Returns: its number.
    @discardableResult
    private mutating func unit(_ quote: UInt8, into text: inout TextBytes) throws(TemplateProblem) -> Int {
        guard source[at] == UInt8(ascii: "\\") else {
            let character = TextCharacter(source, at: at)
            advance(character.width)
            text.append(scalar: character.scalar)
            return Int(character.scalar.value)
        }
        let here = mark
        func unknown() -> TemplateProblem {
            TemplateProblem(
                here, "this escape is not known",
                note: #"known are \a \b \f \n \r \t \v \\ \"#
                    + (quote == UInt8(ascii: "'") ? "'" : "\"") + #" \ooo \xhh \uhhhh \Uhhhhhhhh"#)
        }
        advance(1)
        guard let letter = next else { throw unknown() }
        if (0x30...0x37).contains(letter) {
            guard let byte = digits(3, radix: 8), byte < 256 else { throw unknown() }
            text.append(UInt8(byte))
            return byte
        }
        advance(1)
        switch letter {
        case UInt8(ascii: "x"):
            guard let byte = digits(2, radix: 16) else { throw unknown() }
            text.append(UInt8(byte))
            return byte
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            guard let number = digits(letter == UInt8(ascii: "u") ? 4 : 8, radix: 16),
                let scalar = UInt32(exactly: number).flatMap(Unicode.Scalar.init)
            else { throw unknown() }
            text.append(scalar: scalar)
            return number
        case _:
            guard let byte = letter == quote ? letter : Self.escapes[letter] else { throw unknown() }
            text.append(byte)
            return Int(byte)
        }
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08, UInt8(ascii: "t"): 0x09, UInt8(ascii: "n"): 0x0a,
        UInt8(ascii: "v"): 0x0b, UInt8(ascii: "f"): 0x0c, UInt8(ascii: "r"): 0x0d,
        UInt8(ascii: "\\"): UInt8(ascii: "\\"),
    ]

    /// Exactly `count` digits, and the number that they are.
    private mutating func digits(_ count: Int, radix: Int) -> Int? {
        guard at + count <= source.count else { return nil }
        let text = source[at..<at + count]
        guard text.allSatisfy({ Self.digit($0).map { $0 < radix } ?? false }) else { return nil }
        advance(count)
        return text.reduce(0) { $0 * radix + (Self.digit($1) ?? 0) }
    }

    private static func digit(_ byte: UInt8) -> Int? { Character(Unicode.Scalar(byte)).hexDigitValue }

    // MARK: Numbers

    /// A whole number: decimal, `0x`, `0o` or `0`, `0b`, with `_` between digits.
    mutating func number(_ here: Mark) throws(TemplateProblem) -> Int {
        let start = at
        if source[at] == UInt8(ascii: "-") || source[at] == UInt8(ascii: "+") { advance(1) }
        while let next {
            let isSign = next == UInt8(ascii: "-") || next == UInt8(ascii: "+")
            let character = TextCharacter(source, at: at)
            guard isSign || next == UInt8(ascii: ".") || character.scalar.isNamePart else { break }
            advance(character.width)
        }
        let text = String(decoding: source[start..<at], as: UTF8.self)
        if let number = Self.whole(text) { return number }
        throw TemplateProblem(
            here, "`\(text)` is not a whole number",
            note: "known are decimal numbers, 0x, 0o and 0b, from \(Int.min) to \(Int.max); no fractions")
    }

    private static func whole(_ text: String) -> Int? {
        var digits = text[...]
        let sign = digits.first.flatMap { "+-".contains($0) ? digits.removeFirst() : nil }
        var radix = 10
        if digits.first == "0", digits.count > 1 {
            radix = ["x": 16, "b": 2, "o": 8][digits.dropFirst().first?.lowercased() ?? ""] ?? 8
            digits = digits.dropFirst("xXbBoO".contains(digits[digits.index(after: digits.startIndex)]) ? 2 : 1)
            // `0x_1` and `0_7` are numbers.
            if digits.first == "_" { digits = digits.dropFirst() }
        }
        guard digits.first != "_", digits.last != "_", !digits.contains("__"), digits.first != "+", digits.first != "-"
        else { return nil }
        return Int((sign.map(String.init) ?? "") + digits.filter { $0 != "_" }, radix: radix)
    }
}
