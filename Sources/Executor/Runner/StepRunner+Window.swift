package import Catalog
internal import Model
package import Plans

extension StepGraph.Stage {
    fileprivate var chainCount: Int {
        switch self {
        case .single, .afterHooks: 0
        case .batch(let batch): batch.chains.count
        }
    }
}

extension StepGraph {
    /// Says of a step, by what is recorded, whether the run has nothing to do for it any more: also where it goes on without
    /// the step's allocation.
    package func isDone(by records: [StepRecord]) -> (StepIndex) -> Bool {
        let done = Set(records.lazy.filter { $0.state == .succeeded || $0.state == .skipped }.map(\.step))
        return { done.contains(steps[$0].id) || isLeftBehind($0) }
    }

    /// Whether a chain has begun, by what is recorded, that goes on to its end once it has.
    package func isMidChain(by records: [StepRecord]) -> Bool {
        let begun = Set(records.lazy.map(\.step))
        let isDone = isDone(by: records)
        return steps.indices.contains { step in
            guard let chain = chain(of: step), chain.isWhole, let first = chain.steps.first,
                begun.contains(steps[first].id)
            else { return false }
            return first == step ? !chain.steps.allSatisfy(isDone) : comesLast(step) && !isDone(step)
        }
    }

    /// As in the ids of its steps: `api/upgrade/2`, or `api/pre_deploy` for hooks of the job as a whole.
    package func batchName(unit: UnitIndex, stage: StageIndex) -> String {
        guard case .batch(let batch) = units[unit].stages[stage], let step = batch.chains.first?.steps.first else {
            return ""
        }
        let parts = batch.position == nil ? 2 : 3
        return steps[step].id.text.split(separator: "/").prefix(parts).joined(separator: "/")
    }
}

extension StepRunner {
    /// Whether the batch of these first steps may begin now, or go on.
    ///
    /// - Parameter isResumed: parts of it may be done.
    func isAdmitted(_ steps: [StepIndex], isResumed: Bool) async throws -> Bool {
        guard let first = steps.first else { return true }
        let (unit, stage) = (graph.places[first].unit, graph.places[first].stage)
        guard await monitor.isApproved(graph.batchName(unit: unit, stage: stage)) else { return false }
        if monitor.isUnrestricted { return true }
        var recorded: [JobName: [String: [Int64]]] = [:]
        for job in Set(steps.compactMap { graph.steps[$0].job }) {
            recorded[job] = try recorder.catalog.durations(of: job)
        }
        let isPartial = isResumed || graph.units[unit].stages[stage].chainCount > steps.count
        let records = isPartial ? try recorder.catalog.steps(of: recorder.run.id) : []
        let estimate = Estimator(graph, recorded: recorded)
            .batch(unit: unit, stage: stage, isDone: graph.isDone(by: records))
        return monitor.admit(graph.batchName(unit: unit, stage: stage), estimate)
    }
}
