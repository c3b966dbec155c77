internal import Catalog
internal import Model
internal import Plans

/// Decides what a run goes on without, because workers cannot be used: here alone `max_unreachable` is counted, for each job,
/// or over all workers if the plan is for workers as a whole. A pure value.
struct Absences: Equatable, Sendable {
    /// An allocation or a worker that something is left to do for, if the worker cannot be used and nothing of the run has
    /// begun there.
    struct Candidate: Equatable, Sendable {
        var subject: Subject
        /// What is wrong with its worker.
        var reason: String
    }

    /// More allocations of a job, or workers of the plan, than the run goes on without.
    struct Excess: Equatable, Sendable, CustomStringConvertible {
        /// Nil for workers as a whole.
        var job: JobName?
        /// How many there are, those included that the run has left behind before.
        var count: Int
        var limit: Int
        /// The job's active allocations, or the plan's workers.
        var active: Int

        var description: String {
            let what =
                job.map { "\($0): \(count) of \(active) allocations are on workers that" }
                ?? "\(count) of \(active) workers"
            return "\(what) cannot be used, and max_unreachable is \(limit)"
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
        func counts(_ subject: Subject) -> Bool {
            guard case .allocation(let allocation) = subject, stops.contains(allocation) else { return true }
            return jobs[allocation.job]?.phases.contains { $0.batches.joined().contains { $0.action == .start } }
                ?? false
        }
        var counted: [JobName?: Int] = [:]
        for candidate in candidates where counts(candidate.subject) { counted[candidate.subject.job, default: 0] += 1 }
        var exceeding = Set<JobName?>()
        for job in counted.keys.sorted(by: { ($0?.text ?? "") < ($1?.text ?? "") }) {
            let before = graph.leftBehind.count { $0.job == job && counts($0) }
            let count = before + (counted[job] ?? 0)
            let (limit, active) = Self.limit(of: job.flatMap { jobs[$0] }, in: graph.plan)
            guard count > limit else { continue }
            exceeding.insert(job)
            excess.append(Excess(job: job, count: count, limit: limit, active: active ?? count))
        }
        leaving = candidates.filter { !counts($0.subject) || !exceeding.contains($0.subject.job) }.map {
            LeftBehind($0.subject, reason: $0.reason)
        }
    }

    private static func limit(of job: Plan.Job?, in plan: Plan) -> (limit: Int, active: Int?) {
        if let job { return (job.batching.maxUnreachable, job.active.count) }
        return (plan.work.workerBatches?.maxUnreachable ?? 0, plan.work.workerBatches?.workers.count)
    }
}

extension StepGraph {
    /// Allocations and workers for which something is left to do, or whose health is waited for; not those that the run has
    /// left behind.
    func subjects(leftBy records: [StepRecord]) -> Set<Subject> {
        let done = Set(records.lazy.filter { $0.state == .succeeded || $0.state == .skipped }.map(\.step))
        var left = Set<Subject>()
        for unit in units {
            var isProbed = false
            for index in unit.steps where !done.contains(steps[index].id) && !isSpared(index) {
                let step = steps[index]
                if step.task.rules.contactsWorker { left.insert(leaving(index)) }
                // What is taken in has gates before it that had passed without it.
                isProbed = isProbed || step.task.rules.isProbe || isTakenIn(index)
            }
            guard isProbed else { continue }
            // Gates of a plan for workers ask about those that are done, and about other workers, too.
            let acting = Set(plan.work.workerBatches?.workers ?? [])
            for job in unit.work.map({ [$0.job] }) ?? plan.waves.flatMap(\.jobs) {
                left.formUnion(
                    job.active.lazy.map {
                        acting.contains($0) ? .worker($0) : .allocation(AllocationID(job: job.job, worker: $0))
                    })
            }
        }
        return left.subtracting(leftBehind)
    }

    /// Workers whose reboot has begun and not ended: they may be away right now.
    func workers(rebootedBy records: [StepRecord]) -> Set<WorkerName> {
        let open = Set(records.lazy.filter { $0.state == .started }.map(\.step))
        return Set(
            steps.lazy.filter { step in
                if case .reboot = step.task { open.contains(step.id) } else { false }
            }.compactMap(\.worker))
    }

    /// Workers on which something of the run has begun, whatever became of it; or for which hooks have prepared something.
    func workers(touchedBy records: [StepRecord]) -> Set<WorkerName> {
        let begun = Set(records.lazy.map(\.step))
        return Set(
            steps.indexed.lazy.filter { index, step in
                (step.task.rules.contactsWorker || comesFirst(index)) && begun.contains(step.id)
            }.compactMap(\.1.worker))
    }

    /// Jobs of which a hook is in flight: what it was told about its batch has to stay as it is until it has ended.
    func jobsWithHooks(inFlight records: [StepRecord]) -> Set<JobName> {
        let open = Set(records.lazy.filter { $0.state == .started || $0.state == .unknown }.map(\.step))
        if open.isEmpty { return [] }
        return Set(
            steps.lazy.filter { step in
                if case .hook = step.task { open.contains(step.id) } else { false }
            }.compactMap(\.job))
    }
}
