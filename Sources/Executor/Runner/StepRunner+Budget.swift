internal import Catalog
internal import Model
internal import Plans
internal import Workers

/// Counts what of a job is unavailable before a batch of reboots makes more of it so: here alone `max_unavailable` is counted
/// while a plan runs.
extension StepRunner {
    /// Jobs of which a batch would make more allocations unavailable than their `max_unavailable`. Allocations that are
    /// unavailable already count, wherever they are; one that is, and that the batch itself acts on, takes nothing more.
    ///
    /// - Parameter steps: the first step of each worker of a batch of which nothing has begun.
    func exceededBudgets(of steps: [StepIndex]) async throws -> [StaleFact] {
        guard case .reboot = graph.plan.work else { return [] }
        let batch = Set(steps.lazy.filter { !graph.isLeftBehind($0) }.compactMap { graph.steps[$0].worker })
        var exceeded: [StaleFact] = []
        for job in graph.plan.waves.lazy.flatMap(\.jobs) {
            guard let limit = job.maxUnavailable else { continue }
            let acting = job.entries.map(\.worker).filter(batch.contains)
            guard let first = acting.first else { continue }
            let unavailable = try await unavailable(of: job)
            let others = unavailable.filter { !batch.contains($0) }
            let added = acting.filter { !unavailable.contains($0) }
            guard others.count + added.count > limit else { continue }
            exceeded.append(
                StaleFact(
                    AllocationID(job: job.job, worker: first), fact: "max_unavailable",
                    expected: "at most \(limit) unavailable at a time",
                    found: "\(others.map(\.text).listed(first: 10)) unavailable, and the batch would stop "
                        + added.map(\.text).listed(first: 10), isDrift: false))
        }
        return exceeded
    }

    /// The job's allocations that are down, stopped, failing, unfinished or left behind, in the order of their names.
    private func unavailable(of job: Plan.Job) async throws -> [WorkerName] {
        let stopped = graph.plan.stoppedByHand.first { $0.name == job.job.text }?.value ?? []
        let all = Set(job.active).union(stopped)
        let records = try recorder.catalog.records(of: all.map { AllocationID(job: job.job, worker: $0) })
        var unavailable = all.filter { worker in
            let record = records[AllocationID(job: job.job, worker: worker)] ?? .none
            return record.state != .active || record.unfinished != nil || record.failedGate
                || graph.leftBehind.contains(.worker(worker))
        }
        let asked = all.subtracting(unavailable).sorted()
        let silent = await asked.sideBySide(width: WorkerPool.width) { [self] in await isSilent($0) }
        unavailable.formUnion(zip(asked, silent).filter(\.1).map(\.0))
        let answering = zip(asked, silent).filter { !$1 }.map(\.0)
        if let health = job.healthCheck, !answering.isEmpty {
            let gate = gate(of: job, health, over: answering, isSingle: true) {
                records[AllocationID(job: job.job, worker: $0)]?.promoted?.version ?? Version.none.text
            }
            let failure = try await gate.pass(clock: recorder.clock) { _, _ in }
            unavailable.formUnion(failure?.failing ?? [])
        }
        return unavailable.sorted()
    }

    private func isSilent(_ worker: WorkerName) async -> Bool {
        guard let session = try? await pool.session(worker) else { return true }
        return (try? await session.answers()) == nil
    }
}
