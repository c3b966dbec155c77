internal import Model
package import YAML

/// What a value of a JSON file may be: as a JSON Schema, and in words.
package struct ValueDescription {
    /// For references, such as `a name`.
    package let words: String
    /// The schema. What it refers to is put into the book.
    package let schema: (inout SchemaBook) -> JSON

    /// - Parameter members: of the schema.
    package init(_ words: String, _ members: [(String, JSON)]) {
        self.words = words
        schema = { _ in .object(members) }
    }

    private init(_ words: String, _ schema: @escaping (inout SchemaBook) -> JSON) {
        self.words = words
        self.schema = schema
    }

    /// The same as a field of a plan.
    init(_ type: some FieldType) { self.init(type.words) { type.schema(&$0, isLowestLeftOut: false) } }
}

extension ValueDescription {
    package static var boolean: Self { Self(BooleanType()) }
    package static var text: Self { Self("a text", [("type", .string("string"))]) }

    /// A text that matches a regular expression.
    package static func text(_ words: String, pattern: String) -> Self {
        Self(words, [("type", .string("string")), ("pattern", .string(pattern))])
    }

    package static func integer(_ range: ClosedRange<Int>) -> Self { Self(IntegerType(range: range)) }

    /// One of these texts.
    package static func word(_ words: [String]) -> Self {
        Self(words.map { "`\($0)`" }.joined(separator: ", "), [("enum", .array(words.map(JSON.string)))])
    }

    package static func constant(_ scalar: Scalar) -> Self { Self(FlagType(scalar)) }

    /// - Parameter isSet: whether no two items are the same.
    package static func list(of item: Self, least: Int = 0, isSet: Bool = false) -> Self {
        Self("list: \(item.words)") { book in
            var members: [(String, JSON)] = [("type", .string("array")), ("items", item.schema(&book))]
            if least > 0 { members.append(("minItems", .int(least))) }
            if isSet { members.append(("uniqueItems", .bool(true))) }
            return .object(members)
        }
    }

    /// An object whose keys are the user's.
    ///
    /// - Parameters:
    ///   - keys: what they are; nil if they can be anything.
    ///   - most: how many there may be.
    package static func map(_ keyWords: String, keys: Self? = nil, to value: Self, most: Int? = nil) -> Self {
        Self("\(keyWords) → \(value.words)") { book in
            var members: [(String, JSON)] = [("type", .string("object"))]
            if let keys { members.append(("propertyNames", keys.schema(&book))) }
            members.append(("additionalProperties", value.schema(&book)))
            if let most { members.append(("maxProperties", .int(most))) }
            return .object(members)
        }
    }

    /// One of several values.
    package static func either(_ values: [Self]) -> Self {
        Self(values.map(\.words).joined(separator: ", or ")) { book in
            .object([("anyOf", .array(values.map { $0.schema(&book) }))])
        }
    }

    package static func object(_ object: ObjectDescription) -> Self {
        Self("[\(object.title)](#\(object.title))") { $0.reference(to: object) }
    }

    /// The same in other words.
    package func called(_ words: String) -> Self { Self(words, schema) }

    /// Or `null`.
    package var orNull: Self { Self(words, isNullable) }

    private func isNullable(_ book: inout SchemaBook) -> JSON {
        let own = schema(&book)
        guard case .object(var members) = own else { return own }
        let null = JSON.object([("type", .string("null"))])
        for index in members.indices {
            switch members[index] {
            case ("type", .string(let type)): members[index].1 = .array([.string(type), .string("null")])
            case ("enum", .array(let words)): members[index].1 = .array(words + [.null])
            case ("anyOf", .array(let values)): members[index].1 = .array(values + [null])
            case ("$ref", _), ("const", _), ("oneOf", _): return .object([("anyOf", .array([own, null]))])
            default: break
            }
        }
        return .object(members)
    }
}

extension ValueDescription {
    /// What jobs, workers and hosts can be called.
    package static var name: Self { Self(ParsedType<Name<Never>>()) }
    package static var version: Self { Self(TextType(.version)) }

    /// A text with at least one character.
    package static func filled(_ words: String) -> Self {
        Self(words, [("type", .string("string")), ("minLength", .int(1))])
    }

    /// A text that does not consist of blanks alone.
    package static func visible(_ words: String) -> Self { text(words, pattern: "\\S") }
}
