public import Catalog
public import Model

/// What a person decides about a run; each is recorded with who, when and why.
extension Rollout {
    /// Gives an unfinished run up. What it began stays unsettled, so the next plan acts on it.
    ///
    /// - Throws: `RolloutError.noSuchRun`, `.notUnfinished`.
    public func abandon(_ id: RunID, reason: String) async throws -> Run {
        let run = try unfinished(id)
        try await catalog.commit(
            Checkpoint(
                run: id, at: clock.now(),
                decisions: [Decision(at: clock.now(), by: who, run: id, what: "abandon", reason: reason)],
                runState: .init(.abandoned, detail: reason)))
        return run
    }

    /// Says what became of a step that is `unknown`.
    ///
    /// - Throws: `RolloutError.noSuchRun`, `.notUnfinished`, `.notUnknown`.
    public func resolve(_ id: RunID, step: StepID, succeeded: Bool, reason: String) async throws {
        let run = try unfinished(id)
        let record = try catalog.attempts(of: id, step: step).last
        guard let record, record.state == .unknown else {
            throw RolloutError.notUnknown(id, step, record?.state ?? .pending)
        }
        let plan = try PlanFile.read(store.read(run.plan, limit: PlanFile.maximumSize), file: "the plan of run \(id)")
        let itinerary = Itinerary(plan.plan)
        let recorder = Recorder(catalog: catalog, run: run, itinerary: itinerary, clock: clock, observe: observe)
        let index = succeeded ? itinerary.steps.firstIndex { $0.id == step } : nil
        try await catalog.commit(
            Checkpoint(
                run: id, at: clock.now(),
                steps: [
                    .settle(
                        step: step, attempt: record.attempt, state: succeeded ? .succeeded : .failed, by: who,
                        reason: reason)
                ], changes: index.map(recorder.changesOnSuccess) ?? []))
    }

    private func unfinished(_ id: RunID) throws -> Run {
        guard let run = try catalog.run(id) else { throw RolloutError.noSuchRun(id) }
        guard run.state.isUnfinished else { throw RolloutError.notUnfinished(run) }
        return run
    }
}
