internal import YAML

/// What one rendering may still cost. It is charged before the work is done, so that no value is ever built that is
/// beyond it.
///
/// One rendering has one, on one task.
final class TemplateBudget {
    /// Bytes of all values that a template builds, at most, whether it keeps them or not.
    private let maximumBytes: Int
    /// Parts of a template that are evaluated, items of lists that are gone through, and pieces of `stepBytes` bytes of
    /// texts that are looked at, at most.
    private let maximumSteps: Int
    /// Nested calls and blocks, at most.
    static let maximumDepth = 100
    /// Variables that may be declared at the same time.
    static let maximumVariables = 1000
    private static let stepBytes = 16
    /// Memory of an item of a list beside the item's bytes.
    private static let itemBytes = 32

    private var bytes: Int
    private var steps: Int

    init(bytes: Int = 64 << 20, steps: Int = 4_000_000) {
        maximumBytes = bytes
        maximumSteps = steps
        self.bytes = bytes
        self.steps = steps
    }

    /// One part of the template, or so many.
    func step(_ count: Int, _ mark: Mark) throws(TemplateProblem) {
        guard count <= steps else {
            throw TemplateProblem(mark, "the template takes more than \(maximumSteps) steps")
        }
        steps -= count
    }

    /// Looking at a text from its beginning to its end.
    func read(_ count: Int, _ mark: Mark) throws(TemplateProblem) { try step(count / Self.stepBytes + 1, mark) }

    /// Looking for one of `count` variables by its name.
    func find(among count: Int, _ mark: Mark) throws(TemplateProblem) { try step(count / 8, mark) }

    /// A text of `count` bytes that is about to be built, or a list of `items` with so many bytes in all.
    func build(_ count: Int, items: Int = 0, _ mark: Mark) throws(TemplateProblem) {
        let (cost, overflow) = count.addingReportingOverflow(
            items.multipliedReportingOverflow(by: Self.itemBytes).partialValue)
        guard !overflow, items <= maximumBytes / Self.itemBytes, cost <= bytes else {
            throw TemplateProblem(
                mark, "the template builds texts and lists of more than \(maximumBytes >> 20) MiB in all")
        }
        bytes -= cost
    }
}
