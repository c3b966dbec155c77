/// A JSON value for machine output; objects keep the order of their fields.
public enum JSON {
    case null
    case bool(Bool)
    case int(Int)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    /// The text, or null where there is none.
    public static func optional(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }

    /// Indented by two spaces, with a line feed at the end. Everything but ASCII is escaped, so nothing in a terminal
    /// or a page can be moved by it.
    public var text: String {
        var out = ""
        write(to: &out, indent: 0)
        return out + "\n"
    }

    /// On one line, without a line feed. Everything but ASCII is escaped.
    public var line: String {
        switch self {
        case .null, .bool, .int, .string:
            var out = ""
            write(to: &out, indent: 0)
            return out
        case .array(let items): return "[" + items.map(\.line).joined(separator: ",") + "]"
        case .object(let fields):
            return "{" + fields.map { "\(JSONText.quote($0.0)):\($0.1.line)" }.joined(separator: ",") + "}"
        }
    }

    private func write(to out: inout String, indent: Int) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .int(let value): out += String(value)
        case .string(let value): out += JSONText.quote(value)
        case .array(let items):
            Self.write(items, "[", "]", to: &out, indent: indent) { $0.write(to: &$1, indent: indent + 1) }
        case .object(let fields):
            Self.write(fields, "{", "}", to: &out, indent: indent) { field, out in
                out += JSONText.quote(field.0) + ": "
                field.1.write(to: &out, indent: indent + 1)
            }
        }
    }

    private static func write<Item>(
        _ items: [Item], _ open: String, _ close: String, to out: inout String, indent: Int,
        _ body: (Item, inout String) -> Void
    ) {
        if items.isEmpty {
            out += open + close
            return
        }
        let margin = String(repeating: "  ", count: indent)
        for (index, item) in items.enumerated() {
            out += (index == 0 ? open : ",") + "\n" + margin + "  "
            body(item, &out)
        }
        out += "\n" + margin + close
    }
}
