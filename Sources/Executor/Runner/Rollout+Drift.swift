internal import Catalog
internal import Model

/// Looks for drift before a run begins.
extension Rollout {
    /// What somebody has changed on any worker that the plan acts on, all of it, found before anything of the run begins.
    ///
    /// Each batch is compared once more when its turn comes. Where the first thing that the run does is such a comparison,
    /// and nothing runs beside it, the workers of that batch are asked here only if another one has drifted.
    ///
    /// - Parameter records: the recorded steps of the run; where one of the plan's has begun, nothing is asked.
    func driftAtStart(
        _ stepRunner: StepRunner, _ machine: StepMachine, _ records: [StepRecord]
    ) async -> [StaleFact] {
        guard records.allSatisfy({ $0.step.isPreflight }) else { return [] }
        let all = stepRunner.graph.firstStepsOfAllocations
        var predicted = machine
        var next = Set<StepIndex>()
        let commands = predicted.advance()
        if commands.count == 1, case .check(let steps) = commands[0] { next = Set(steps) }
        let others = await stepRunner.drifts(of: all.filter { !next.contains($0) }, isStaging: false)
        if others.isEmpty { return [] }
        // In the plan's order.
        return await stepRunner.drifts(of: all.filter(next.contains), isStaging: false) + others
    }

    /// Nothing of the run has begun: what keeps it from that is recorded, as of a batch.
    func endStale(_ run: Run, _ recorder: Recorder, _ facts: [StaleFact]) throws -> Ending {
        FaultPoint.reach("before the run ends")
        try catalog.finish(
            run.id, state: Self.state(of: .stale), detail: Self.staleDetail(facts), cause: .stale,
            drifts: recorder.drifts(facts),
            at: clock.now())
        FaultPoint.reach("after the run ended")
        return .ended(
            try catalog.run(run.id) ?? run, .stale, problems: [], stale: facts,
            leftBehind: try catalog.leftBehind(by: run.id))
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
