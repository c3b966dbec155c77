internal import YAML

/// What has to hold between the fields of an object.
package struct InputRule {
    /// What says the same in a schema.
    let schema: JSON
    let check: (inout MappingReader, Reader) -> Void

    /// Not both fields may be there.
    ///
    /// - Parameters:
    ///   - path: names of fields, each in the object before it; the error is at the last one.
    ///   - other: another field.
    ///   - isMap: whether both are objects, and empty ones are as good as none.
    package static func notBoth(
        _ path: [String], _ other: String, isMap: Bool = false, _ message: String, note: String
    ) -> InputRule {
        InputRule(
            schema: .object([("not", .object([("allOf", .array([has(path[...], isMap), has([other], isMap)]))]))]),
            check: { map, reader in
                let hasOther = find([other], in: &map, reader, isMap: isMap) != nil
                guard hasOther, let node = find(path[...], in: &map, reader, isMap: isMap) else { return }
                reader.error(node, message, note: note)
            })
    }

    private static func find(
        _ path: ArraySlice<String>, in map: inout MappingReader, _ reader: Reader, isMap: Bool
    ) -> Node? {
        guard let name = path.first, let node = map.optional(name) else { return nil }
        if path.count == 1 {
            guard isMap else { return node }
            if case .mapping(let entries) = node.value, !entries.isEmpty { return node }
            return nil
        }
        guard node.kind == .mapping, var inner = reader.mapping(node) else { return nil }
        return find(path.dropFirst(), in: &inner, reader, isMap: isMap)
    }

    private static func has(_ path: ArraySlice<String>, _ isMap: Bool) -> JSON {
        guard let name = path.first else { return .object([]) }
        if path.count > 1, case .object(let inner) = has(path.dropFirst(), isMap) { return .has(name, inner) }
        if isMap { return .has(name, [("type", .string("object")), ("minProperties", .int(1))]) }
        return .has(name, [("not", .object([("type", .string("null"))]))])
    }
}
