package import Model
package import Windows
package import YAML

/// The fields of an object in the JSON output of a command: each with its name, its type, its meaning and where its value
/// comes from.
///
/// The output is written with it, and the JSON Schema comes from it.
package struct OutputTable<Source> {
    /// For schemas.
    package private(set) var description: ObjectDescription
    private var fields: [(name: String, json: (Source) -> JSON?)] = []

    /// - Parameters:
    ///   - title: names the object in the schema.
    ///   - meaning: one sentence on what it is.
    package init(_ title: String, _ meaning: String, _ fill: (inout OutputTable) -> Void) {
        description = ObjectDescription(title: title, meaning: meaning)
        fill(&self)
    }

    package func json(_ source: Source) -> JSON {
        .object(fields.compactMap { field in field.json(source).map { (field.name, $0) } })
    }

    // MARK: Fields

    /// A field that is always there.
    package mutating func required<Value>(
        _ name: String, _ type: OutputType<Value>, _ meaning: String, _ value: @escaping (Source) -> Value
    ) { add(name, type.description, meaning) { type.json(value($0)) } }

    /// A field that is null if there is no value.
    package mutating func nullable<Value>(
        _ name: String, _ type: OutputType<Value>, _ meaning: String, _ value: @escaping (Source) -> Value?
    ) { add(name, type.description.orNull, meaning) { value($0).map(type.json) ?? .null } }

    /// A field that is left out if there is no value.
    package mutating func optional<Value>(
        _ name: String, _ type: OutputType<Value>, _ meaning: String, _ value: @escaping (Source) -> Value?
    ) { add(name, type.description, meaning, isOptional: true) { value($0).map(type.json) } }

    /// A field that always has this value.
    package mutating func constant(_ name: String, _ value: Scalar, _ meaning: String) {
        add(name, .constant(value), meaning) { _ in JSON(value) }
    }

    /// The fields of another table belong to this object.
    package mutating func include<Part>(_ table: OutputTable<Part>, of part: @escaping (Source) -> Part) {
        description.fields += table.description.fields
        fields += table.fields.map { field in (field.name, { field.json(part($0)) }) }
    }

    private mutating func add(
        _ name: String, _ value: ValueDescription, _ meaning: String, isOptional: Bool = false,
        _ json: @escaping (Source) -> JSON?
    ) {
        description.fields.append(.init(name: name, value: value, meaning: meaning, isOptional: isOptional))
        fields.append((name, json))
    }
}

/// What a field of a JSON output can be.
package struct OutputType<Value> {
    package let description: ValueDescription
    package let json: (Value) -> JSON

    package init(_ description: ValueDescription, _ json: @escaping (Value) -> JSON) {
        self.description = description
        self.json = json
    }

    /// The same as a field of a plan.
    init<Kind: FieldType<Value>>(_ type: Kind) { self.init(ValueDescription(type)) { type.json($0) ?? .null } }
}

extension OutputType {
    package static func integer(_ range: ClosedRange<Int>) -> Self where Value == Int {
        Self(IntegerType(range: range))
    }

    /// One of the words of a type, or of some of them.
    package static func word(_ allowed: [Value]? = nil) -> Self
    where Value: RawRepresentable<String> & CaseIterable & Equatable { Self(WordType(allowed: allowed)) }

    package static func name<Kind>() -> Self where Value == Name<Kind> { Self(ParsedType()) }

    package static func names<Kind>() -> Self where Value == [Name<Kind>] { .list(of: .name()) }

    package static func object(_ table: OutputTable<Value>) -> Self {
        Self(.object(table.description), table.json)
    }

    package static func list<Item>(of item: OutputType<Item>, least: Int = 0, isSet: Bool = false) -> Self
    where Value == [Item] {
        Self(.list(of: item.description, least: least, isSet: isSet)) { .array($0.map(item.json)) }
    }

    /// An object whose keys are somebody's.
    package static func map<Item>(_ key: String, to item: OutputType<Item>) -> Self where Value == [Plan.Named<Item>] {
        Self(.map(key, to: item.description)) { values in .object(values.map { ($0.name, item.json($0.value)) }) }
    }
}

extension OutputType<Int> {
    /// A number of things.
    package static var count: Self { .integer(0...Int.max) }
}

extension OutputType<Bool> {
    package static var boolean: Self { Self(BooleanType()) }
}

extension OutputType<String> {
    /// Any text.
    package static var text: Self { Self(TextType(.any)) }

    /// A command's name.
    package static var command: Self { Self(TextType(.command)) }

    /// The file of a command.
    package static var script: Self { Self(TextType(.script)) }
}

extension OutputType<[String]> {
    package static var texts: Self { .list(of: .text) }
}

extension OutputType<[String: String]> {
    /// Texts by key, sorted.
    package static func texts(by key: String) -> Self { Self(TextMapType(key: key)) }
}

extension OutputType<Digest> {
    package static var digest: Self { Self(ParsedType()) }
}

extension OutputType<Timestamp> {
    package static var instant: Self { Self(ParsedType()) }
}

extension OutputType<CivilTime> {
    package static var localTime: OutputType<CivilTime> { Self(ParsedType()) }
}

extension OutputType<DaySelector> {
    package static var day: OutputType<DaySelector> { Self(ParsedType()) }
}

// MARK: Parts of plans, as they are in the file

extension OutputType<HealthCheck.Check> {
    package static var check: Self { Self(RecordType()) }
}

extension OutputType<WorkerCommand> {
    package static var workerCommand: Self { Self(RecordType()) }
}

extension OutputType<Reboot.Rules> {
    package static var reboot: Self { Self(RecordType()) }
}

extension OutputType<RunCommand.Options> {
    package static var options: Self { Self(RecordType()) }
}

extension OutputType<Reboot.Options> {
    package static var options: Self { Self(RecordType()) }
}
