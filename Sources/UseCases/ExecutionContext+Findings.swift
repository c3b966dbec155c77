internal import Catalog
internal import Model
internal import Plans
internal import ThisHost

/// What a command finds out is recorded under a run of its own, whose plan does nothing.
extension ExecutionContext {
    /// What is recorded of such a run.
    struct Record {
        var changes: [CatalogChange]
        var decision: Decision.Kind
        var reason: String
        /// What stands in the history for it.
        var detail: String
        var cause: RunReason
    }

    /// Ends a run of a command that was killed: it has recorded nothing, and the next one does what it was to do.
    ///
    /// - Parameter isOfNothing: whether a plan is one that such a command makes.
    /// - Throws: `RolloutError.unfinishedRun` if the run is another one.
    func endInterrupted(
        _ detail: String, _ cause: RunReason, isDryRun: Bool = false, isOfNothing: (Plan) -> Bool
    ) throws {
        guard let run = try catalog.unfinishedRun() else { return }
        guard let plan = try? plan(of: run), isOfNothing(plan), try !catalog.hasBegun(run) else {
            throw RolloutError.unfinishedRun(run)
        }
        if isDryRun { return }
        try catalog.finish(run.id, state: .abandoned, detail: detail, cause: cause, at: clock.now())
    }

    /// Records what was found as the whole of a run.
    ///
    /// - Parameters:
    ///   - workers: that were reached.
    ///   - seen: the number of the last run that the workers know.
    func record(
        _ record: Record, by plan: Plan, reached workers: [PlanWorker], after seen: Int = 0
    ) async throws -> RunID {
        let file = PlanFile(plan)
        try store.put(file.bytes)
        let run = try catalog.beginRun(
            plan: file.id, nonce: nonce(), at: clock.now(), by: who, workers: workers, after: seen)
        try await catalog.commit(
            Checkpoint(
                run: run.id, at: clock.now(), changes: record.changes,
                decisions: [decision(run.id, record.decision, record.reason)],
                runState: .init(.succeeded, detail: record.detail, cause: record.cause)))
        return run.id
    }
}
