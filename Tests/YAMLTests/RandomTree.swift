import YAML

/// A random value, to be written and read again.
indirect enum RandomTree {
    case scalar(Scalar)
    case list([RandomTree], Emitter.Style)
    case fields([(key: String, value: RandomTree)], Emitter.Style)

    /// Texts that some reader takes for something else, or that hide something.
    static let nasty = [
        "", " ", "a ", " a", "-", "- a", "?", ":", "a:", "a: b", ":a", "#", "a #b", "a#b", "[", "]", "{}", "a,b", "&a",
        "*a", "!a", "|", ">", "%", "@", "`", "'", "\"", "\\", "\\n", "~", "null", "Null", "NULL", "true", "False",
        "yes",
        "No", "ON", "off", "y", "N", "nan", ".nan", ".inf", "-.INF", "inf", "0", "00", "017", "0x1F", "0o17", "0b1",
        "1_000", "1e3", "1.0", "-1", "+1", ".5", "5.", "1:30", "190:20:30", "2001-01-01", "1.2.3", "10.0.0.1", "=",
        "<<",
        "---", "...", "--- a", "sha256:0a", "sha256:", "sha256:0A", "SHA256:ab+/c=", "a:b", "http://a/b?c=d#e", "a\tb",
        "a\nb", "\n", "a\r\nb", "\0", "\u{1B}[31m", "\u{7F}", "\u{85}", "\u{A0}", "\u{AD}", "\u{200B}", "\u{202E}abc",
        "\u{2066}", "\u{2028}", "\u{2029}", "\u{FEFF}", "\u{FFFE}", "\u{FFFF}", "\u{1FFFE}", "\u{E0041}", "é",
        "e\u{301}",
        "日本語", "🇩🇪👨‍👩‍👧", "\u{10FFFD}", "\u{E000}", "_", "_a-b./c", "a-", "a.", "a/", "Österreich", "{{ .Value }}",
        "conf/*.yml", "x y", "null ", "é: b", "\u{301}",
    ]

    static func text(_ generator: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<40, using: &generator) {
        case 0..<26:
            return nasty.randomElement(using: &generator) ?? ""
        case 26:
            return String(repeating: nasty.randomElement(using: &generator) ?? "x", count: 700)
        default:
            var scalars = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0..<12, using: &generator) {
                let limit: UInt32 = [0x80, 0x250, 0x3000, 0x11_0000].randomElement(using: &generator) ?? 0x80
                if let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) {
                    scalars.append(scalar)
                }
            }
            return String(scalars)
        }
    }

    static func root(_ generator: inout SeededGenerator, depth: Int = 0) -> [(key: String, value: RandomTree)] {
        var names: Set<String> = []
        var fields: [(key: String, value: RandomTree)] = []
        for _ in 0..<Int.random(in: 0..<6, using: &generator) {
            let name = text(&generator)
            if names.insert(name).inserted { fields.append((name, tree(&generator, depth: depth + 1))) }
        }
        return fields
    }

    private static func tree(_ generator: inout SeededGenerator, depth: Int) -> RandomTree {
        let style: Emitter.Style = Int.random(in: 0..<3, using: &generator) == 0 ? .flow : .block
        switch Int.random(in: 0..<(depth > 4 ? 4 : 8), using: &generator) {
        case 0, 1: return .scalar(.string(text(&generator)))
        case 2: return .scalar(.int(Int(truncatingIfNeeded: generator.next())))
        case 3: return .scalar([.bool(true), .bool(false), .null].randomElement(using: &generator) ?? .null)
        case 4, 5:
            let count = Int.random(in: 0..<4, using: &generator)
            return .list((0..<count).map { _ in tree(&generator, depth: depth + 1) }, style)
        default:
            return .fields(root(&generator, depth: depth), style)
        }
    }

    static func bytes(_ fields: [(key: String, value: RandomTree)]) -> [UInt8] {
        var emitter = Emitter()
        write(fields, to: &emitter)
        return emitter.finish()
    }

    private static func write(_ fields: [(key: String, value: RandomTree)], to emitter: inout Emitter) {
        for (key, value) in fields {
            switch value {
            case .scalar(let scalar): emitter.field(key, scalar)
            case .list(let items, let style): emitter.sequence(key, style) { write(items, to: &$0) }
            case .fields(let fields, let style): emitter.mapping(key, style) { write(fields, to: &$0) }
            }
        }
    }

    private static func write(_ items: [RandomTree], to emitter: inout Emitter) {
        for item in items {
            switch item {
            case .scalar(let scalar): emitter.item(scalar)
            case .list(let items, let style): emitter.sequenceItem(style) { write(items, to: &$0) }
            case .fields(let fields, let style): emitter.mappingItem(style) { write(fields, to: &$0) }
            }
        }
    }

    /// Whether the node holds this very value; texts compare by their scalars, not by equivalence.
    func isHeld(by node: Node) -> Bool {
        switch (self, node.value) {
        case (.scalar(.string(let text)), .scalar(let read, let isPlain)):
            text.unicodeScalars.elementsEqual(read.unicodeScalars) && (!isPlain || node.kind == .text)
        case (.scalar(.int(let number)), .scalar(let read, isPlain: true)): read == String(number)
        case (.scalar(.bool(let flag)), .scalar(let read, isPlain: true)): read == String(flag)
        case (.scalar(.null), .scalar(let read, isPlain: true)): read == "null"
        case (.list(let items, _), .sequence(let nodes)):
            items.count == nodes.count && zip(items, nodes).allSatisfy { $0.isHeld(by: $1) }
        case (.fields(let fields, _), .mapping(let entries)):
            fields.count == entries.count
                && zip(fields, entries).allSatisfy { field, entry in
                    field.key.unicodeScalars.elementsEqual(entry.name.unicodeScalars) && entry.key.kind == .text
                        && field.value.isHeld(by: entry.value)
                }
        default: false
        }
    }

    /// The value as ASCII JSON, for another program to compare with.
    var json: String {
        switch self {
        case .scalar(.string(let text)): Self.json(text)
        case .scalar(.int(let number)): String(number)
        case .scalar(.bool(let flag)): String(flag)
        case .scalar(.null): "null"
        case .list(let items, _): "[" + items.map(\.json).joined(separator: ", ") + "]"
        case .fields(let fields, _):
            "{" + fields.map { "\(Self.json($0.key)): \($0.value.json)" }.joined(separator: ", ") + "}"
        }
    }

    private static func json(_ text: String) -> String {
        var result = "\""
        for unit in text.utf16 {
            let digits = String(unit, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return result + "\""
    }
}
