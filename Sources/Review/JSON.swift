/// A JSON value for machine output; objects keep the order of their fields.
public enum JSON {
    case null
    case bool(Bool)
    case int(Int)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    public static func optional(_ text: String?) -> JSON { text.map(JSON.string) ?? .null }

    /// Indented by two spaces, with a line feed at the end. Everything but ASCII is escaped, so nothing in a terminal
    /// or a page can be moved by it.
    public var text: String {
        var out = ""
        write(to: &out, indent: 0)
        return out + "\n"
    }

    private func write(to out: inout String, indent: Int) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .int(let value): out += String(value)
        case .string(let value): Self.write(value, to: &out)
        case .array(let items):
            Self.write(items, "[", "]", to: &out, indent: indent) { $0.write(to: &$1, indent: indent + 1) }
        case .object(let fields):
            Self.write(fields, "{", "}", to: &out, indent: indent) { field, out in
                Self.write(field.0, to: &out)
                out += ": "
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

    private static func write(_ text: String, to out: inout String) {
        out += "\""
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
        out += "\""
    }
}
