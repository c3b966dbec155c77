internal import Model
internal import YAML

/// A list. Lists of records have a line for each item; all others stand on one line.
struct ListType<Element: FieldType>: FieldType {
    let element: Element
    var style = Emitter.Style.flow
    var minimum = 0
    var maximum: Int?

    func read(_ node: Node, _ reader: Reader) -> [Element.Value]? {
        guard let nodes = reader.sequence(node) else { return nil }
        if nodes.count < minimum || nodes.count > maximum ?? .max {
            let expected = maximum.map { $0 == minimum ? "\($0)" : "\(minimum) to \($0)" } ?? "at least \(minimum)"
            reader.error(node, "the list has to have \(expected) items, and has \(nodes.count)")
            return nil
        }
        var items: [Element.Value] = []
        items.reserveCapacity(nodes.count)
        for node in nodes { if let item = element.read(node, reader) { items.append(item) } }
        return items.count == nodes.count ? items : nil
    }

    func write(_ value: [Element.Value], as place: Place, to out: inout Emitter) {
        out.sequence(place, style) { out in for item in value { element.write(item, as: .item, to: &out) } }
    }

    func json(_ value: [Element.Value]) -> JSON? { .array(value.compactMap(element.json)) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        var fields: [(String, JSON)] = [("type", .string("array"))]
        let fewest = max(minimum, isLowestLeftOut ? 1 : 0)
        if fewest > 0 { fields.append(("minItems", .int(fewest))) }
        if let maximum { fields.append(("maxItems", .int(maximum))) }
        fields.append(("items", element.schema(&book, isLowestLeftOut: false)))
        return .object(fields)
    }

    var words: String { "list: \(element.words)" }
}

extension Array: FieldValue where Element: FieldValue {
    static var fieldType: ListType<Element.FieldKind> {
        ListType(element: Element.fieldType, style: Element.FieldKind.self is any RecordStyle.Type ? .block : .flow)
    }
}

/// Types whose lists have a line for each item.
private protocol RecordStyle {}
extension RecordType: RecordStyle {}
extension ListType: RecordStyle where Element: RecordStyle {}

/// A mapping whose keys are the user's, in the order of the file.
struct MapType<Element: FieldType>: FieldType where Element.Value: Sendable {
    let element: Element
    var style = Emitter.Style.flow
    /// What the keys are, for the reference.
    let key: String

    func read(_ node: Node, _ reader: Reader) -> [Plan.Named<Element.Value>]? {
        guard let map = reader.mapping(node) else { return nil }
        var items: [Plan.Named<Element.Value>] = []
        items.reserveCapacity(map.entries.count)
        for entry in map.entries {
            guard let name = reader.string(entry.key), let value = element.read(entry.value, reader) else { continue }
            items.append(.init(name, value))
        }
        return items.count == map.entries.count ? items : nil
    }

    func write(_ value: [Plan.Named<Element.Value>], as place: Place, to out: inout Emitter) {
        out.mapping(place, style) { out in
            for item in value { element.write(item.value, as: .field(item.name), to: &out) }
        }
    }

    func json(_ value: [Plan.Named<Element.Value>]) -> JSON? {
        .object(value.compactMap { item in element.json(item.value).map { (item.name, $0) } })
    }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        var fields: [(String, JSON)] = [("type", .string("object"))]
        if isLowestLeftOut { fields.append(("minProperties", .int(1))) }
        fields.append(("additionalProperties", element.schema(&book, isLowestLeftOut: false)))
        return .object(fields)
    }

    var words: String { "\(key) → \(element.words)" }
}

/// A mapping of texts that has no order: it is written sorted by the bytes of its keys.
struct TextMapType: FieldType {
    private let map: MapType<TextType>

    /// - Parameter key: what the keys are, for the reference.
    init(key: String, text: TextFormat = .any) { map = MapType(element: TextType(text), key: key) }

    private func sorted(_ value: [String: String]) -> [Plan.Named<String>] {
        value.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { .init($0.key, $0.value) }
    }

    func read(_ node: Node, _ reader: Reader) -> [String: String]? {
        map.read(node, reader).map { items in
            Dictionary(items.map { ($0.name, $0.value) }, uniquingKeysWith: { _, last in last })
        }
    }

    func write(_ value: [String: String], as place: Place, to out: inout Emitter) {
        map.write(sorted(value), as: place, to: &out)
    }

    func json(_ value: [String: String]) -> JSON? { map.json(sorted(value)) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        map.schema(&book, isLowestLeftOut: isLowestLeftOut)
    }

    var words: String { map.words }
}
