internal import Model

/// Whether the work says one thing: every reference resolves, every allocation acts at most once, actions stand in the phase
/// where they belong, and the summary counts what is there. So nothing that uses a plan has to check it again.
extension Deploy {
    /// - Parameter isReversed: jobs come before those that they demand.
    func check(_ fleet: Fleet, _ report: RecordReport, isReversed: Bool = false) {
        renames.check(fleet, report)
        var soundness = Soundness(fleet, report, isReversed: isReversed)
        for stop in reconcile { soundness.act(stop.allocation, "reconcile") }
        let stopped = options.stopsLast ? [] : Set(reconcile.map(\.allocation.job))
        for job in waves.lazy.flatMap(\.jobs) where job.gateFirst == .afterStops && !stopped.contains(job.job) {
            report.error("waves", "\(job.job): its gate comes after stops, and none of it is stopped before")
        }
        checkStopHooks(report)
        soundness.check(waves)
        if summary != Plan.Summary(reconcile: reconcile, waves: waves, unchanged: summary.unchanged) {
            report.error("summary", "the summary does not count what the plan holds")
        }
    }

    /// What belongs to other kinds of plans.
    func checkKind(_ report: RecordReport) {
        for job in waves.lazy.flatMap(\.jobs) {
            for event in JobCommand.events where !job.hooks(event).isEmpty {
                report.error("waves", "\(job.job): a rollout runs no hooks of the event `\(event.rawValue)`")
            }
        }
        checkRollback(report)
    }

    /// What says that a run is taken back belongs to plans that take one back.
    private func checkRollback(_ report: RecordReport) {
        let jobs = waves.lazy.flatMap(\.jobs)
        if origin == nil, reconcile.contains(where: { $0.reason == .rolledBack }) || jobs.contains(where: \.isRollback)
        {
            report.error("waves", "what is rolled back has an `origin`")
        }
        if origin != nil, reconcile.contains(where: { $0.reason != .rolledBack }) {
            report.error("reconcile", "a rollback stops only what is rolled back")
        }
        if origin != nil, jobs.flatMap(\.entries).contains(where: { $0.reason != .rolledBack }) {
            report.error("waves", "a rollback does nothing but roll back: each reason is `rolled_back`")
        }
        if origin != nil, wayBack != nil { report.error("rollback", "a way back has no way back of its own") }
        if origin != nil, !options.stopsLast {
            report.error("options", "a rollback stops what was new after its waves")
        }
        for stop in reconcile where stop.reason != .rolledBack && stop.before != .removed {
            report.error("reconcile", "\(stop.allocation): `before` belongs to what is rolled back")
        }
        for stop in reconcile where (stop.end != .removed && stop.reason == .rolledBack) != (stop.release != nil) {
            report.error("reconcile", "\(stop.allocation): `before` and `release` belong together")
        }
    }

    /// The way back says one thing, too, and is about what the plan changes.
    func checkWayBack(_ plan: Plan, _ report: RecordReport) {
        guard plan.policy.onFailure == .rollback else {
            if wayBack != nil { report.error("rollback", "the policy has no rollback") }
            return
        }
        guard let wayBack else {
            if origin == nil { report.error("rollback", "the policy is `rollback`, and there is no section of it") }
            return
        }
        if waves.lazy.flatMap(\.jobs).contains(where: { $0.job.text == WayBack.reservedName }) {
            report.error(
                "rollback", "a job of this name cannot be in a plan with a way back: its steps would have the same ids")
        }
        let deployed = Set(waves.flatMap(\.allocations))
        let back = wayBack.deploy(.init(rollback: RunID(1)))
        for allocation in back.acting where !deployed.contains(allocation) {
            report.error("rollback", "\(allocation) goes back, and the plan does not change it")
        }
        let inside = report.inside("rollback")
        back.check(plan.fleet, inside, isReversed: true)
        back.checkKind(inside)
    }

    private func checkStopHooks(_ report: RecordReport) {
        let stopped = Set(reconcile.map(\.allocation.job))
        let hooked = stopHooks.map(\.job)
        if Set(hooked).count < hooked.count { report.error("stop_hooks", "a job is listed twice under `stop_hooks`") }
        for job in hooked where !stopped.contains(job) {
            report.error("stop_hooks", "`stop_hooks` names \(job), and nothing of it is stopped")
        }
    }
}

private struct Soundness {
    private let report: RecordReport
    private let known: Set<WorkerName>
    private let removed: Set<WorkerName>
    private let isReversed: Bool
    private var acting: Set<AllocationID> = []

    init(_ fleet: Fleet, _ report: RecordReport, isReversed: Bool) {
        self.report = report
        self.isReversed = isReversed
        known = Set(fleet.workers.map(\.worker))
        removed = Set(fleet.workers.lazy.filter(\.isRemoved).map(\.worker))
    }

    /// An allocation acts once, on a worker that is known.
    mutating func act(_ allocation: AllocationID, _ field: String) {
        if !known.contains(allocation.worker) {
            report.error(field, "\(allocation): the worker is missing under `workers`")
        }
        if !acting.insert(allocation).inserted { report.error(field, "\(allocation) acts twice") }
    }

    mutating func check(_ waves: [Plan.Wave]) {
        let planned = Set(waves.flatMap(\.jobs).map(\.job))
        var jobs = Set<JobName>()
        var lastSequence = -1
        for wave in isReversed ? waves.reversed() : waves {
            if wave.deploymentSequence <= lastSequence {
                error("the waves do not \(isReversed ? "descend" : "ascend") by `deployment_seq`")
            }
            lastSequence = wave.deploymentSequence
            let lower = jobs
            for job in wave.jobs {
                for demanded in job.demands where planned.contains(demanded) && !lower.contains(demanded) {
                    error("\(job.job) demands \(demanded), which is not in a wave before it")
                }
                if !jobs.insert(job.job).inserted { error("the job \(job.job) is listed twice") }
                check(job)
            }
        }
    }

    private func error(_ message: String) { report.error("waves", message) }

    // MARK: Jobs

    private mutating func check(_ job: Plan.Job) {
        for worker in job.active where !known.contains(worker) {
            error("\(job.job): the active worker \(worker) is missing under `workers`")
        }
        let acting = job.entries.map(\.worker)
        if !removed.isEmpty {
            for worker in Set(job.active).union(acting).intersection(removed).sorted() {
                error("\(job.job) on \(worker): the worker is `removed`, and only stops belong there")
            }
        }
        checkEntries(of: job)
        checkPhases(of: job)
        checkVersions(of: job)
        if job.gateFirst != nil && job.healthCheck == nil {
            error("\(job.job): `gate_first` is set, and the job has no health check")
        }
    }

    private mutating func checkEntries(of job: Plan.Job) {
        let states = Set(job.from.map(\.name))
        var contents: [WorkerName: Int] = [:]
        for content in job.content { for worker in content.workers { contents[worker, default: 0] += 1 } }
        for phase in job.phases {
            for entry in phase.batches.joined() {
                act(AllocationID(job: job.job, worker: entry.worker), "waves")
                if !states.contains(entry.from) {
                    error("\(job.job) on \(entry.worker): the state `\(entry.from)` is not defined")
                }
                if contents.removeValue(forKey: entry.worker) != 1 {
                    error("\(job.job) on \(entry.worker): `content` has to name its tree once")
                }
                if entry.gate != nil, phase.kind != .recover || job.healthCheck == nil {
                    error(
                        "\(job.job) on \(entry.worker): `gate` belongs to entries of the phase recover, of a job with a "
                            + "health check")
                }
                if !phase.kind.holds(entry.action) {
                    error(
                        "\(job.job) on \(entry.worker): \(entry.action.rawValue) does not belong in the phase "
                            + phase.kind.rawValue)
                }
            }
        }
        for worker in contents.keys.sorted() {
            error("\(job.job): `content` names \(worker), which does not act")
        }
    }

    private func checkVersions(of job: Plan.Job) {
        let acting = Set(job.entries.map(\.worker))
        var seen = Set<WorkerName>()
        for version in job.versions {
            if version.name == job.version || version.value.isEmpty || !Version.isValid(version.name) {
                error("\(job.job): `versions` has other versions than \(job.version), each with its allocations")
            }
            for worker in version.value where !acting.contains(worker) || !seen.insert(worker).inserted {
                error("\(job.job): `versions` names \(worker), which does not act or has a version already")
            }
        }
        if !job.versions.isEmpty, !job.isRollback { error("\(job.job): only what is rolled back has several versions") }
    }

    private func checkPhases(of job: Plan.Job) {
        var kinds = Set<PhaseKind>()
        for phase in job.phases {
            if !kinds.insert(phase.kind).inserted {
                error("\(job.job): the phase \(phase.kind.rawValue) is listed twice")
            }
            if phase.gate != .none && job.healthCheck == nil {
                error("\(job.job): a phase has a gate, and the job no health check")
            }
        }
        if kinds == [.operation] { return }
        if kinds.contains(.jobControl) ? !job.isJobControl : job.isJobControl && kinds != [.recover] {
            error("\(job.job): the phase job_control and hooks of that event belong together")
        }
        if job.isJobControl, !kinds.isSubset(of: [.recover, .jobControl]) {
            error("\(job.job): beside the phase job_control there is only recover")
        }
        if kinds.contains(.recover), job.phases.first?.kind != .recover {
            error("\(job.job): the phase recover comes first")
        }
    }
}

extension PhaseKind {
    /// Whether an action can be part of the phase.
    fileprivate func holds(_ action: LifecycleAction) -> Bool {
        switch self {
        case .recover, .jobControl: action != .stop
        case .start: action.phase == .start
        // New allocations are there if they have their turn with the upgrades.
        case .upgrade: action.phase != nil
        // Which one follows from the kind of the plan.
        case .operation: action != .sync
        }
    }
}
