internal import Model
internal import Plans

/// The workers that a selection means, checked against the workspace and the catalog.
struct WorkerChoice {
    private let selection: Plan.Selection
    private let labels: [WorkerName: Set<String>]

    /// - Throws: `PlanningError` with every worker and label that does not exist.
    init(_ selection: Plan.Selection, _ workspace: Workspace, _ catalog: CatalogSnapshot) throws(PlanningError) {
        self.selection = selection
        labels = Dictionary(workspace.workers.map { ($0.name, $0.labels) }) { first, _ in first }
        if selection.isEverything { return }
        // What has left the workspace may be selected as long as something is recorded there.
        let there = catalog.allocations.lazy.filter { $0.value.isThere }.map { $0.key.worker }
        let known = Set(labels.keys).union(there)
        let unknown = Set(selection.workers + selection.exclude).filter { !known.contains($0) }.sorted()
        if !unknown.isEmpty { throw .unknownWorkers(unknown, known: known.sorted()) }
        let all = Set(labels.values.joined())
        let unknownLabels = selection.labels.filter { !all.contains($0) }
        if !unknownLabels.isEmpty { throw .unknownLabels(unknownLabels, known: all.sorted()) }
    }

    /// Whether anything may be done on the worker.
    func contains(_ worker: WorkerName) -> Bool {
        selection.isEverything || selection.contains(worker, labels: labels[worker] ?? [])
    }
}
