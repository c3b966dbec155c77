internal import YAML

/// Collects what a template asks for and does not get, while it goes on with a text in its place.
///
/// One rendering has one, on one task.
final class TemplateMisses {
    /// In the order in which they were met, each once.
    private(set) var problems: [TemplateProblem] = []

    /// Problems that are kept.
    static let limit = 100

    /// What stands for a missing value: most functions take it.
    static let standIn = TemplateValue.text("1")

    func add(_ problem: TemplateProblem) {
        if problems.count < Self.limit, !problems.contains(problem) { problems.append(problem) }
    }

    /// Notes what keeps a part of the template from being rendered: after a missing value it may follow from that.
    func addUnlessItFollows(_ problem: TemplateProblem) { if problems.isEmpty { add(problem) } }
}
