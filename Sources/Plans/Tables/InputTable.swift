package import YAML

/// The fields of an object in a file that people write: each with its name, its type, its default and its meaning.
///
/// The file is read with it, and the JSON Schema and the reference come from it.
package struct InputTable<Target> {
    /// For schemas and references.
    package private(set) var description: ObjectDescription
    /// What the object is without any field.
    private let blank: Target
    private var fields: [Field] = []
    private var rules: [InputRule] = []

    private struct Field {
        let name: String
        let isRequired: Bool
        let take: (Node, Reader, inout Target) -> Void
    }

    /// - Parameters:
    ///   - title: names the object in the schema and in the reference.
    ///   - meaning: one sentence on what it is.
    ///   - isOpen: whether other fields are somebody else's. Then names are exact, and `null` is a value.
    package init(
        _ title: String, _ meaning: String, blank: Target, isOpen: Bool = false,
        _ fill: (inout InputTable) -> Void
    ) {
        self.blank = blank
        description = ObjectDescription(title: title, meaning: meaning, isOpen: isOpen)
        fill(&self)
    }

    /// Reads an object; nil if it is none.
    package func read(_ node: Node, _ reader: Reader) -> Target? {
        guard var map = reader.mapping(node) else { return nil }
        var target = blank
        read(&map, reader, into: &target)
        if !description.isOpen { map.finish() }
        return target
    }

    /// Reads the fields, and leaves unknown ones to the caller.
    package func read(_ map: inout MappingReader, _ reader: Reader, into target: inout Target) {
        for field in fields {
            if let node = node(field, &map) { field.take(node, reader, &target) }
        }
        for rule in rules { rule.check(&map, reader) }
    }

    private func node(_ field: Field, _ map: inout MappingReader) -> Node? {
        if description.isOpen { return map.entries.first { $0.name == field.name }?.value }
        return field.isRequired ? map.required(field.name) : map.optional(field.name)
    }

    // MARK: Fields

    private mutating func add<Value>(
        _ name: String, _ type: InputType<Value>, _ meaning: String, isRequired: Bool = false, isOld: Bool = false,
        initial: JSON? = nil, _ take: @escaping (inout Target, Value, Node) -> Void
    ) {
        let value = isRequired || description.isOpen ? type.description : type.description.orNull
        description.fields.append(
            .init(
                name: name, value: value, meaning: meaning, isOptional: !isRequired, initial: initial, isOld: isOld))
        fields.append(
            Field(name: name, isRequired: isRequired) { node, reader, target in
                if let value = type.read(node, reader) { take(&target, value, node) }
            })
    }

    /// A field that has to be there.
    ///
    /// - Parameter take: gets the value and where it is.
    package mutating func required<Value>(
        _ name: String, _ type: InputType<Value>, _ meaning: String,
        _ take: @escaping (inout Target, Value, Node) -> Void
    ) { add(name, type, meaning, isRequired: true, take) }

    /// A field that may be missing.
    ///
    /// - Parameters:
    ///   - initial: what holds without the field; nil if that needs words.
    ///   - isOld: whether it is read for the sake of old files alone.
    ///   - take: gets the value and where it is.
    package mutating func optional<Value>(
        _ name: String, _ type: InputType<Value>, _ meaning: String, initial: Value? = nil, isOld: Bool = false,
        _ take: @escaping (inout Target, Value, Node) -> Void
    ) { add(name, type, meaning, isOld: isOld, initial: initial.flatMap(type.json), take) }

    /// A field that may be missing. Its default is what the blank object has.
    package mutating func optional<Value>(
        _ name: String, _ path: WritableKeyPath<Target, Value>, _ type: InputType<Value>, _ meaning: String
    ) {
        add(name, type, meaning, initial: type.json(blank[keyPath: path])) { target, value, _ in
            target[keyPath: path] = value
        }
    }

    /// A field that may be missing, and has no default.
    package mutating func optional<Value>(
        _ name: String, _ path: WritableKeyPath<Target, Value?>, _ type: InputType<Value>, _ meaning: String
    ) { add(name, type, meaning) { target, value, _ in target[keyPath: path] = value } }

    /// An object whose fields belong to this one.
    package mutating func inside(_ name: String, _ table: InputTable, _ meaning: String) {
        let value = ValueDescription.object(table.description).orNull
        description.fields.append(.init(name: name, value: value, meaning: meaning, isOptional: true))
        fields.append(
            Field(name: name, isRequired: false) { node, reader, target in
                guard var map = reader.mapping(node) else { return }
                table.read(&map, reader, into: &target)
                map.finish()
            })
    }

    /// A field that is known by the time that this table is chosen: it has this value, in any case of letters.
    package mutating func constant(_ name: String, _ text: String, _ meaning: String) {
        description.fields.append(.init(name: name, value: .constant(.string(text)), meaning: meaning))
        fields.append(Field(name: name, isRequired: true) { _, _, _ in })
    }

    /// What has to hold between fields. It is checked when they have been read.
    package mutating func rule(_ rule: InputRule) {
        rules.append(rule)
        description.rules.append(rule.schema)
    }

    /// What a schema says of the fields together, if ``read(_:_:)`` does not check it.
    package mutating func described(by schema: JSON) { description.rules.append(schema) }
}

/// What a field of a file that people write can be.
package struct InputType<Value> {
    package let description: ValueDescription
    /// Returns nil after an error was recorded.
    package let read: (Node, Reader) -> Value?
    /// As a default in a schema.
    fileprivate let json: (Value) -> JSON?

    private init(
        _ description: ValueDescription, _ read: @escaping (Node, Reader) -> Value?, _ json: @escaping (Value) -> JSON?
    ) {
        self.description = description
        self.read = read
        self.json = json
    }

    /// - Parameters:
    ///   - read: returns nil after it has recorded an error.
    ///   - json: as a default in a schema.
    package init(
        _ description: ValueDescription, json: @escaping (Value) -> JSON? = { _ in nil },
        read: @escaping (Node) -> Value?
    ) { self.init(description, { node, _ in read(node) }, json) }

    init<Kind: FieldType<Value>>(_ type: Kind) { self.init(ValueDescription(type), type.read, type.json) }

    /// The same, with another reading.
    package func reading(_ read: @escaping (Node) -> Value?) -> Self { Self(description, json: json, read: read) }
}

extension InputType {
    package static func integer(_ range: ClosedRange<Int>) -> Self where Value == Int {
        Self(IntegerType(range: range))
    }

    package static func object(_ table: InputTable<Value>) -> Self {
        Self(.object(table.description), table.read) { _ in nil }
    }

    /// Items that cannot be read are left out, and errors are recorded.
    package static func list<Item>(of item: InputType<Item>) -> Self where Value == [Item] {
        Self(
            .list(of: item.description),
            { node, reader in
                reader.sequence(node).map { $0.compactMap { item.read($0, reader) } }
            }, { _ in nil })
    }
}

extension InputType<Bool> {
    package static var boolean: Self { Self(BooleanType()) }
}

extension InputType<String> {
    /// Any text.
    package static var text: Self { Self(TextType(.any)) }
}
