internal import YAML

/// A piece of a template: text between actions, or a token of an action.
struct Token: Sendable {
    enum Kind: Equatable, Sendable {
        case text(TextBytes)
        /// `{{` and `}}`
        case open, close
        case keyword(Keyword)
        /// `nil`
        case absent
        case identifier(String)
        case boolean(Bool)
        /// `.` alone
        case dot
        /// `.Name`
        case field(String)
        /// `$` or `$name`
        case variable(String)
        case string(TextBytes)
        case number(Int)
        case leftParenthesis, rightParenthesis, pipe, comma, declare, assign
    }

    /// Words that no function can have as its name.
    enum Keyword: String, Sendable {
        case block, `break`, `continue`, define, `else`, end, `if`, range, template, with
    }

    var kind: Kind
    var mark: Mark
    /// A space comes before it.
    var isApart = false
}

/// Cuts a template into tokens, as Go's text/template does.
struct TemplateLexer {
    let source: [UInt8]
    private(set) var at = 0
    private var line = 1
    private var lineStart = 0
    private var found: [Token] = []
    /// How many `(` of the action are open.
    private var depth = 0

    init(_ source: [UInt8]) { self.source = source }

    mutating func tokens() throws(TemplateProblem) -> [Token] {
        var trims = false
        while at < source.count {
            let mark = mark
            var text = textUntilAction()
            if trims { text = Array(text.drop(while: Self.isSpace)) }
            trims = false
            if at < source.count {
                advance(2)
                if at + 1 < source.count, source[at] == UInt8(ascii: "-"), Self.isSpace(source[at + 1]) {
                    while let last = text.last, Self.isSpace(last) { text.removeLast() }
                    advance(2)
                }
                append(text, mark)
                trims = try action()
            } else {
                append(text, mark)
            }
        }
        return found
    }

    private mutating func append(_ text: TextBytes, _ mark: Mark) {
        if !text.isEmpty { found.append(Token(kind: .text(text), mark: mark)) }
    }

    var mark: Mark { Mark(line: line, column: at - lineStart + 1) }

    mutating func advance(_ count: Int) {
        for _ in 0..<count where at < source.count {
            if source[at] == 0x0a {
                line += 1
                lineStart = at + 1
            }
            at += 1
        }
    }

    func isNext(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            at + text.count <= source.count && text.indices.allSatisfy { source[at + $0] == text[$0] }
        }
    }

    /// The byte that comes next; nil at the end.
    var next: UInt8? { at < source.count ? source[at] : nil }

    private mutating func textUntilAction() -> TextBytes {
        let start = at
        while at < source.count, source[at] != UInt8(ascii: "{") || !isNext("{{") { advance(1) }
        return Array(source[start..<at])
    }

    /// `-}}` after one blank.
    private var isNextTrimming: Bool {
        guard let next, Self.isSpace(next), at + 3 < source.count else { return false }
        return source[at + 1] == UInt8(ascii: "-") && source[at + 2] == UInt8(ascii: "}")
            && source[at + 3] == UInt8(ascii: "}")
    }

    /// After `{{`, or `{{-` with its blank. Returns whether the text after it loses its leading space.
    private mutating func action() throws(TemplateProblem) -> Bool {
        let start = mark
        if isNext("/*") { return try comment(start) }
        found.append(Token(kind: .open, mark: start))
        depth = 0
        while true {
            var isApart = false
            while let next, Self.isSpace(next), !isNextTrimming {
                advance(1)
                isApart = true
            }
            let here = mark
            if isNextTrimming || isNext("}}") {
                guard depth == 0 else { throw TemplateProblem(here, "`)` is missing here") }
                let trims = !isNext("}}")
                advance(trims ? 4 : 2)
                found.append(Token(kind: .close, mark: here))
                return trims
            }
            guard at < source.count else { throw TemplateProblem(start, "`{{` is not closed by `}}`") }
            found.append(Token(kind: try token(here), mark: here, isApart: isApart))
        }
    }

    private mutating func comment(_ start: Mark) throws(TemplateProblem) -> Bool {
        advance(2)
        while at < source.count, !isNext("*/") { advance(1) }
        advance(2)
        let trims = isNextTrimming
        guard trims || isNext("}}") else { throw TemplateProblem(start, "a comment ends with `*/}}` or `*/ -}}`") }
        advance(trims ? 4 : 2)
        return trims
    }

    private mutating func token(_ here: Mark) throws(TemplateProblem) -> Token.Kind {
        for (text, kind) in Self.marks where isNext(text) {
            advance(text.utf8CodeUnitCount)
            if kind == .leftParenthesis { depth += 1 }
            if kind == .rightParenthesis { depth -= 1 }
            if depth < 0 { throw TemplateProblem(here, "`)` has no `(` before it") }
            return kind
        }
        switch source[at] {
        case UInt8(ascii: "\""): return .string(try quoted(here))
        case UInt8(ascii: "`"): return .string(try raw(here))
        case UInt8(ascii: "'"): return .number(try character(here))
        case UInt8(ascii: ".") where !(at + 1 < source.count && Self.isDigit(source[at + 1])):
            advance(1)
            let name = try name()
            return name.isEmpty ? .dot : .field(name)
        case UInt8(ascii: "$"):
            advance(1)
            return .variable("$" + (try name()))
        case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), 0x30...0x39: return .number(try number(here))
        case _: return try word(here)
        }
    }

    private mutating func word(_ here: Mark) throws(TemplateProblem) -> Token.Kind {
        guard TextCharacter(source, at: at).scalar.isNamePart else {
            throw TemplateProblem(here, "this character has no meaning here")
        }
        let name = try name()
        switch name {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "nil": return .absent
        case _: return Token.Keyword(rawValue: name).map { .keyword($0) } ?? .identifier(name)
        }
    }

    private static let marks: [(StaticString, Token.Kind)] = [
        (":=", .declare), ("=", .assign), ("(", .leftParenthesis), (")", .rightParenthesis), ("|", .pipe),
        (",", .comma),
    ]

    /// Letters, digits and `_`; empty where none comes next.
    ///
    /// - Throws: `TemplateProblem` if something follows that would have to be apart.
    private mutating func name() throws(TemplateProblem) -> String {
        let start = at
        while let next {
            if next < 0x80 {
                guard next.isNamePart else { break }
                at += 1
            } else {
                let character = TextCharacter(source, at: at)
                guard character.scalar.isNamePart else { break }
                at += character.width
            }
        }
        let name = String(decoding: source[start..<at], as: UTF8.self)
        guard let next, !Self.isSpace(next), !".,|:()".utf8.contains(next), !isNext("}}") else { return name }
        throw TemplateProblem(mark, "a blank is missing here")
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a }

    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
