internal import Model
internal import YAML

/// Goes through the fields of a record, one after the other, in the order of the file: to read them, to write them, or to
/// describe them.
///
/// The emitter is one of them. ``RecordType`` reads with another, ``SchemaBook`` describes with a third.
protocol Fields {
    /// A field that is always there.
    mutating func required<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, _ meaning: String)

    /// A field that is left out if it has the value `default`.
    mutating func optional<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, default: Kind.Value,
        _ meaning: String)

    /// A word that decides which other fields there are.
    ///
    /// - Parameter among: the words with the same fields as `value`.
    /// - Returns: false if it could not be read. Then nothing can be said of the others, and they are not visited.
    mutating func form<Word: RawRepresentable<String> & CaseIterable & Equatable>(
        _ name: String, _ value: inout Word, among: [Word], _ meaning: String
    ) -> Bool

    /// A field that always has this value.
    mutating func constant(_ name: String, _ value: Scalar, _ meaning: String)

    /// Fields that are there together or not at all: if the file has `first`, it needs all of them.
    mutating func group<Group: Record>(_ first: String, _ value: inout Group?)

    /// Whether the file that is read has a field; nil if nothing is read.
    func isThere(_ name: String) -> Bool?
}

/// What holds for everything that goes through a value: fields that the file leaves out are left out.
extension Fields {
    mutating func optional<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, default: Kind.Value, _ meaning: String
    ) { if value != `default` { required(name, &value, type, meaning) } }

    mutating func group<Group: Record>(_ first: String, _ value: inout Group?) { value?.visit(&self) }

    func isThere(_ name: String) -> Bool? { nil }

    mutating func form<Word: RawRepresentable<String> & CaseIterable & Equatable>(
        _ name: String, _ value: inout Word, among: [Word], _ meaning: String
    ) -> Bool {
        required(name, &value, WordType(), meaning)
        return true
    }

    /// A field that is always there, with the usual type of its value.
    mutating func required<Value: FieldValue>(
        _ name: String, _ value: inout Value, _ meaning: String
    ) { required(name, &value, Value.fieldType, meaning) }

    /// A field that is left out if it has the value `default`, with the usual type of its value.
    mutating func optional<Value: FieldValue>(
        _ name: String, _ value: inout Value, default: Value, _ meaning: String
    ) { optional(name, &value, Value.fieldType, default: `default`, meaning) }

    /// A field that is left out if there is no value.
    mutating func optional<Value: FieldValue>(
        _ name: String, _ value: inout Value?, _ meaning: String
    ) { optional(name, &value, OptionalType(Value.fieldType), default: nil, meaning) }

    /// A field that is left out if there is no value.
    mutating func optional<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value?, _ type: Kind, _ meaning: String
    ) { optional(name, &value, OptionalType(type), default: nil, meaning) }

    /// A field that is there, with the value `scalar`, only if it holds.
    mutating func flag(
        _ name: String, _ value: inout Bool, as scalar: Scalar = .bool(true), _ meaning: String
    ) { optional(name, &value, FlagType(scalar), default: false, meaning) }
}

/// What a field can hold: how it is read, written and described.
protocol FieldType<Value> {
    associatedtype Value: Equatable

    /// Returns nil after an error was recorded.
    func read(_ node: Node, _ reader: Reader) -> Value?

    /// Writes the value as a field or as an item of a list.
    func write(_ value: Value, as place: Place, to out: inout Emitter)

    /// Returns the JSON Schema of the values, and puts what it refers to into `book`.
    ///
    /// - Parameter isLowestLeftOut: whether the lowest number, and what is empty, never stands in the file.
    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON

    /// For the reference, such as `a name`.
    var words: String { get }

    /// For other programs; nil if the field is left out.
    func json(_ value: Value) -> JSON?

    /// Adds what a comparison shows of a field.
    func collect(_ name: String, _ value: Value, into texts: inout FieldTexts)
}

extension FieldType {
    func collect(_ name: String, _ value: Value, into texts: inout FieldTexts) {
        var out = Emitter()
        out.sequence("", .flow) { write(value, as: .item, to: &$0) }
        // `"": [value]` and a line feed
        texts.add(name, String(decoding: out.finish().dropFirst(5).dropLast(2), as: UTF8.self))
    }
}

/// A value whose fields mostly have one type.
protocol FieldValue: Equatable {
    associatedtype FieldKind: FieldType<Self>

    /// How fields with such a value are read and written unless they say otherwise.
    static var fieldType: FieldKind { get }
}

/// Where a value is written.
enum Place {
    case field(String)
    case item
}

extension Emitter {
    mutating func scalar(_ place: Place, _ value: Scalar) {
        switch place {
        case .field(let name): field(name, value)
        case .item: item(value)
        }
    }

    mutating func mapping(_ place: Place, _ style: Style, _ body: (inout Emitter) -> Void) {
        switch place {
        case .field(let name): mapping(name, style, body)
        case .item: mappingItem(style, body)
        }
    }

    mutating func sequence(_ place: Place, _ style: Style, _ body: (inout Emitter) -> Void) {
        switch place {
        case .field(let name): sequence(name, style, body)
        case .item: sequenceItem(style, body)
        }
    }
}

extension Emitter: Fields {
    mutating func required<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, _ meaning: String
    ) { type.write(value, as: .field(name), to: &self) }

    mutating func constant(_ name: String, _ value: Scalar, _ meaning: String) { field(name, value) }
}
