/// The grammar of TOML 1.0 over bytes that are known to be UTF-8 without NULs.
struct TOMLParser {
    typealias Problem = TreeBuilder.Problem

    let bytes: UnsafeBufferPointer<UInt8>
    let limits: InputLimits
    var index = 0
    private var line = 1
    private var lineStart = 0
    /// Bytes since `lineStart` that begin no character.
    private var continuations = 0
    private var tree: TOMLTree

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: InputLimits) {
        self.bytes = bytes
        self.limits = limits
        tree = TOMLTree(limits: limits)
    }

    var mark: Mark { Mark(line: line, column: index - lineStart - continuations + 1) }
    var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func parse() throws(Problem) -> TOMLTable {
        var table = TOMLTree.root
        while try skipEmptyLines() {
            if take("[") {
                table = try readHeader()
            } else {
                try readPair(of: table, depth: 0)
            }
            skipBlanks()
            try readComment()
            guard current == nil || takeLineEnd() else { throw unexpected("the end of the line") }
        }
        return tree.finished()
    }

    // MARK: Statements

    /// After the first bracket.
    private mutating func readHeader() throws(Problem) -> Int {
        let isElement = take("[")
        let path = try readKey(depth: 0)
        guard take(isElement ? "]]" : "]") else { throw unexpected(isElement ? "\"]]\"" : "\"]\"") }
        return try tree.table(path, isElement: isElement)
    }

    /// A key with its value; what follows it is not looked at.
    private mutating func readPair(of table: Int, depth: Int) throws(Problem) {
        let path = try readKey(depth: depth)
        guard take("=") else { throw unexpected("\"=\" after the key") }
        skipBlanks()
        try tree.set(path, of: table, to: readValue(depth: depth + path.count))
    }

    /// One part or several with points between them, and the blanks around them.
    private mutating func readKey(depth: Int) throws(Problem) -> [TOMLTree.Key] {
        var path: [TOMLTree.Key] = []
        repeat {
            skipBlanks()
            let start = mark
            guard depth + path.count < limits.depth else { throw tooDeep }
            let text: String
            switch current {
            case UInt8(ascii: "\""): text = try readText(quote: UInt8(ascii: "\""), isLong: false)
            case UInt8(ascii: "'"): text = try readText(quote: UInt8(ascii: "'"), isLong: false)
            default:
                let first = index
                while let byte = current, Self.isBareKey(byte) { index += 1 }
                guard index > first else { throw unexpected("a key") }
                text = String(decoding: bytes[first..<index], as: UTF8.self)
            }
            path.append(TOMLTree.Key(text: text, mark: start))
            skipBlanks()
        } while take(".")
        return path
    }

    // MARK: Values

    /// Recurses as deep as lists and tables are nested.
    private mutating func readValue(depth: Int) throws(Problem) -> TOMLValue {
        try tree.countNode(at: mark)
        switch current {
        case UInt8(ascii: "["): return .list(try readList(depth: depth))
        case UInt8(ascii: "{"): return .table(try readInlineTable(depth: depth))
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            let isBasic = current == UInt8(ascii: "\"")
            let isLong = isNext(isBasic ? "\"\"\"" : "'''")
            return .text(try readText(quote: UInt8(ascii: isBasic ? "\"" : "'"), isLong: isLong))
        default: return try readWord()
        }
    }

    private mutating func readList(depth: Int) throws(Problem) -> [TOMLValue] {
        guard depth < limits.depth else { throw tooDeep }
        let start = mark
        index += 1
        var values: [TOMLValue] = []
        while true {
            _ = try skipEmptyLines()
            if take("]") { return values }
            values.append(try readValue(depth: depth + 1))
            _ = try skipEmptyLines()
            if take("]") { return values }
            guard take(",") else { throw unexpected("\",\" or \"]\"", openedAt: start) }
        }
    }

    private mutating func readInlineTable(depth: Int) throws(Problem) -> TOMLTable {
        guard depth < limits.depth else { throw tooDeep }
        let start = mark
        index += 1
        let table = tree.inlineTable()
        skipBlanks()
        if take("}") { return tree.finished(table) }
        while true {
            try readPair(of: table, depth: depth)
            skipBlanks()
            if take("}") { return tree.finished(table) }
            guard take(",") else { throw unexpected("\",\" or \"}\" on the same line", openedAt: start) }
        }
    }

    // MARK: Places

    var tooDeep: Problem { Problem(mark: mark, message: "nested deeper than \(limits.depth) levels") }

    func unexpected(_ expected: String, openedAt open: Mark? = nil) -> Problem {
        let note = open.map { "opened at line \($0.line), column \($0.column)" }
        guard index < bytes.count else {
            return Problem(mark: mark, message: "the file ends where \(expected) was expected", note: note)
        }
        if bytes[index] == 0x0a || isNext("\r\n") {
            return Problem(mark: mark, message: "the line ends where \(expected) was expected", note: note)
        }
        let length = bytes[index] < 0x80 ? 1 : (bytes[index] < 0xE0 ? 2 : (bytes[index] < 0xF0 ? 3 : 4))
        let found = String(decoding: bytes[index..<min(index + length, bytes.count)], as: UTF8.self)
        return Problem(mark: mark, message: "expected \(expected), found \(VisibleText.quote(found))", note: note)
    }

    func isNext(_ text: StaticString) -> Bool {
        text.withUTF8Buffer { wanted in
            bytes.count - index >= wanted.count && bytes[index..<(index + wanted.count)].elementsEqual(wanted)
        }
    }

    mutating func take(_ text: StaticString) -> Bool {
        let found = isNext(text)
        if found { index += text.utf8CodeUnitCount }
        return found
    }

    /// LF or CRLF.
    mutating func takeLineEnd() -> Bool {
        guard take("\n") || take("\r\n") else { return false }
        line += 1
        lineStart = index
        continuations = 0
        return true
    }

    mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x09 { index += 1 }
    }

    /// Over one byte of a text or a comment, on its line.
    mutating func step() throws(Problem) {
        let byte = bytes[index]
        if byte == 0x7f || (byte < 0x20 && byte != 0x09) {
            throw Problem(
                mark: mark, message: "a control character",
                note: "in a text in double quotes it is written as \\u and four digits")
        }
        if byte & 0xC0 == 0x80 { continuations += 1 }
        index += 1
    }

    private mutating func readComment() throws(Problem) {
        guard take("#") else { return }
        while let byte = current, byte != 0x0a, !isNext("\r\n") { try step() }
    }

    /// Over blanks, comments and line ends; false at the end of the file.
    private mutating func skipEmptyLines() throws(Problem) -> Bool {
        repeat {
            skipBlanks()
            try readComment()
        } while takeLineEnd()
        return index < bytes.count
    }

    static func isBareKey(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
