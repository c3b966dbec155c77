public import Catalog
internal import Executor
internal import Model
internal import Plans

extension Recap {
    /// Of a run as it is recorded.
    ///
    /// - Throws: `CatalogError`; `StoreError` or `InputFailure` if a plan of the run cannot be read.
    public init(_ run: Run, _ catalog: Catalog, _ store: ContentStore, isExecuted: Bool = false) throws {
        // What was taken over from Maand has no steps.
        let graphs = run.cause == .adoption ? [] : try StepGraph.all(of: run, catalog, store)
        let records = try catalog.steps(of: run.id)
        var outputs: [StepID: StepOutput] = [:]
        for record in records.lazy.filter({ $0.state == .failed || $0.state == .unknown }).prefix(Self.shownCauses) {
            outputs[record.step] = try catalog.output(of: run.id, step: record.step)
        }
        self.init(
            run, graphs, records: records, leftBehind: try catalog.leftBehind(by: run.id), isExecuted: isExecuted,
            outputs: outputs)
    }
}
