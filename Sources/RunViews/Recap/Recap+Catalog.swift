public import Catalog
internal import Executor
internal import Plans

extension Recap {
    /// Of a run as it is recorded.
    ///
    /// - Throws: `CatalogError`; `StoreError` or `InputFailure` if a plan of the run cannot be read.
    public init(_ run: Run, _ catalog: Catalog, _ store: ContentStore, isExecuted: Bool = false) throws {
        // What was taken over from Maand has no steps.
        let graphs = run.cause == .adoption ? [] : try StepGraph.all(of: run, catalog, store)
        self.init(
            run, graphs, records: try catalog.steps(of: run.id), leftBehind: try catalog.leftBehind(by: run.id),
            isExecuted: isExecuted)
    }
}
