public import YAML

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

/// Why a value is not given to a template.
public struct TemplateRefusal: Error, Equatable {
    public let message: String
    public let note: String?

    public init(_ message: String, note: String? = nil) {
        self.message = message
        self.note = note
    }
}
