public import Model
internal import YAML

/// A template in the language of Go's text/template, with Maand's functions. It computes with texts, whole numbers, truth
/// values and lists. It becomes exactly the bytes that Go makes of it, or it is refused: what is refused although Go renders
/// it is listed in `docs/templates.md`.
///
/// Rendering is pure: the same template, data and values give the same text.
public struct Template: Sendable {
    private let nodes: [TemplateNode]
    private let named: [[UInt8]: [TemplateNode]]

    /// Bytes that a template may become, at most.
    static let maximumOutput = 4 << 20

    /// - Throws: what is wrong with the template first.
    public init(_ source: [UInt8]) throws(TemplateProblem) {
        var parser = try TemplateParser(source)
        nodes = try parser.template()
        named = parser.named
    }

    /// What a template becomes.
    public enum Rendered: Equatable, Sendable {
        /// The bytes of the file.
        case plain([UInt8])
        /// Values of secrets belong into it.
        case sealed(SealedFile)
    }

    /// - Parameters:
    ///   - data: what `.` is.
    ///   - values: gives the functions `get`, `getOptional`, `getSecret` and `keys` what they ask for.
    public func render(_ data: TemplateValue, values: any TemplateValues) throws(TemplateProblem) -> Rendered {
        try render(data, values: values, budget: TemplateBudget())
    }

    func render(
        _ data: TemplateValue, values: any TemplateValues, budget: TemplateBudget
    ) throws(TemplateProblem) -> Rendered {
        var rendering = Rendering(
            named: named, functions: TemplateFunctions(values: values, budget: budget, misses: nil), budget: budget)
        _ = try rendering.run(nodes, dot: data)
        return rendering.result
    }

    /// Everything that keeps the template from being rendered, as far as one problem does not hide another, in the order of
    /// the file: each value that it asks for and does not get, or else what is wrong first. Empty if it can be rendered.
    public func problems(_ data: TemplateValue, values: any TemplateValues) -> [TemplateProblem] {
        let budget = TemplateBudget()
        let misses = TemplateMisses()
        var rendering = Rendering(
            named: named, functions: TemplateFunctions(values: values, budget: budget, misses: misses), budget: budget)
        do throws(TemplateProblem) {
            _ = try rendering.run(nodes, dot: data)
        } catch {
            misses.addUnlessItFollows(error)
        }
        return misses.problems.sorted { $0.mark < $1.mark }
    }
}

/// Where a template's values come from.
public protocol TemplateValues {
    /// `maand/job/JOB/worker/WORKER`, the namespace of the allocation that the template is rendered for.
    var allocationNamespace: String { get }
    /// `maand/worker/WORKER`
    var workerNamespace: String { get }
    /// `maand/job/JOB`
    ///
    /// - Parameter job: nil for the template's own job.
    func namespace(ofJob job: String?) -> String
    /// The value of a key; nil where it has none.
    ///
    /// - Throws: `TemplateRefusal` where the template may not ask for it.
    func value(_ namespace: String, _ key: String) throws(TemplateRefusal) -> TemplateValue?
    /// Who sets a key that has no value, as a sentence without a full stop; nil if nobody in particular does.
    func setter(of key: String, in namespace: String) -> String?
    /// The keys of a namespace, sorted.
    func keys(_ namespace: String) throws(TemplateRefusal) -> [String]
    /// A secret of the template's own job; without its value.
    func secret(_ key: String) throws(TemplateRefusal) -> SecretReference
}
