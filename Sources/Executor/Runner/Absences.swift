internal import Catalog
internal import Model
internal import Plans

/// Decides which allocations a run goes on without, because their workers cannot be used: here alone
/// `rollout.max_unreachable` is counted. A pure value.
struct Absences: Equatable, Sendable {
    /// An allocation that something is left to do for, on a worker that cannot be used and on which nothing of the run has
    /// begun.
    struct Candidate: Equatable, Sendable {
        var allocation: AllocationID
        /// What is wrong with its worker.
        var reason: String
    }

    /// A job of which more allocations are on such workers than it goes on without.
    struct Excess: Equatable, Sendable, CustomStringConvertible {
        var job: JobName
        /// How many there are, those included that the run has left behind before.
        var count: Int
        var limit: Int
        /// The job's active allocations.
        var active: Int

        var description: String {
            "\(job): \(count) of \(active) allocations are on workers that cannot be used, and max_unreachable is \(limit)"
        }
    }

    /// What the run goes on without, in the candidates' order.
    var leaving: [LeftBehind] = []
    /// By job.
    var excess: [Excess] = []

    /// A stop holds nobody up; where the same plan starts the job elsewhere it counts as the others do, since two copies of
    /// the job would run.
    init(_ candidates: [Candidate], in graph: StepGraph) {
        let jobs = Dictionary(
            graph.plan.waves.lazy.flatMap(\.jobs).map { ($0.job, $0) }, uniquingKeysWith: { first, _ in first })
        let stops = Set(graph.plan.reconcile.lazy.map(\.allocation))
        func counts(_ allocation: AllocationID) -> Bool {
            guard stops.contains(allocation) else { return true }
            return jobs[allocation.job]?.phases.contains { $0.batches.joined().contains { $0.action == .start } }
                ?? false
        }
        var counted: [JobName: Int] = [:]
        for candidate in candidates where counts(candidate.allocation) {
            counted[candidate.allocation.job, default: 0] += 1
        }
        var exceeding = Set<JobName>()
        for job in counted.keys.sorted() {
            let before = graph.leftBehind.count { $0.job == job && counts($0) }
            let count = before + (counted[job] ?? 0)
            let limit = jobs[job]?.batching.maxUnreachable ?? 0
            guard count > limit else { continue }
            exceeding.insert(job)
            excess.append(Excess(job: job, count: count, limit: limit, active: jobs[job]?.active.count ?? count))
        }
        leaving = candidates.filter { !counts($0.allocation) || !exceeding.contains($0.allocation.job) }.map {
            LeftBehind($0.allocation, reason: $0.reason)
        }
    }
}

extension StepGraph {
    /// Allocations for which something is left to do on their workers, or whose health is waited for; not those that the
    /// run has left behind.
    func allocations(leftBy records: [StepRecord]) -> Set<AllocationID> {
        let done = Set(records.lazy.filter { $0.state == .succeeded || $0.state == .skipped }.map(\.step))
        var left = Set<AllocationID>()
        for unit in units {
            var isProbed = false
            for index in unit.steps where !done.contains(steps[index].id) {
                let step = steps[index]
                if step.task.rules.contactsWorker, let allocation = step.allocation { left.insert(allocation) }
                // What is taken in has gates before it that had passed without it.
                isProbed = isProbed || step.task.rules.isProbe || isTakenIn(index)
            }
            if isProbed, let job = unit.work?.job {
                left.formUnion(job.active.lazy.map { AllocationID(job: job.job, worker: $0) })
            }
        }
        return left.subtracting(leftBehind)
    }

    /// Workers on which something of the run has begun, whatever became of it.
    func workers(touchedBy records: [StepRecord]) -> Set<WorkerName> {
        let begun = Set(records.lazy.map(\.step))
        return Set(steps.lazy.filter { $0.task.rules.contactsWorker && begun.contains($0.id) }.compactMap(\.worker))
    }

    /// Jobs of which a hook is in flight: what it was told about its batch has to stay as it is until it has ended.
    func jobsWithHooks(inFlight records: [StepRecord]) -> Set<JobName> {
        let open = Set(records.lazy.filter { $0.state == .started || $0.state == .unknown }.map(\.step))
        if open.isEmpty { return [] }
        return Set(
            steps.lazy.filter { step in
                if case .hook = step.task { open.contains(step.id) } else { false }
            }.map(\.job))
    }
}
