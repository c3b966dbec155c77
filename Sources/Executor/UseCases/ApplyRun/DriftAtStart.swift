internal import Catalog
internal import Model
internal import Plans

/// Looks for drift before a run begins.
extension StepRunner {
    /// What somebody has changed on any worker that the plan acts on, all of it, found before anything of the run begins.
    ///
    /// Each batch is compared once more when its turn comes. Where the first thing that the run does is such a comparison,
    /// and nothing runs beside it, the workers of that batch are asked here only if another one has drifted.
    ///
    /// - Parameter records: the recorded steps of the run; if one of the plan's steps has begun, nothing is asked.
    func driftAtStart(_ machine: StepMachine, _ records: [StepRecord]) async -> [StaleFact] {
        guard records.allSatisfy({ $0.step.isPreflight }) else { return [] }
        let all = graph.firstStepsOfAllocations
        var predicted = machine
        var next = Set<StepIndex>()
        let commands = predicted.advance()
        if commands.count == 1, case .check(let steps) = commands[0] { next = Set(steps) }
        let others = await drifts(of: all.filter { !next.contains($0) }, isStaging: false)
        if others.isEmpty { return [] }
        // In the plan's order.
        return await drifts(of: all.filter(next.contains), isStaging: false) + others
    }
}

extension StepGraph {
    /// The step with which each allocation that acts begins, in the plan's order.
    fileprivate var firstStepsOfAllocations: [StepIndex] {
        units.flatMap { unit in
            unit.stages.flatMap { stage -> [StepIndex] in
                guard case .batch(let batch) = stage, batch.position != nil else { return [] }
                return batch.chains.compactMap(\.steps.first)
            }
        }
    }
}
