internal import Approvals
internal import Catalog
internal import Executor
public import Model
internal import Plans
internal import ThisHost

/// Carries out what a person decides about a run; each decision is recorded with who, when and why.
public struct DecideRun: Sendable {
    let context: ExecutionContext
    private var catalog: Catalog { context.catalog }

    public init(in context: ExecutionContext) { self.context = context }

    /// Asks the process that executes the run to bring what is in flight to its end and to begin nothing new. The same
    /// command continues.
    ///
    /// - Parameter isExecuted: whether another process holds the bucket; otherwise the run is parked at once.
    /// - Throws: `RolloutError.noSuchRun`, `.notUnfinished`.
    public func pause(_ id: RunID, isExecuted: Bool, reason: String) async throws {
        _ = try unfinished(id)
        let decision = context.decision(id, .pause, reason)
        if isExecuted { return try catalog.record(decision) }
        let request = ParkRequest(.pause(by: context.who, reason: reason))
        try await catalog.commit(
            Checkpoint(
                run: id, at: context.clock.now(), decisions: [decision],
                runState: .init(.parked, detail: request.reason, cause: request.cause)))
    }

    /// Gives an unfinished run up. What it began stays unfinished, so that the next plan deploys it again; so is what somebody had
    /// changed on a worker where the run has stopped, so that the next plan replaces it.
    ///
    /// What is in flight is closed on its worker where it has not begun; what runs there goes on. A worker that cannot
    /// be asked stays as it is.
    ///
    /// - Returns: what could not be closed, for people.
    /// - Throws: `RolloutError.noSuchRun`, `.notUnfinished`.
    public func abandon(_ id: RunID, reason: String) async throws -> [String] {
        let run = try unfinished(id)
        let open = try catalog.steps(of: id).filter { $0.state == .started || $0.state == .unknown }
        var notes: [String] = []
        var writes: [StepWrite] = []
        var changes: [CatalogChange] = []
        if !open.isEmpty {
            do {
                (writes, changes, notes) = try await OpenAttempts(open, of: run, context).close()
            } catch {
                notes = ["\(open.count) steps that were in flight could not be asked about: \(error)"]
            }
        }
        changes += try catalog.drifts(of: id).map { .drifted($0, $1) }
        try await catalog.commit(
            Checkpoint(
                run: id, at: context.clock.now(), steps: writes, changes: changes,
                decisions: [context.decision(id, .abandon, reason)],
                runState: .init(.abandoned, detail: reason)))
        return notes
    }

    /// Says what became of a step that is `unknown`.
    ///
    /// - Throws: `RolloutError.noSuchRun`, `.notUnfinished`, `.noSuchStep`, `.notUnknown`, `.notApproved`.
    public func resolve(_ id: RunID, step: StepID, succeeded: Bool, reason: String) async throws {
        let run = try unfinished(id)
        try requireOverrideRight(for: "`resolve`", run)
        let graphs = try context.graphs(of: run)
        guard let task = graphs.lazy.flatMap(\.steps).first(where: { $0.id == step })?.task else {
            let unknown = try catalog.steps(of: id).filter { $0.state == .unknown }.map(\.step)
            throw RolloutError.noSuchStep(id, step, unknown: unknown)
        }
        let record = try catalog.attempts(of: id, step: step).last
        guard let record, record.state == .unknown else {
            throw RolloutError.notUnknown(id, step, record?.state ?? .pending)
        }
        try await catalog.commit(
            Checkpoint(
                run: id, at: context.clock.now(),
                steps: [
                    .settle(
                        step: step, attempt: record.attempt, state: succeeded ? .succeeded : .failed, by: context.who,
                        reason: reason)
                ], changes: succeeded ? task.rules.changesAtSuccess : []))
    }

    /// - Throws: `RolloutError.notApproved` if there is a policy and it does not let the user decide.
    private func requireOverrideRight(for what: String, _ run: Run) throws {
        do {
            try context.approval?.requireOverrideRight(for: what, recorded: try catalog.approvals(of: run.id)?.policy)
        } catch let problem as ApprovalProblem {
            throw RolloutError.notApproved(problem.description, mixed: [])
        }
    }

    private func unfinished(_ id: RunID) throws -> Run {
        guard let run = try catalog.run(id) else { throw RolloutError.noSuchRun(id) }
        guard run.state.isUnfinished else { throw RolloutError.notUnfinished(run) }
        return run
    }
}
