internal import Model
package import YAML

/// Collects what a format consists of: the records and objects with their fields, and the JSON Schema of each.
package final class SchemaBook {
    /// A field, as the reference shows it.
    package struct Field {
        package var name: String
        /// What its values are.
        package var type: String
        package var meaning: String
        package var isOptional: Bool
        /// What holds without the field.
        package var initial: JSON?
    }

    /// A record or an object, as the reference shows it.
    package struct Section {
        package var title: String
        package var meaning: String
        /// For each form of the record.
        package var forms: [[Field]]
    }

    /// The records and objects, in the order in which they are met.
    private(set) var sections: [Section] = []
    private var definitions: [(name: String, schema: JSON)] = []
    /// What each definition is, by its name.
    private var known: [String: String] = [:]

    /// The JSON Schema of a whole file.
    ///
    /// - Parameters:
    ///   - title: what the file is.
    ///   - description: what a schema cannot say of it.
    static func schema<Root: Record>(of root: Root.Type, title: String, description: String) -> JSON {
        let book = SchemaBook()
        let schema = book.describe(root)
        return book.document(schema, title: title, description: description)
    }

    /// The schema of a whole file, with everything that it refers to.
    func document(_ root: JSON, title: String, description: String) -> JSON {
        guard case .object(let fields) = root else { return .null }
        return .object(
            [
                ("$schema", .string("https://json-schema.org/draft/2020-12/schema")), ("title", .string(title)),
                ("description", .string(description)),
            ] + fields.filter { $0.0 != "description" }
                + [("$defs", .object(definitions.map { ($0.name, $0.schema) }))])
    }

    /// All records of a file, the file itself first.
    static func sections<Root: Record>(of root: Root.Type) -> [Section] {
        let book = SchemaBook()
        _ = book.describe(root)
        return book.sections
    }

    /// Refers to a record, and describes it the first time.
    func reference<Value: Record>(to record: Value.Type) -> JSON {
        reference(to: Value.title, Value.meaning) { $0.describe(record) }
    }

    /// Refers to a text that has a name in the schema.
    func reference(to name: String, _ type: TextType) -> JSON {
        reference(to: name, type.words) { type.schema(&$0, isLowestLeftOut: false) }
    }

    /// Refers to what has a name in the schema, and describes it the first time.
    func reference(
        to name: String, _ meaning: String, _ describe: (inout SchemaBook) -> JSON
    ) -> JSON {
        if let other = known.updateValue(meaning, forKey: name) {
            precondition(other == meaning, "a schema has one definition of each name, and `\(name)` is two things")
        } else {
            let place = definitions.endIndex
            definitions.append((name, .null))
            var book = self
            definitions[place].schema = describe(&book)
        }
        return .object([("$ref", .string("#/$defs/\(name)"))])
    }

    /// Adds a section, and then its fields.
    func section(_ title: String, _ meaning: String, _ forms: (inout SchemaBook) -> [[Field]]) {
        let place = sections.endIndex
        sections.append(Section(title: title, meaning: meaning, forms: []))
        var book = self
        sections[place].forms = forms(&book)
    }

    private func describe<Value: Record>(_ record: Value.Type) -> JSON {
        let place = sections.endIndex
        sections.append(Section(title: Value.title, meaning: Value.meaning, forms: []))
        var schemas: [JSON] = []
        var forms: [[Field]] = []
        for form in Value.forms {
            var fields = FieldDescription(book: self, fewest: Value.fewestFields)
            var form = form
            form.visit(&fields)
            forms.append(fields.fields)
            schemas.append(fields.schema)
        }
        sections[place].forms = forms
        guard schemas.count == 1, case .object(let fields) = schemas[0] else {
            return .object([("description", .string(Value.meaning)), ("oneOf", .array(schemas))])
        }
        return .object([("description", .string(Value.meaning))] + fields)
    }
}

/// Describes the fields of one form of a record.
private struct FieldDescription: Fields {
    var book: SchemaBook
    var fields: [SchemaBook.Field] = []
    private var properties: [(String, JSON)] = []
    private var required: [String] = []
    private var groups: [[String]] = []
    private let fewest: Int?

    init(book: SchemaBook, fewest: Int?) {
        self.book = book
        self.fewest = fewest
    }

    mutating func required<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, _ meaning: String
    ) {
        required.append(name)
        add(name, type.schema(&book, isLowestLeftOut: false), type.words, meaning)
    }

    mutating func optional<Kind: FieldType>(
        _ name: String, _ value: inout Kind.Value, _ type: Kind, default: Kind.Value,
        _ meaning: String
    ) {
        add(name, type.schema(&book, isLowestLeftOut: true), type.words, meaning, isOptional: true)
    }

    mutating func form<Word: RawRepresentable<String> & CaseIterable & Equatable>(
        _ name: String, _ value: inout Word, among: [Word], _ meaning: String
    ) -> Bool {
        if among.count == 1 {
            constant(name, .string(value.rawValue), meaning)
        } else {
            required(name, &value, WordType(allowed: among), meaning)
        }
        return true
    }

    mutating func constant(_ name: String, _ value: Scalar, _ meaning: String) {
        required.append(name)
        let type = FlagType(value)
        add(name, type.schema(&book, isLowestLeftOut: false), type.words, meaning)
    }

    mutating func group<Group: Record>(_ first: String, _ value: inout Group?) {
        let (before, start) = (required, fields.endIndex)
        required = []
        var group = Group.blank
        group.visit(&self)
        groups.append(required)
        required = before
        for index in fields[start...].indices { fields[index].isOptional = true }
    }

    private mutating func add(
        _ name: String, _ schema: JSON, _ type: String, _ meaning: String, isOptional: Bool = false
    ) {
        guard case .object(let members) = schema else { return }
        properties.append((name, .object(members + (meaning.isEmpty ? [] : [("description", .string(meaning))]))))
        fields.append(.init(name: name, type: type, meaning: meaning, isOptional: isOptional))
    }

    var schema: JSON {
        var members: [(String, JSON)] = [
            ("type", .string("object")), ("properties", .object(properties)),
            ("required", .array(required.map(JSON.string))), ("additionalProperties", .bool(false)),
        ]
        if let fewest { members.append(("minProperties", .int(fewest))) }
        if !groups.isEmpty {
            let needs = groups.flatMap { group in
                group.map { name in (name, JSON.array(group.filter { $0 != name }.map(JSON.string))) }
            }
            members.append(("dependentRequired", .object(needs)))
        }
        return .object(members)
    }
}

extension JSON {
    init(_ scalar: Scalar) {
        self =
            switch scalar {
            case .null: .null
            case .bool(let value): .bool(value)
            case .int(let value): .int(value)
            case .string(let value): .string(value)
            }
    }
}
