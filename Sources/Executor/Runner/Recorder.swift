package import Catalog
package import Model
package import Plans
internal import StepMachinery
package import ThisHost

/// Turns what happens to steps into checkpoints: which catalog change belongs to which transition, in one place.
package struct Recorder: Sendable {
    let catalog: Catalog
    package let run: Run
    let clock: Clock
    let observe: @Sendable (RunEvent) -> Void
    private let shared: SharedGraph

    package var graph: StepGraph { shared.current }

    package init(
        catalog: Catalog, run: Run, graph: StepGraph, clock: Clock, observe: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.catalog = catalog
        self.run = run
        self.clock = clock
        self.observe = observe
        shared = SharedGraph(graph)
    }

    /// A job's batches are cut by another order from now on.
    func follow(_ graph: StepGraph) {
        shared.follow(graph)
        observe(.reordered(graph))
    }

    /// The name of an attempt on its worker: run, step and attempt, so that a late command of an old attempt cannot be
    /// taken for a new one.
    func attemptID(_ step: StepIndex, _ attempt: Int) -> String {
        let hash = Digest.of(graph.steps[step].id.text.utf8).hex.prefix(16)
        return "\(run.nonce)-\(hash)-\(attempt)"
    }

    /// Records that a worker is about to be contacted. With a new attempt, a gate that the batch has passed without it
    /// has to be passed again.
    func begin(_ step: StepIndex, attempt: Int, digest: Digest) async throws {
        let content = graph.steps[step]
        let mayHavePassed = attempt > 1 || graph.isTakenIn(step) || graph.comesLast(step)
        // It had succeeded, unless it is tried again for itself.
        let isRepeated = attempt > 1 && graph.comesFirst(step)
        observe(.stepStarted(content, attempt: attempt))
        try await commit(
            Checkpoint(
                run: run.id, at: clock.now(),
                steps: (isRepeated ? [.reopen(step: content.id, reason: Self.preparesAgain)] : []) + [
                    .begin(
                        step: content.id, attempt: attempt, digest: digest, attemptID: attemptID(step, attempt))
                ] + (mayHavePassed ? reopened(by: step) : []),
                changes: content.task.rules.changesAtStart(step, in: graph)))
    }

    private static let preparesAgain = "to be done again, since the hooks that come last have ended"

    /// Records how an attempt ended, together with what that changes in the catalog.
    ///
    /// - Parameter changes: what follows from what was found, beside what follows from the plan.
    func end(
        _ step: StepIndex, attempt: Int, state: StepState, exitStatus: Int? = nil, code: String? = nil,
        detail: String? = nil, output: StepOutput? = nil, changes: [CatalogChange] = []
    ) async throws {
        let content = graph.steps[step]
        try await commit(
            Checkpoint(
                run: run.id, at: clock.now(),
                steps: [
                    .outcome(
                        step: content.id, attempt: attempt, state: state, exitStatus: exitStatus, code: code,
                        detail: detail, output: output)
                ], changes: changes + (state == .succeeded ? content.task.rules.changesAtSuccess : [])))
    }

    /// Goes on without these from now on, whatever becomes of their workers. The step machine is told by who
    /// calls this.
    func leave(_ left: [LeftBehind]) async throws {
        guard !left.isEmpty else { return }
        var checkpoint = Checkpoint(run: run.id, at: clock.now())
        checkpoint.leftBehind = left
        try await commit(checkpoint, "left behind")
        shared.leave(left.map(\.subject))
        for item in left { observe(.leftBehind(item.subject, reason: item.reason)) }
    }

    /// Nothing more is done for this worker, as its recorded step says.
    func spare(_ worker: WorkerName) {
        shared.spare(worker)
        observe(.notNeeded(worker))
    }

    /// Ends an attempt without a result and begins the next: in one transaction, since a process that found only the
    /// end would take the step for failed.
    func renew(_ step: StepIndex, attempt: Int, digest: Digest, detail: String) async throws {
        let content = graph.steps[step]
        observe(.stepStarted(content, attempt: attempt + 1))
        try await commit(
            Checkpoint(
                run: run.id, at: clock.now(),
                steps: [
                    .outcome(step: content.id, attempt: attempt, state: .failed, detail: detail),
                    .begin(
                        step: content.id, attempt: attempt + 1, digest: digest,
                        attemptID: attemptID(step, attempt + 1)),
                ]))
    }

    /// Begins and ends the promotions of one batch, in one transaction. Of those that `refused` has an ending for, that is
    /// recorded.
    func promote(_ attempts: [StepMachine.Attempt], refused: [StepIndex: StepRunner.Ending]) async throws {
        var checkpoint = Checkpoint(run: run.id, at: clock.now())
        var promoted: [StepIndex] = []
        for attempt in attempts {
            let step = attempt.step
            let ending = refused[step]
            checkpoint.steps += instant(
                step, attempt: attempt.number, state: ending?.state ?? .succeeded, detail: ending?.detail)
            // What was passed without it has to be passed again.
            if attempt.number > 1 { checkpoint.steps += reopened(by: step) }
            if ending == nil { promoted.append(step) }
        }
        for step in promoted { checkpoint.changes += graph.rules(step).changesAtSuccess }
        try await commit(checkpoint)
        if let version = promoted.first.flatMap({ graph.rules($0).job })?.version {
            observe(.promoted(promoted.compactMap { graph.steps[$0].allocation }, version: version))
        }
        for attempt in attempts {
            guard let ending = refused[attempt.step] else { continue }
            let step = graph.steps[attempt.step]
            observe(.stepEnded(step, ending, milliseconds: 0))
        }
    }

    /// Records in which order the job's batches are cut.
    ///
    /// - Parameter order: nil for the plan's.
    func decide(_ step: StepIndex, order: [WorkerName]?, detail: String) async throws {
        let content = graph.steps[step]
        observe(.stepStarted(content, attempt: 1))
        try await commit(
            Checkpoint(
                run: run.id, at: clock.now(), steps: instant(step, detail: detail),
                changes: order.flatMap { order in content.job.map { [.rolloutOrder($0, order)] } } ?? []))
        observe(.stepEnded(content, outcome: .succeeded, code: nil, detail: detail, milliseconds: 0))
    }

    /// The order that a step has put in the place of the plan's; nil where it is no step of that kind, or has put none.
    func order(decidedBy step: StepIndex) throws -> [WorkerName]? {
        let content = graph.steps[step]
        guard case .order = content.task, let job = content.job else { return nil }
        return try catalog.rolloutOrders(of: run.id)[job]
    }

    /// What the receipts directories were when the run first saw its workers.
    ///
    /// - Parameter renames: what the workers have proven, and the catalog takes up with that.
    package func preflight(
        _ seen: [(step: StepID, generation: String)], renaming renames: [Plan.Rename] = []
    ) async throws {
        guard !seen.isEmpty || !renames.isEmpty else { return }
        var checkpoint = Checkpoint(run: run.id, at: clock.now())
        func record(_ step: StepID, _ detail: String) {
            checkpoint.steps += [
                .begin(step: step, attempt: 1, digest: Digest.of(step.text.utf8), attemptID: step.text),
                .outcome(step: step, attempt: 1, state: .succeeded, detail: detail),
            ]
        }
        for (step, generation) in seen { record(step, generation) }
        if !renames.isEmpty {
            record(.renames, renames.map(\.description).listed(first: 20))
            checkpoint.changes.append(.renamed(renames))
        }
        checkpoint.changes += machines(Dictionary(seen.map { ($0.step, $0.generation) }) { $1 })
        try await commit(checkpoint)
        for rename in renames { observe(.renamed(rename)) }
    }

    /// What a rollout has seen of its workers. One that has left the workspace is not met again.
    private func machines(_ seen: [StepID: String]) -> [CatalogChange] {
        let plan = graph.plan
        guard plan.kind == .deploy else { return [] }
        return plan.fleet.workers.lazy.filter { !$0.isRemoved }.compactMap { worker in
            seen[StepID.preflight(worker.worker)].flatMap { Machine(worker, generation: $0) }.map {
                .seen(worker.worker, $0)
            }
        }
    }

    /// Gives up what a removed worker that cannot be reached runs: its steps are skipped, and the catalog forgets it.
    package func giveUp(_ worker: WorkerName, latest: [StepID: StepRecord], reason: String) async throws {
        var checkpoint = Checkpoint(run: run.id, at: clock.now())
        let detail = "abandoned with its worker, which has left the workspace and cannot be reached: \(reason)"
        let stops = graph.units.first { $0.work == nil }?.steps ?? []
        for (index, step) in stops.lazy.map({ ($0, graph.steps[$0]) }) where step.worker == worker {
            var attempt = latest[step.id]?.attempt ?? 0
            switch latest[step.id]?.state {
            case .succeeded, .skipped: continue
            case .started, .unknown: break
            case .failed, .unreachable, .pending, .blocked, nil:
                attempt += 1
                checkpoint.steps.append(
                    .begin(
                        step: step.id, attempt: attempt, digest: Digest.of(step.id.text.utf8),
                        attemptID: attemptID(index, attempt)))
            }
            checkpoint.steps.append(.outcome(step: step.id, attempt: attempt, state: .skipped, detail: detail))
            guard let allocation = step.allocation else { continue }
            let change = CatalogChange.stopped(allocation, removed: true)
            if !checkpoint.changes.contains(change) { checkpoint.changes.append(change) }
        }
        guard !checkpoint.steps.isEmpty else { return }
        try await commit(checkpoint)
        observe(.warning(.givenUp(worker, detail)))
    }

    /// Where somebody has changed files on a worker, and what the run was to bring there.
    package func drifts(_ facts: [StaleFact]) -> [AllocationID: Release] {
        let drifted = Set(facts.filter(\.isDrift).map(\.allocation))
        var found: [AllocationID: Release] = [:]
        guard !drifted.isEmpty else { return found }
        for step in graph.steps {
            guard let allocation = step.allocation, drifted.contains(allocation), found[allocation] == nil else {
                continue
            }
            found[allocation] = step.task.rules.release
        }
        return found
    }

    /// The job's rollout is done.
    func complete(_ step: StepIndex, attempt: Int) async throws {
        try await commit(
            Checkpoint(
                run: run.id, at: clock.now(), steps: instant(step, attempt: attempt),
                changes: graph.rules(step).changesAtSuccess))
    }

    private func commit(_ checkpoint: Checkpoint, _ what: String = "run") async throws {
        let name = checkpoint.steps.first?.step.text ?? what
        FaultPoint.reach("before the checkpoint of \(name)")
        try await catalog.commit(checkpoint)
        FaultPoint.reach("after the checkpoint of \(name)")
    }

    private func instant(
        _ step: StepIndex, attempt: Int = 1, state: StepState = .succeeded, detail: String? = nil
    ) -> [StepWrite] {
        let id = graph.steps[step].id
        return [
            .begin(
                step: id, attempt: attempt, digest: Digest.of(id.text.utf8), attemptID: attemptID(step, attempt)),
            .outcome(step: id, attempt: attempt, state: state, detail: detail),
        ]
    }

    /// The gates that have to be passed, and the last hooks that have to be done again, because of a new attempt of a step.
    private func reopened(by step: StepIndex) -> [StepWrite] {
        let id = graph.steps[step].id
        return graph.reopened(by: step).map {
            .reopen(
                step: graph.steps[$0].id,
                reason: graph.comesLast($0)
                    ? "to be done again, since it comes after \(id)" : "to be passed again, since \(id) is tried again")
        }
    }
}
