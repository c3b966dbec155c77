internal import Model
internal import YAML

/// A value that is a mapping with known fields in a file.
///
/// Its table is ``visit(_:)``: each field with its name, its type, its default and its meaning. Reading, writing, the
/// JSON Schema, the reference in the documents and the comparison of two values come from it.
protocol Record: Equatable {
    /// Names the record in the schema and in the reference: a word of the format.
    static var title: String { get }
    /// One sentence on what the record is.
    static var meaning: String { get }
    /// How it is laid out in a file.
    static var style: Emitter.Style { get }
    /// What reading begins with.
    static var blank: Self { get }
    /// One value of each form that the record has, if its fields depend on one of them.
    static var forms: [Self] { get }

    /// How many fields there are at least, if those that may be left out cannot all be left out.
    static var fewestFields: Int? { get }

    /// Goes through all fields, in the order of the file.
    mutating func visit(_ fields: inout some Fields)

    /// Reports what no single field can be blamed for. It is called when all fields could be read.
    func check(_ report: RecordReport)
}

extension Record {
    static var style: Emitter.Style { .flow }
    static var forms: [Self] { [blank] }
    static var fewestFields: Int? { nil }
    func check(_ report: RecordReport) {}
}

extension FieldValue where Self: Record {
    static var fieldType: RecordType<Self> { RecordType() }
}

/// A record as the value of a field, as an item of a list, or as a whole file.
struct RecordType<Value: Record>: FieldType {
    func read(_ node: Node, _ reader: Reader) -> Value? {
        guard let map = reader.mapping(node) else { return nil }
        let errors = reader.errorCount
        var fields = RecordReading(map: map, reader: reader)
        var record = Value.blank
        record.visit(&fields)
        if !fields.isAbandoned { fields.map.finish() }
        guard reader.errorCount == errors else { return nil }
        record.check(RecordReport(map: map, reader: reader))
        return reader.errorCount == errors ? record : nil
    }

    func write(_ value: Value, as place: Place, to out: inout Emitter) {
        out.mapping(place, Value.style) { out in
            var value = value
            value.visit(&out)
        }
    }

    func json(_ value: Value) -> JSON? {
        var fields = RecordJSON()
        var value = value
        value.visit(&fields)
        return .object(fields.members)
    }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON { book.reference(to: Value.self) }

    var words: String { "[\(Value.title)](#\(Value.title))" }

    func collect(_ name: String, _ value: Value, into texts: inout FieldTexts) {
        var value = value
        texts.inside(name) { value.visit(&$0) }
    }
}

/// Reads the fields of one mapping.
private struct RecordReading: Fields {
    var map: MappingReader
    let reader: Reader
    /// The form of the record is unknown, and so are its other fields.
    var isAbandoned = false

    mutating func form<Word: RawRepresentable<String> & CaseIterable & Equatable>(
        _ name: String, _ value: inout Word, among: [Word], _ meaning: String
    ) -> Bool {
        let word = map.required(name).flatMap { WordType<Word>().read($0, reader) }
        if let word { value = word }
        isAbandoned = word == nil
        return word != nil
    }

    mutating func required<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, _ meaning: String
    ) {
        if let node = map.required(name), let read = type.read(node, reader) { value = read }
    }

    mutating func optional<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, default: Kind.Value,
        _ meaning: String
    ) {
        guard let node = map.optional(name) else { return value = `default` }
        guard let read = type.read(node, reader) else { return }
        if read == `default` { reader.error(node, "the field `\(name)` is left out if it has this value") }
        value = read
    }

    mutating func constant(_ name: String, _ value: Scalar, _ meaning: String) {
        if let node = map.required(name) { _ = FlagType(value).read(node, reader) }
    }

    mutating func group<Group: Record>(_ first: String, _ value: inout Group?) {
        guard map.contains(first) else { return value = nil }
        var group = Group.blank
        group.visit(&self)
        value = group
    }

    func isThere(_ name: String) -> Bool? { map.contains(name) }
}

/// The fields of a record for other programs, as they are in the file.
private struct RecordJSON: Fields {
    var members: [(String, JSON)] = []

    mutating func required<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, _ meaning: String
    ) { if let json = type.json(value) { members.append((name, json)) } }

    mutating func constant(_ name: String, _ value: Scalar, _ meaning: String) { members.append((name, JSON(value))) }
}

/// Records errors of a record at its fields.
struct RecordReport {
    fileprivate let map: MappingReader
    fileprivate let reader: Reader

    /// Records an error at the record.
    func error(_ message: String, note: String? = nil) { reader.error(map.node, message, note: note) }

    /// For a record that is the value of a field.
    func inside(_ field: String) -> RecordReport {
        guard let node = map.entries.first(where: { $0.name == field })?.value, let inner = reader.mapping(node) else {
            return self
        }
        return RecordReport(map: inner, reader: reader)
    }

    /// Records an error at a field, or at the record if the field is not there.
    func error(_ field: String, _ message: String, note: String? = nil) {
        let node = map.entries.first { $0.name == field }?.value
        reader.error(node ?? map.node, message, note: note)
    }
}
