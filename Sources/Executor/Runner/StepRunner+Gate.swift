internal import Catalog
internal import Model
internal import Plans
internal import StepMachinery
internal import Synchronization
internal import ThisHost

/// What a rollout waits for between its batches.
extension StepRunner {
    /// Passes a gate. It goes on while the run parks if prepared allocations wait for it.
    func ask(_ task: GateTask, _ index: StepIndex) async throws -> Ending {
        let job = task.work.job
        guard graph.mustGoOn(gate: index) else { return try await untilParked { try await gate(job, index) } }
        return try await leaving.race { try await gate(job, index) } ?? .left
    }

    /// Probes the job's health check until it passes or its tries are used up.
    func gate(_ job: Plan.Job, _ index: StepIndex) async throws -> Ending {
        let step = graph.steps[index]
        guard let health = job.healthCheck else { return .succeeded }
        let ending = try await probe(step, index, job, health)
        // A worker that has died since, and that the run has not touched, is no answer to what the run did.
        guard ending.outcome == .failed, try await leaveDead(among: ending.failing, of: job) else { return ending }
        return try await probe(step, index, job, health)
    }

    private func probe(
        _ step: Step, _ index: StepIndex, _ job: Plan.Job, _ health: HealthCheck
    ) async throws -> Ending {
        let running = try covered(by: index, of: job)
        let workers = running.map(\.worker)
        let versions = Dictionary(uniqueKeysWithValues: running.map { ($0.worker, $0.version) })
        let gate = self.gate(of: job, health, over: workers) { versions[$0] ?? Version.none.text }
        let failure = try await gate.pass(clock: recorder.clock) { tries, problem in
            recorder.observe(.gateWaiting(step, tries: tries, of: health.attempts, problem: problem))
        }
        guard let failure else {
            var ending = Ending.succeeded
            ending.changes = [.gatePassed(job.job, workers)]
            return ending
        }
        var ending = Ending.failed(.unhealthy(failure.problem))
        ending.changes = [.gateFailed(job.job, covered: workers, failing: failure.failing)]
        ending.failing = failure.failing
        return ending
    }

    /// What asks whether allocations of a job are healthy.
    ///
    /// - Parameters:
    ///   - isSingle: ask once, at once, and be content with one answer.
    ///   - version: what runs on a worker.
    func gate(
        of job: Plan.Job, _ health: HealthCheck, over workers: [WorkerName], isSingle: Bool = false,
        version: @escaping @Sendable (WorkerName) -> String
    ) -> Gate {
        HealthProbe(
            job: job, health: health, run: recorder.run,
            session: { [pool] worker in try await pool.session(worker) }, hooks: hooks, version: version,
            order: (graph.activeWorkers(of: job), graph.isOrderChosen(of: job)), phase: job.deployPhase
        ).gate(over: workers.map { ($0, pool.address($0) ?? $0.text) }, isSingle: isSingle)
    }

    /// What of a gate's allocations runs at this moment. One that was stopped or never promoted cannot be well, and one that
    /// failed within `max_failures` cannot be asked to be.
    private func covered(by gate: StepIndex, of job: Plan.Job) throws -> [(worker: WorkerName, version: String)] {
        let failed = try failedWorkers(of: job)
        let workers = graph.coverage(of: gate).filter { !failed.contains($0) }
        let records = try recorder.catalog.records(of: workers.map { AllocationID(job: job.job, worker: $0) })
        return workers.compactMap { worker in
            guard let record = records[AllocationID(job: job.job, worker: worker)], record.state == .active,
                let promoted = record.promoted
            else { return nil }
            return (worker, promoted.version)
        }
    }

    /// Leaves the batch alone for the job's bake time, then asks whether it is still healthy.
    func bake(_ task: BakeTask, _ index: StepIndex) async throws -> Ending {
        try await wait(task.bakeMilliseconds, index)
        return try await gate(task.work.job, index)
    }

    /// Leaves everything alone for a time.
    ///
    /// The time counts from the intent of the first attempt, so that a process that continues the run waits for the
    /// rest alone; a clock that was set back makes it no longer than the whole.
    func wait(_ milliseconds: Int64, _ index: StepIndex) async throws {
        let step = graph.steps[index]
        let now = recorder.clock.now().milliseconds
        let began = try recorder.catalog.attempts(of: recorder.run.id, step: step.id).first?.startedAt.milliseconds
        let rest = min(max(milliseconds - (now - (began ?? now)), 0), milliseconds)
        guard rest > 0 else { return }
        recorder.observe(.baking(step, seconds: Int((rest + 999) / 1000)))
        try await recorder.clock.sleep(.milliseconds(rest))
    }

    /// `body`, unless the run parks before it ends: a probe changes nothing and is begun again by the next process.
    func untilParked(_ body: @escaping @Sendable () async throws -> Ending) async throws -> Ending {
        try await parking.race(body) ?? Ending(outcome: .interrupted, isOpen: true, fault: .parked)
    }

    /// Allocations that a job with `max_failures` goes on without, or in spite of which the others of the batch get back what
    /// hooks have taken: they cannot be asked to be healthy.
    private func failedWorkers(of job: Plan.Job) throws -> Set<WorkerName> {
        if job.batching.maxFailures == 0, !job.hasHooksAround { return [] }
        let failed = Set(
            try recorder.catalog.steps(of: recorder.run.id).lazy
                .filter { $0.state == .failed || $0.state == .unreachable }.map(\.step))
        return Set(
            graph.steps.indexed.lazy.filter { index, step in
                step.job == job.job && failed.contains(step.id) && !graph.comesLast(index)
            }.compactMap(\.1.worker))
    }
}

/// On which workers gates did not pass, from the end of a gate until the step machine hears of it.
final class Verdicts: Sendable {
    private let failing = Mutex<[StepIndex: [WorkerName]]>([:])

    func note(_ gate: StepIndex, _ workers: [WorkerName]) { failing.withLock { $0[gate] = workers } }

    func take(_ step: StepIndex) -> [WorkerName] { failing.withLock { $0.removeValue(forKey: step) } ?? [] }
}
