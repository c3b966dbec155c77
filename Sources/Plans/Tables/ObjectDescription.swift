package import YAML

/// An object of a JSON file: its fields, and what a schema can say of them together.
package struct ObjectDescription {
    package struct Field {
        let name: String
        let value: ValueDescription
        /// In Markdown; links are for the reference alone.
        let meaning: String
        var isOptional = false
        /// What holds without the field.
        var initial: JSON?
        /// Whether it is read for the sake of old files alone.
        var isOld = false
    }

    /// Names the object in the schema and in the reference.
    package let title: String
    /// One sentence on what it is.
    let meaning: String
    package internal(set) var fields: [Field] = []
    /// Schemas that all of them have to fit.
    package internal(set) var rules: [JSON] = []
    /// Whether it may have other fields, which are not ours.
    var isOpen = false
}

extension SchemaBook {
    /// Refers to an object, and describes it the first time.
    package func reference(to object: ObjectDescription) -> JSON {
        reference(to: object.title, object.meaning) { $0.describe(object) }
    }

    /// The schema of the object itself. Its section is added.
    func describe(_ object: ObjectDescription) -> JSON {
        var properties: [(String, JSON)] = []
        section(object.title, object.meaning) { book in
            properties = object.fields.map { ($0.name, book.schema(of: $0)) }
            return [object.fields.map(Field.init)]
        }
        var members: [(String, JSON)] = [
            ("description", .string(Self.plain(object.meaning))), ("type", .string("object")),
            ("properties", .object(properties)),
        ]
        let required = object.fields.filter { !$0.isOptional }.map(\.name)
        if !required.isEmpty { members.append(("required", .array(required.map(JSON.string)))) }
        if !object.isOpen { members.append(("additionalProperties", .bool(false))) }
        if !object.rules.isEmpty { members.append(("allOf", .array(object.rules))) }
        return .object(members)
    }

    private func schema(of field: ObjectDescription.Field) -> JSON {
        var book = self
        guard case .object(var members) = field.value.schema(&book) else { return .null }
        if field.isOld { members.append(("deprecated", .bool(true))) }
        if !field.meaning.isEmpty { members.append(("description", .string(Self.plain(field.meaning)))) }
        if let initial = field.initial { members.append(("default", initial)) }
        return .object(members)
    }

    /// The schema of a whole file.
    ///
    /// - Parameters:
    ///   - title: what the file is.
    ///   - description: what a schema cannot say of it.
    package static func document(_ object: ObjectDescription, title: String, description: String) -> JSON {
        let book = SchemaBook()
        let root = book.describe(object)
        return book.document(root, title: title, description: description)
    }

    /// The schema of a file that is a list, or that has several forms.
    package static func document(_ value: ValueDescription, title: String, description: String) -> JSON {
        var book = SchemaBook()
        let root = value.schema(&book)
        return book.document(root, title: title, description: description)
    }

    /// All objects of a file, the outermost first.
    package static func sections(of object: ObjectDescription) -> [Section] {
        let book = SchemaBook()
        _ = book.describe(object)
        return book.sections
    }

    /// A text without the targets of its links.
    private static func plain(_ markdown: String) -> String {
        let parts = markdown.split(separator: "](")
        return parts.indices.map { index -> String in
            var part = index == 0 ? parts[index] : parts[index].drop { $0 != ")" }.dropFirst()
            if index + 1 < parts.count, let bracket = part.lastIndex(of: "[") { part.remove(at: bracket) }
            return String(part)
        }.joined()
    }
}

extension SchemaBook.Field {
    init(_ field: ObjectDescription.Field) {
        self.init(
            name: field.name, type: field.value.words, meaning: field.meaning, isOptional: field.isOptional,
            initial: field.initial)
    }
}

/// Parts of schemas that say something of several fields.
extension JSON {
    /// The object has a field whose schema has these members.
    package static func has(_ name: String, _ members: [(String, JSON)]) -> JSON {
        .object([("required", .array([.string(name)])), ("properties", .object([(name, .object(members))]))])
    }

    /// The object has a field with a text that is not empty.
    package static func filled(_ name: String) -> JSON {
        has(name, [("type", .string("string")), ("minLength", .int(1))])
    }

    package static func anyOf(_ schemas: [JSON]) -> JSON { .object([("anyOf", .array(schemas))]) }

    package static func when(_ condition: JSON, then: JSON) -> JSON { .object([("if", condition), ("then", then)]) }
}
