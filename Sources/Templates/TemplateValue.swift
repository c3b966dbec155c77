internal import YAML

/// What a template computes with: Go's `string`, `int`, `uint8`, `bool`, `[]string`, a struct, and nothing.
public enum TemplateValue: Equatable, Sendable {
    case none
    /// A text: any bytes.
    case bytes([UInt8])
    case number(Int)
    /// A byte of a text, which `index` gives.
    case byte(UInt8)
    case boolean(Bool)
    /// A list of texts.
    case list([[UInt8]])
    case fields([String: TemplateValue])
    /// A text with the value of a secret, which planning does not know.
    case secret(SecretText)
    /// A field that no template may use.
    case refused(TemplateRefusal)

    public static func text(_ text: String) -> TemplateValue { .bytes(Array(text.utf8)) }

    public static func texts(_ texts: [String]) -> TemplateValue { .list(texts.map { Array($0.utf8) }) }

    var isSecret: Bool { if case .secret = self { true } else { false } }

    /// A text by its type, whether its value is known or not.
    var isText: Bool {
        switch self {
        case .bytes, .secret: true
        case .none, .number, .byte, .boolean, .list, .fields, .refused: false
        }
    }

    /// What `if` takes for true.
    ///
    /// - Throws: `TemplateProblem` if only the value of a secret could tell.
    func truth(_ mark: Mark) throws(TemplateProblem) -> Bool {
        switch self {
        case .secret(let text):
            if text.mayBeEmpty {
                throw TemplateProblem(
                    mark, "whether this is empty depends on the value of a secret, and planning reads none",
                    note: "ask for the secret itself: a stored one is never empty")
            }
            return true
        case .none, .refused: return false
        case .bytes(let text): return !text.isEmpty
        case .number(let number): return number != 0
        case .byte(let byte): return byte != 0
        case .boolean(let value): return value
        case .list(let items): return !items.isEmpty
        // As every struct of Go.
        case .fields: return true
        }
    }

    /// As it is printed where it stands alone.
    ///
    /// - Returns: nil for what is never printed: fields, and a secret, which becomes no part of another text
    ///   (`TemplateCall.withSecrets` sees to that).
    var printed: TextBytes? {
        switch self {
        case .none: Array("<no value>".utf8)
        case .bytes(let text): text
        case .number(let number): Array(String(number).utf8)
        case .byte(let byte): Array(String(byte).utf8)
        case .boolean(let value): Array((value ? "true" : "false").utf8)
        case .list(let items): Array("[".utf8) + items.joined(separator: " ".utf8) + Array("]".utf8)
        case .fields, .secret, .refused: nil
        }
    }

    /// As an argument of `print`.
    var argument: TextBytes? { if case .none = self { Array("<nil>".utf8) } else { printed } }

    /// At least the bytes of `printed` and `argument`, without building them; as many steps as a list has items.
    var printedSize: Int {
        switch self {
        case .bytes(let text): text.count
        case .list(let items): items.reduce(1 + max(1, items.count)) { $0 + $1.count }
        case .number, .none, .byte, .boolean, .fields, .secret, .refused: 20
        }
    }

    /// For messages.
    var typeName: String {
        switch self {
        case .none: "nothing"
        case .bytes: "a text"
        case .number: "a number"
        case .byte: "a byte of a text"
        case .boolean: "true or false"
        case .list: "a list"
        case .fields, .refused: "the data of the template"
        case .secret: "a secret"
        }
    }
}
