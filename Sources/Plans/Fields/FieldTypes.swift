internal import Model
internal import YAML

/// A whole number within limits.
struct IntegerType: FieldType {
    let range: ClosedRange<Int>

    func read(_ node: Node, _ reader: Reader) -> Int? { reader.integer(node, in: range) }

    func write(_ value: Int, as place: Place, to out: inout Emitter) { out.scalar(place, .int(value)) }

    func json(_ value: Int) -> JSON? { .int(value) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        var fields: [(String, JSON)] = [("type", .string("integer"))]
        fields.append(("minimum", .int(range.lowerBound + (isLowestLeftOut ? 1 : 0))))
        if range.upperBound < .max { fields.append(("maximum", .int(range.upperBound))) }
        return .object(fields)
    }

    var words: String {
        range.upperBound == .max
            ? "a whole number, at least \(range.lowerBound)"
            : "a whole number, \(range.lowerBound) to \(range.upperBound)"
    }
}

extension FieldType where Self == IntegerType {
    static func integer(_ range: ClosedRange<Int>) -> Self { IntegerType(range: range) }

    /// A number of things.
    static var count: Self { IntegerType(range: 0...Int.max) }
}

/// `true` or `false`.
struct BooleanType: FieldType {
    func read(_ node: Node, _ reader: Reader) -> Bool? { reader.boolean(node) }

    func write(_ value: Bool, as place: Place, to out: inout Emitter) { out.scalar(place, .bool(value)) }

    func json(_ value: Bool) -> JSON? { .bool(value) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON { .object([("type", .string("boolean"))]) }

    var words: String { "`true` or `false`" }
}

extension Bool: FieldValue {
    static var fieldType: BooleanType { BooleanType() }
}

/// One value that stands for true; anything else is an error.
struct FlagType: FieldType {
    let scalar: Scalar

    init(_ scalar: Scalar) { self.scalar = scalar }

    func read(_ node: Node, _ reader: Reader) -> Bool? {
        let isIt =
            switch scalar {
            case .bool(let value): node.kind == .boolean && node.text == String(value)
            case .int(let value): node.kind == .number && node.text == String(value)
            case .string(let value): node.text == value
            case .null: reader.isNull(node)
            }
        if !isIt { reader.error(node, "the only value here is \(words)") }
        return isIt ? true : nil
    }

    func write(_ value: Bool, as place: Place, to out: inout Emitter) { out.scalar(place, scalar) }

    func json(_ value: Bool) -> JSON? { value ? JSON(scalar) : nil }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON { .object([("const", JSON(scalar))]) }

    var words: String {
        switch scalar {
        case .bool(let value): "`\(value)`"
        case .int(let value): "`\(value)`"
        case .string(let value): "`\(value)`"
        case .null: "`null`"
        }
    }
}

/// A word of a closed list.
struct WordType<Word: RawRepresentable<String> & CaseIterable & Equatable>: FieldType {
    /// Those that may stand here; nil means all.
    var allowed: [Word]?

    func read(_ node: Node, _ reader: Reader) -> Word? {
        guard let allowed else { return reader.choice(node, of: Word.self) }
        guard let word = reader.choice(node, of: Word.self) else { return nil }
        if allowed.contains(word) { return word }
        reader.error(node, "`\(word.rawValue)` cannot stand here", note: "what can is \(words)")
        return nil
    }

    func write(_ value: Word, as place: Place, to out: inout Emitter) { out.scalar(place, .string(value.rawValue)) }

    func json(_ value: Word) -> JSON? { .string(value.rawValue) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        .object([("enum", .array(names.map(JSON.string)))])
    }

    var words: String { names.map { "`\($0)`" }.joined(separator: ", ") }

    func collect(_ name: String, _ value: Word, into texts: inout FieldTexts) { texts.add(name, value.rawValue) }

    private var names: [String] { (allowed ?? Array(Word.allCases)).map(\.rawValue) }
}

extension FieldType {
    /// One of some words.
    static func word<Word>(_ allowed: [Word]) -> Self where Self == WordType<Word> { WordType(allowed: allowed) }
}

extension FieldValue where Self: RawRepresentable<String> & CaseIterable {
    static var fieldType: WordType<Self> { WordType() }
}

/// A value that may be missing, as `null` or as a word in its place.
struct NullableType<Wrapped: FieldType>: FieldType {
    let wrapped: Wrapped
    /// What stands for nil.
    let none: Scalar

    func read(_ node: Node, _ reader: Reader) -> Wrapped.Value?? {
        let isNone =
            switch none {
            case .string(let word): node.text == word
            case .null, .bool, .int: reader.isNull(node)
            }
        if isNone { return .some(nil) }
        return wrapped.read(node, reader).map { .some($0) }
    }

    func write(_ value: Wrapped.Value?, as place: Place, to out: inout Emitter) {
        if let value { wrapped.write(value, as: place, to: &out) } else { out.scalar(place, none) }
    }

    func json(_ value: Wrapped.Value?) -> JSON? { value.flatMap(wrapped.json) ?? JSON(none) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        .object([
            (
                "anyOf",
                .array([
                    .object([("const", JSON(none))]), wrapped.schema(&book, isLowestLeftOut: isLowestLeftOut),
                ])
            )
        ])
    }

    var words: String { "\(wrapped.words), or \(FlagType(none).words)" }

    func collect(_ name: String, _ value: Wrapped.Value?, into texts: inout FieldTexts) {
        if let value { wrapped.collect(name, value, into: &texts) }
    }
}

extension FieldType {
    /// `null` if there is no value.
    static func orNull<Wrapped>(_ wrapped: Wrapped) -> Self where Self == NullableType<Wrapped> {
        NullableType(wrapped: wrapped, none: .null)
    }

    /// A word if there is no value.
    static func or<Wrapped>(_ word: String, _ wrapped: Wrapped) -> Self where Self == NullableType<Wrapped> {
        NullableType(wrapped: wrapped, none: .string(word))
    }
}

/// A value of a field that is left out if there is none.
struct OptionalType<Wrapped: FieldType>: FieldType {
    let wrapped: Wrapped

    init(_ wrapped: Wrapped) { self.wrapped = wrapped }

    func read(_ node: Node, _ reader: Reader) -> Wrapped.Value?? { wrapped.read(node, reader).map { .some($0) } }

    func write(_ value: Wrapped.Value?, as place: Place, to out: inout Emitter) {
        if let value { wrapped.write(value, as: place, to: &out) }
    }

    func json(_ value: Wrapped.Value?) -> JSON? { value.flatMap(wrapped.json) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        wrapped.schema(&book, isLowestLeftOut: false)
    }

    var words: String { wrapped.words }

    func collect(_ name: String, _ value: Wrapped.Value?, into texts: inout FieldTexts) {
        if let value { wrapped.collect(name, value, into: &texts) }
    }
}
