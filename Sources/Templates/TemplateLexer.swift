internal import YAML

/// A piece of a template: text between actions, or a token of an action.
struct Token: Sendable {
    enum Kind: Equatable, Sendable {
        case text(String)
        /// `{{` and `}}`
        case open, close
        case identifier(String)
        /// `.` alone
        case dot
        /// `.Name`
        case field(String)
        /// `$` or `$name`
        case variable(String)
        case string(String)
        case number(Int)
        case leftParenthesis, rightParenthesis, pipe, comma, declare, assign
    }

    var kind: Kind
    var mark: Mark
    /// A space comes before it.
    var isApart = false
}

/// Cuts a template into tokens, as Go's text/template does.
struct TemplateLexer {
    private let source: [UInt8]
    private var at = 0
    private var line = 1
    private var lineStart = 0
    private var found: [Token] = []

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
                    advance(1)
                }
                append(text, mark)
                trims = try action()
            } else {
                append(text, mark)
            }
        }
        return found
    }

    private mutating func append(_ text: [UInt8], _ mark: Mark) {
        if !text.isEmpty { found.append(Token(kind: .text(String(decoding: text, as: UTF8.self)), mark: mark)) }
    }

    private var mark: Mark { Mark(line: line, column: at - lineStart + 1) }

    private mutating func advance(_ count: Int) {
        for _ in 0..<count where at < source.count {
            if source[at] == 0x0a {
                line += 1
                lineStart = at + 1
            }
            at += 1
        }
    }

    private func isNext(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { source[at...].starts(with: $0) }
    }

    private mutating func textUntilAction() -> [UInt8] {
        let start = at
        while at < source.count, !isNext("{{") { advance(1) }
        return Array(source[start..<at])
    }

    /// After `{{`. Returns whether the text after it loses its leading space.
    private mutating func action() throws(TemplateProblem) -> Bool {
        let start = mark
        skipSpace()
        if isNext("/*") { return try comment(start) }
        found.append(Token(kind: .open, mark: start))
        while true {
            let isApart = skipSpace()
            let here = mark
            if isNext("}}") || (isApart && isNext("-}}")) {
                let trims = isNext("-")
                advance(trims ? 3 : 2)
                found.append(Token(kind: .close, mark: here))
                return trims
            }
            guard at < source.count else { throw TemplateProblem(start, "`{{` is not closed by `}}`") }
            found.append(Token(kind: try token(here), mark: here, isApart: isApart))
        }
    }

    private mutating func comment(_ start: Mark) throws(TemplateProblem) -> Bool {
        while at < source.count, !isNext("*/") { advance(1) }
        advance(2)
        skipSpace()
        let trims = isNext("-}}")
        guard trims || isNext("}}") else { throw TemplateProblem(start, "a comment ends with `*/}}`") }
        advance(trims ? 3 : 2)
        return trims
    }

    private mutating func token(_ here: Mark) throws(TemplateProblem) -> Token.Kind {
        for (text, kind) in Self.marks where isNext(text) {
            advance(text.utf8CodeUnitCount)
            return kind
        }
        switch source[at] {
        case UInt8(ascii: "\""): return .string(try quoted(here))
        case UInt8(ascii: "`"): return .string(try raw(here))
        case UInt8(ascii: "."):
            advance(1)
            let name = name()
            return name.isEmpty ? .dot : .field(name)
        case UInt8(ascii: "$"):
            advance(1)
            return .variable("$" + name())
        case UInt8(ascii: "-"), UInt8(ascii: "+"), 0x30...0x39: return .number(try number(here))
        case _:
            let name = name()
            if name.isEmpty { throw TemplateProblem(here, "this character has no meaning here") }
            return .identifier(name)
        }
    }

    private static let marks: [(StaticString, Token.Kind)] = [
        (":=", .declare), ("=", .assign), ("(", .leftParenthesis), (")", .rightParenthesis), ("|", .pipe),
        (",", .comma),
    ]

    private mutating func name() -> String {
        let start = at
        while at < source.count, Self.isNamePart(source[at]) { advance(1) }
        return String(decoding: source[start..<at], as: UTF8.self)
    }

    private mutating func number(_ here: Mark) throws(TemplateProblem) -> Int {
        let start = at
        advance(1)
        while at < source.count, Self.isNamePart(source[at]) || source[at] == UInt8(ascii: ".") { advance(1) }
        let text = String(decoding: source[start..<at], as: UTF8.self)
        guard let number = Int(text) else {
            throw TemplateProblem(here, "`\(text)` is not a whole number", note: "templates compute with whole numbers")
        }
        return number
    }

    private mutating func raw(_ here: Mark) throws(TemplateProblem) -> String {
        advance(1)
        let start = at
        while at < source.count, source[at] != UInt8(ascii: "`") { advance(1) }
        guard at < source.count else { throw TemplateProblem(here, "the text has no end") }
        defer { advance(1) }
        return String(decoding: source[start..<at], as: UTF8.self)
    }

    private mutating func quoted(_ here: Mark) throws(TemplateProblem) -> String {
        advance(1)
        var text: [UInt8] = []
        while at < source.count, source[at] != UInt8(ascii: "\""), source[at] != 0x0a {
            guard source[at] == UInt8(ascii: "\\") else {
                text.append(source[at])
                advance(1)
                continue
            }
            advance(1)
            guard at < source.count, let byte = Self.escapes[source[at]] else {
                throw TemplateProblem(mark, "this escape is not known", note: #"\n, \t, \r, \" and \\ are"#)
            }
            text.append(byte)
            advance(1)
        }
        guard at < source.count, source[at] == UInt8(ascii: "\"") else {
            throw TemplateProblem(here, "the text has no end on its line")
        }
        advance(1)
        return String(decoding: text, as: UTF8.self)
    }

    private static let escapes: [UInt8: UInt8] = [
        UInt8(ascii: "n"): 0x0a, UInt8(ascii: "t"): 0x09, UInt8(ascii: "r"): 0x0d, UInt8(ascii: "\""): 0x22,
        UInt8(ascii: "\\"): 0x5c,
    ]

    @discardableResult
    private mutating func skipSpace() -> Bool {
        let start = at
        while at < source.count, Self.isSpace(source[at]) { advance(1) }
        return at > start
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x80...0xff: true
        case _: false
        }
    }
}
