internal import TOMLKit
public import YAML

/// Strict reading of a flat TOML table: wrong types and unknown keys are errors, all of them reported.
public struct TOMLReader {
    private let table: TOMLTable
    private let file: String
    private let lines: [String]
    /// The table below the file's own one that this reads; nil for the file's own.
    private var section: String?
    private var asked: Set<String> = []
    private var errors: [Diagnostic] = []

    public init(_ bytes: [UInt8], file: String) throws(InputFailure) {
        let text = try TOMLText.decode(bytes, file: file)
        self.file = file
        // By bytes: to Swift the two of a line's end on Windows are one character, which is no line feed.
        lines = text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).map { String(Substring($0)) }
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw InputFailure(
                Diagnostic(
                    file: file, mark: Mark(line: error.source.begin.line, column: error.source.begin.column),
                    message: "this is not TOML: \(VisibleText.escape(error.description, for: .terminal))"))
        } catch {
            throw InputFailure(Diagnostic(file: file, mark: Mark(line: 1, column: 1), message: "this is not TOML"))
        }
    }

    /// The names of the table's keys, sorted.
    public var keys: [String] { table.keys.sorted() }

    /// Records an error at `key`, where the file has it.
    public mutating func error(_ key: String, _ problem: String, note: String? = nil) {
        errors.append(Diagnostic(file: file, mark: mark(of: key), message: "`\(key)` \(problem)", note: note))
    }

    /// Where a key stands, as far as the text shows it: the parser does not say.
    private func mark(of key: String) -> Mark {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let names = lines.map { line -> (name: String, isHeader: Bool, column: Int) in
            let rest = line.trimmingPrefix(while: isBlank)
            let isHeader = rest.hasPrefix("[")
            var name = rest.trimmingPrefix { $0 == "[" || isBlank($0) }
            if let quote = name.first, quote == "\"" || quote == "'" {
                name = name.dropFirst().prefix { $0 != quote }
            } else {
                name = name.prefix { !isBlank($0) && $0 != "=" && $0 != "]" && $0 != "." && $0 != "\r" }
            }
            return (String(name), isHeader, line.utf8.count - rest.utf8.count + 1)
        }
        let header = section.flatMap { section in names.firstIndex { $0.isHeader && $0.name == section } }
        let first = header.map { $0 + 1 } ?? 0
        for index in names.indices.dropFirst(first) {
            if names[index].isHeader, section != nil { break }
            if names[index].name == key { return Mark(line: index + 1, column: names[index].column) }
        }
        return Mark(line: (header ?? 0) + 1, column: 1)
    }

    /// A list of texts.
    public mutating func texts(_ key: String) -> [String]? {
        guard let value = value(key) else { return nil }
        guard let texts = value.array.map({ $0.map(\.string) }), !texts.contains(nil) else {
            error(key, "has to be a list of texts in quotes")
            return nil
        }
        return texts.compactMap(\.self)
    }

    /// Reads the table `[key]`; what is wrong with it counts as an error of this one.
    public mutating func section(_ key: String, _ body: (inout TOMLReader) -> Void) {
        guard let value = value(key) else { return }
        guard let table = value.table else { return error(key, "has to be a table, `[\(key)]`") }
        var reader = TOMLReader(table, file: file, lines: lines, section: key)
        body(&reader)
        reader.reportUnknown()
        errors += reader.errors
    }

    private init(_ table: TOMLTable, file: String, lines: [String], section: String) {
        self.table = table
        self.file = file
        self.lines = lines
        self.section = section
    }

    /// Nil where the key is missing, or is no text: then an error is recorded.
    public mutating func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else {
            error(key, "has to be a text in quotes")
            return nil
        }
        return text
    }

    /// A text, or the text of a number or truth value: what variables may be.
    public mutating func variable(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = TOMLText.variable(value) else {
            error(key, "has to be a text in quotes, a number, `true` or `false`")
            return nil
        }
        return text
    }

    /// A whole number, also where it is written in quotes, as Maand's files have it.
    public mutating func integer(_ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.int ?? value.string.flatMap({ Int($0) }), range.contains(number) else {
            error(key, "has to be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    /// Nil where the key is missing, or is neither `true` nor `false`: then an error is recorded.
    public mutating func boolean(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.bool else {
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
    mutating func ignore(_ keys: [String]) { asked.formUnion(keys) }

    /// - Throws: `InputFailure` where any error was recorded or a key was not asked for.
    public mutating func finish() throws(InputFailure) {
        reportUnknown()
        if let first = errors.first { throw InputFailure(first, Array(errors.dropFirst())) }
    }

    private mutating func reportUnknown() {
        let names = table.keys.sorted()
        for (name, next) in zip(names, names.dropFirst()) where name == next {
            error(name, "is there twice, in two spellings of Unicode", note: "remove one of them")
        }
        for key in table.keys.sorted() where !asked.contains(key) {
            let nearest = Suggestion.nearest(to: key, among: asked.sorted())
            error(key, "is not a known key", note: nearest.map { "did you mean `\($0)`?" })
        }
    }

    private mutating func value(_ key: String) -> (any TOMLValueConvertible)? {
        asked.insert(key)
        return table[key]
    }
}
