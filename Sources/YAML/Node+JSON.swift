/// Writing JSON.
public enum JSONText {
    /// The text as a JSON string. Everything but printable ASCII is escaped.
    public static func quote(_ text: String) -> String {
        var out = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: out += "\\\""
            case 0x5c: out += "\\\\"
            case 0x0a: out += "\\n"
            case 0x20...0x7e: out.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let digits = String(unit, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return out + "\""
    }
}

extension Node {
    /// The value as JSON on one line, fields in their order. What is plain stands as it was read, so the node has to
    /// come from JSON.
    public var json: String {
        switch value {
        case .scalar(let text, let isPlain): isPlain ? text : JSONText.quote(text)
        case .sequence(let items): "[" + items.map(\.json).joined(separator: ", ") + "]"
        case .mapping(let entries):
            "{" + entries.map { JSONText.quote($0.name) + ": " + $0.value.json }.joined(separator: ", ") + "}"
        }
    }
}
