internal import YAML

/// Whether a plan says one thing: every reference resolves, and everything stands where it belongs.
extension PlanReader {
    func checkReferences(_ plan: Plan, root: Node, summary: Node) {
        var known = Set<WorkerName>()
        for worker in plan.workers where !known.insert(worker.worker).inserted {
            reader.error(root, "the worker \(worker.worker) is listed twice under `workers`")
        }
        let removed = Set(plan.workers.lazy.filter(\.isRemoved).map(\.worker))
        var acting = Set<AllocationID>()
        func act(_ allocation: AllocationID) {
            if !known.contains(allocation.worker) {
                reader.error(root, "\(allocation): the worker does not stand under `workers`")
            }
            if !acting.insert(allocation).inserted { reader.error(root, "\(allocation) acts twice") }
        }
        for stop in plan.reconcile { act(stop.allocation) }
        let stopped = plan.reconcile.map(\.allocation.job)
        let hooked = plan.stopHooks.map(\.job)
        if Set(hooked).count < hooked.count { reader.error(root, "a job is listed twice under `stop_hooks`") }
        for job in hooked where !stopped.contains(job) {
            reader.error(root, "`stop_hooks` names \(job), and nothing of it is stopped")
        }
        checkKind(plan, root: root)
        checkRenames(plan, root: root)
        checkTags(plan, root: root)
        if plan.hasHooks, plan.facts == nil { reader.error(root, "the plan has hooks, and no `facts` for them") }
        let planned = Set(plan.waves.flatMap(\.jobs).map(\.job))
        var jobs = Set<JobName>()
        var lastSequence = -1
        for wave in plan.waves {
            if wave.deploymentSequence <= lastSequence {
                reader.error(root, "the waves do not ascend by `deployment_seq`")
            }
            lastSequence = wave.deploymentSequence
            let lower = jobs
            for job in wave.jobs {
                for demanded in job.demands where planned.contains(demanded) && !lower.contains(demanded) {
                    reader.error(root, "\(job.job) demands \(demanded), which is not in a wave before it")
                }
                if !jobs.insert(job.job).inserted { reader.error(root, "the job \(job.job) is listed twice") }
                checkReferences(job, known: known, root: root, act: act)
                for worker in Set(job.active + job.phases.flatMap(\.batches).joined().map(\.worker)).sorted()
                where removed.contains(worker) {
                    reader.error(root, "\(job.job) on \(worker): the worker is `removed`, and only stops belong there")
                }
            }
        }
        if plan.summary != Plan.Summary(reconcile: plan.reconcile, waves: plan.waves, unchanged: plan.summary.unchanged)
        {
            reader.error(summary, "the summary does not count what the plan holds")
        }
    }

    /// The tags under `workers` decide about approvals, and those under `facts` are what hooks are told.
    private func checkTags(_ plan: Plan, root: Node) {
        guard let facts = plan.facts else { return }
        let told = Dictionary(facts.workers.map { ($0.worker, $0.tags) }, uniquingKeysWith: { first, _ in first })
        for worker in plan.workers where !worker.isRemoved {
            var tags = worker.tags
            if let zone = worker.zone { tags["zone"] = zone }
            guard let known = told[worker.worker] else {
                reader.error(root, "the worker \(worker.worker) does not stand in the facts")
                continue
            }
            if known != tags {
                reader.error(root, "the tags of \(worker.worker) are others under `workers` than in the facts")
            }
        }
    }

    /// Whether the plan holds what its kind does, and nothing else.
    private func checkKind(_ plan: Plan, root: Node) {
        let jobs = plan.waves.flatMap(\.jobs)
        switch plan.kind {
        case .deploy:
            for job in jobs where !job.hooks(.cli).isEmpty {
                reader.error(root, "\(job.job): a rollout runs no hooks of the event `cli`")
            }
        case .jobCommand:
            guard plan.reconcile.isEmpty, jobs.count == 1, let job = jobs.first, job.hooks(.cli).count == 1,
                job.hooks?.commands.count == 1, job.phases.isEmpty, !job.gateFirst, !job.active.isEmpty
            else {
                reader.error(root, "a plan of the kind `job_command` runs one command of one job, and nothing else")
                return
            }
        }
    }

    private func checkReferences(
        _ job: Plan.Job, known: Set<WorkerName>, root: Node, act: (AllocationID) -> Void
    ) {
        for worker in job.active where !known.contains(worker) {
            reader.error(root, "\(job.job): the active worker \(worker) does not stand under `workers`")
        }
        let states = Set(job.from.map(\.name))
        var contents: [WorkerName: Int] = [:]
        for content in job.content { for worker in content.workers { contents[worker, default: 0] += 1 } }
        var kinds = Set<PhaseKind>()
        for phase in job.phases {
            if !kinds.insert(phase.kind).inserted {
                reader.error(root, "\(job.job): the phase \(phase.kind.rawValue) is listed twice")
            }
            if phase.gate != .none && job.healthCheck == nil {
                reader.error(root, "\(job.job): a phase has a gate, and the job no health check")
            }
            for entry in phase.batches.joined() {
                act(AllocationID(job: job.job, worker: entry.worker))
                if !states.contains(entry.from) {
                    reader.error(root, "\(job.job) on \(entry.worker): the state `\(entry.from)` is not defined")
                }
                if contents.removeValue(forKey: entry.worker) != 1 {
                    reader.error(root, "\(job.job) on \(entry.worker): `content` has to name its tree once")
                }
                let belongs =
                    switch phase.kind {
                    case .recover, .jobControl: entry.action != .stop
                    case .start, .upgrade: entry.action.phase == phase.kind
                    }
                if entry.gate != nil, phase.kind != .recover || job.healthCheck == nil {
                    reader.error(
                        root,
                        "\(job.job) on \(entry.worker): `gate` belongs to entries of the phase recover, of a job with a "
                            + "health check")
                }
                if !belongs {
                    reader.error(
                        root,
                        "\(job.job) on \(entry.worker): \(entry.action.rawValue) does not belong in the phase "
                            + phase.kind.rawValue)
                }
            }
        }
        for worker in contents.keys.sorted() {
            reader.error(root, "\(job.job): `content` names \(worker), which does not act")
        }
        if kinds.contains(.jobControl) ? !job.isJobControl : job.isJobControl && kinds != [.recover] {
            reader.error(root, "\(job.job): the phase job_control and hooks of that event belong together")
        }
        if job.isJobControl, !kinds.isSubset(of: [.recover, .jobControl]) {
            reader.error(root, "\(job.job): beside the phase job_control there is only recover")
        }
        if kinds.contains(.recover), job.phases.first?.kind != .recover {
            reader.error(root, "\(job.job): the phase recover comes first")
        }
        if job.gateFirst && job.healthCheck == nil {
            reader.error(root, "\(job.job): `gate_first` is set, and the job has no health check")
        }
    }
}
