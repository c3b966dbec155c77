internal import YAML

/// The parts of a template, as they were read.
indirect enum TemplateNode: Sendable {
    case text(TextBytes)
    case output(Pipeline)
    case condition(Pipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case with(Pipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case range(Pipeline, body: [TemplateNode], otherwise: [TemplateNode])
    case call(name: TextBytes, argument: Pipeline?, Mark)
    case leave(isBreak: Bool)

    /// White space: a template of nothing else counts as empty.
    var isBlank: Bool { if case .text(let text) = self { text.trimmed.isEmpty } else { false } }
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
        case function(TemplateFunction)
        case parenthesis(Pipeline)
    }

    var kind: Kind
    /// Fields of what `kind` gives, one below the other.
    var fields: [String] = []
    var mark: Mark
}
