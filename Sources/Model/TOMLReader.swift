public import YAML

/// Strict reading of a flat TOML table: wrong types and unknown keys are errors, all of them reported.
public struct TOMLReader {
    private let table: TOMLTable
    /// Where what the table lacks is reported.
    private let mark: Mark
    private let reader: Reader
    private var asked: Set<String> = []

    /// - Throws: `InputFailure` where the bytes are not TOML.
    public init(_ bytes: [UInt8], file: String) throws(InputFailure) {
        table = try TOMLDocument.parse(bytes, file: file)
        mark = Mark(line: 1, column: 1)
        reader = Reader(root: Node(.mapping([]), at: mark), source: bytes, file: file)
    }

    /// The names of the table's keys, sorted.
    public var keys: [String] { table.keys }

    /// Records an error at `key`, where the file has it.
    public mutating func error(_ key: String, _ problem: String, note: String? = nil) {
        reader.error(node(key), "`\(key)` \(problem)", note: note)
    }

    /// A list of texts.
    public mutating func texts(_ key: String) -> [String]? {
        guard let value = value(key) else { return nil }
        guard case .list(let values) = value, case let texts = values.compactMap(\.text), texts.count == values.count
        else {
            error(key, "has to be a list of texts in quotes")
            return nil
        }
        return texts
    }

    /// Reads the table `[key]`; what is wrong with it counts as an error of this one.
    public mutating func section(_ key: String, _ body: (inout TOMLReader) -> Void) {
        guard let value = value(key) else { return }
        guard case .table(let table) = value else { return error(key, "has to be a table, `[\(key)]`") }
        var section = TOMLReader(table, at: self.table[key]?.mark ?? mark, reader)
        body(&section)
        section.reportUnknown()
    }

    private init(_ table: TOMLTable, at mark: Mark, _ reader: Reader) {
        self.table = table
        self.mark = mark
        self.reader = reader
    }

    /// Nil where the key is missing, or is no text: then an error is recorded.
    public mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.text else {
            error(key, "has to be a text in quotes")
            return nil
        }
        return text
    }

    /// A text, or the text of a number or truth value: what variables may be.
    public mutating func variable(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.variable else {
            error(key, "has to be a text in quotes, a number, `true` or `false`")
            return nil
        }
        return text
    }

    /// A whole number, also where it is written in quotes, as Maand's files have it.
    public mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.integer ?? value.text.flatMap({ Int($0) }), range.contains(number) else {
            error(key, "has to be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    /// Nil where the key is missing, or is neither `true` nor `false`: then an error is recorded.
    public mutating func boolean(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .boolean(let flag) = value else {
            error(key, "has to be `true` or `false`")
            return nil
        }
        return flag
    }

    /// Nil where the key is missing, or has none of the words: then an error is recorded.
    public mutating func word<Word: RawRepresentable & CaseIterable>(_ key: String) -> Word?
    where Word.RawValue == String {
        guard let text = string(key) else { return nil }
        guard let word = Word(rawValue: text) else {
            error(key, "has to be one of " + Word.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))
            return nil
        }
        return word
    }

    /// Marks keys as known without reading them.
    package mutating func ignore(_ keys: [String]) { asked.formUnion(keys) }

    /// - Throws: `InputFailure` where any error was recorded or a key was not asked for.
    public mutating func finish() throws(InputFailure) {
        reportUnknown()
        try reader.check()
    }

    /// Ends the reading of a file in which Maand ignores keys that it does not know.
    ///
    /// - Returns: warnings about such keys.
    /// - Throws: `InputFailure` where any error was recorded, or such a key is nearly one that the file could have.
    public mutating func finishAsMaand() throws(InputFailure) -> [Diagnostic] {
        reportUnknown(areErrors: false)
        try reader.check()
        return reader.warnings
    }

    /// - Parameter areErrors: whether keys that are not nearly known ones are errors, too.
    private mutating func reportUnknown(areErrors: Bool = true) {
        for key in table.keys where !asked.contains(key) {
            let nearest = Suggestion.nearest(to: key, among: asked.sorted())
            if areErrors || nearest != nil {
                error(key, "is not a known key", note: nearest.map { "did you mean `\($0)`?" })
            } else {
                reader.warn(node(key), "`\(key)` is not a known key: it means nothing here")
            }
        }
    }

    private func node(_ key: String) -> Node { Node(.scalar(text: key, isPlain: false), at: table[key]?.mark ?? mark) }

    private mutating func value(_ key: String) -> TOMLValue? {
        asked.insert(key)
        return table[key]?.value
    }
}

extension TOMLValue {
    /// Nil for what is no text.
    public var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// Nil for what is no whole number.
    public var integer: Int? {
        if case .integer(let number) = self { number } else { nil }
    }

    /// The text of a value that a variable may have; nil for lists and tables.
    public var variable: String? {
        switch self {
        case .text(let text): text
        case .integer(let number): String(number)
        case .number(let number): String(number)
        case .boolean(let flag): String(flag)
        case .list, .table: nil
        }
    }
}
