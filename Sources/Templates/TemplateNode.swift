public import YAML

/// The parts of a template, as they were read.
indirect enum TemplateNode: Sendable {
    case text(String)
    case output(Pipeline)
    case condition(Pipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case with(Pipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case range(Pipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case call(name: String, argument: Pipeline?, Mark)
    case leave(isBreak: Bool)
}

/// `$a := first | second`
struct Pipeline: Sendable {
    /// Names with `$`; two only for `range`.
    var variables: [String] = []
    var isDeclaration = false
    /// Each gets the result of the one before as its last argument.
    var commands: [Command] = []
    var mark: Mark
}

/// A value, or a function with its arguments.
struct Command: Sendable {
    var operands: [Operand]
    var mark: Mark
}

struct Operand: Sendable {
    enum Kind: Sendable {
        /// `.` or `.Field`
        case dot
        /// `$` or `$name`
        case variable(String)
        case literal(TemplateValue)
        case function(String)
        case parenthesis(Pipeline)
    }

    var kind: Kind
    /// Fields of what `kind` gives, one below the other.
    var fields: [String] = []
    var mark: Mark
}

/// What a template computes with.
public enum TemplateValue: Equatable, Sendable {
    case none
    case text(String)
    case number(Int)
    case boolean(Bool)
    case list([TemplateValue])
    case fields([String: TemplateValue])
    /// A text with the value of a secret, which planning does not know.
    case secret(SecretText)

    var isSecret: Bool { if case .secret = self { true } else { false } }

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
        case .none: return false
        case .text(let text): return !text.isEmpty
        case .number(let number): return number != 0
        case .boolean(let value): return value
        case .list(let items): return !items.isEmpty
        case .fields(let fields): return !fields.isEmpty
        }
    }

    /// As it is printed.
    var text: String {
        switch self {
        case .none: "<nil>"
        case .text(let text): text
        case .number(let number): String(number)
        case .boolean(let value): value ? "true" : "false"
        case .list(let items): "[" + items.map(\.text).joined(separator: " ") + "]"
        case .fields: "(fields)"
        // It becomes no part of another text: `TemplateCall.withSecrets` sees to that.
        case .secret: "(secret)"
        }
    }

    /// The bytes of `text`, without building it; as many steps as a list has items.
    var textSize: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .list(let items): items.reduce(1 + max(1, items.count)) { $0 + $1.textSize }
        case .number, .none, .boolean, .fields, .secret: text.utf8.count
        }
    }

    /// For messages.
    var typeName: String {
        switch self {
        case .none: "nothing"
        case .text: "a text"
        case .number: "a number"
        case .boolean: "true or false"
        case .list: "a list"
        case .fields: "the data of the template"
        case .secret: "a secret"
        }
    }
}

/// What is wrong with a template, and where.
public struct TemplateProblem: Error, Equatable, Sendable {
    public let mark: Mark
    public let message: String
    public let note: String?

    init(_ mark: Mark, _ message: String, note: String? = nil) {
        self.mark = mark
        self.message = message
        self.note = note
    }
}
