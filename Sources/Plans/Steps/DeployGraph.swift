internal import Model

/// The unit of a job that a plan deploys.
extension GraphBuilder {
    /// Adds the stages: a gate that leads, hooks before, the order, the batches of each phase with their gates and bakes,
    /// then what closes the job.
    mutating func addDeploy(of work: JobWork, _ order: [WorkerName]?, to unit: inout StepGraph.Unit) {
        let job = work.job
        let name = job.job.text
        if job.gateFirst { unit.stages.append(single(.gate(GateTask(work: work, scope: .leading)), name, job)) }
        addHooks(.preDeploy, of: work, order, to: &unit)
        if !job.orderingCommands.isEmpty { unit.stages.append(single(.order(OrderTask(work: work)), name, job)) }
        let phases = job.phases.map { batches(of: $0, work, order) }
        let count = phases.reduce(0) { $0 + $1.count }
        var earlier = 0
        for (phase, batches) in zip(job.phases, phases) {
            add(
                batches, of: phase, work,
                counted: job.isJobControl ? (earlier, count) : (0, batches.count), to: &unit)
            earlier += batches.count
        }
        unit.closing = unit.stages.endIndex
        // The gates before left out what had failed, and may since have been tried again.
        if job.hasEndGate {
            unit.stages.append(single(.gate(GateTask(work: work, scope: .running)), "\(name)/end", job))
        }
        addHooks(.postDeploy, of: work, order, to: &unit)
        unit.stages.append(single(.complete(Complete(work: work)), name, job))
    }

    /// Adds the batches of one phase, and what watches over them.
    ///
    /// - Parameter counted: how many batches hooks are told that there were before, and that there are in all.
    private mutating func add(
        _ batches: [[Deployment]], of phase: Plan.Phase, _ work: JobWork, counted: (before: Int, all: Int),
        to unit: inout StepGraph.Unit
    ) {
        let job = work.job
        let prefix = "\(job.job)/\(phase.kind.rawValue)"
        let watch = phase.gate == .none ? phase.kind.gateTiming : phase.gate
        let scope = phase.kind == .recover ? ProbeScope.batch : .running
        var isGated = false
        for (index, batch) in batches.enumerated() {
            let prefix = "\(prefix)/\(index + 1)"
            let chains = batch.map { chain(of: $0, prefix) }
            unit.stages.append(
                .batch(
                    .init(
                        chains: Table(chains),
                        position: .init(phase: phase.kind, index: counted.before + index, count: counted.all))))
            // A gate asks whether what was done holds; a batch that only moved files has nothing to ask.
            guard batch.contains(where: { job.isGated($0.entry) }) else { continue }
            isGated = true
            guard watch.followsEachBatch else { continue }
            if phase.gate != .none {
                unit.stages.append(single(.gate(GateTask(work: work, scope: scope)), prefix, job))
            }
            if job.batching.bakeSeconds > 0 {
                unit.stages.append(single(.bake(BakeTask(work: work, scope: scope)), prefix, job))
            }
        }
        guard watch.followsPhase, isGated else { return }
        if phase.gate != .none {
            unit.stages.append(single(.gate(GateTask(work: work, scope: .running)), prefix, job))
        }
        // The bake of a phase with a gate for each batch is over by then.
        if job.batching.bakeSeconds > 0, !watch.followsEachBatch {
            unit.stages.append(single(.bake(BakeTask(work: work, scope: .running)), prefix, job))
        }
    }

    private mutating func single(_ task: StepTask, _ prefix: String, _ job: Plan.Job) -> StepGraph.Stage {
        .single(add(task, prefix, .job(job.job)))
    }

    private mutating func chain(of deployment: Deployment, _ prefix: String) -> StepGraph.Chain {
        let entry = deployment.entry
        let subject = Subject.allocation(deployment.allocation)
        let own = "\(prefix)/\(entry.worker)"
        var steps = [add(.push(Push(deployment: deployment)), own, subject)]
        var hooks: [StepIndex] = []
        func task(_ hook: HookWork) -> StepTask {
            .hook(HookTask(work: hook, purpose: .deployment(deployment)))
        }
        if deployment.job.isJobControl {
            hooks = (deployment.work.hooks[.jobControl] ?? []).map { add(task($0), own, subject) }
        } else if entry.action.target != nil {
            steps.append(add(.target(Target(purpose: .deployment(deployment))), own, subject))
            let event = HookEvent.afterAllocationStarted
            hooks = (deployment.work.hooks[event] ?? []).map { add(task($0), "\(own)/\(event.rawValue)", subject) }
        }
        return StepGraph.Chain(
            steps: steps, hooks: hooks, promote: add(.promote(Promote(deployment: deployment)), own, subject))
    }

    /// The phase's batches: as the plan has them, or made again by the order that hooks have set.
    private func batches(of phase: Plan.Phase, _ work: JobWork, _ order: [WorkerName]?) -> [[Deployment]] {
        let planned = phase.batches.map { $0.map { Deployment(work, $0) } }
        guard let order else { return planned }
        let ranks = Dictionary(
            order.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
        let sorted = planned.joined().map { (deployment: $0, rank: ranks[$0.entry.worker] ?? .max) }
            .sorted { $0.rank < $1.rank }.map(\.deployment)
        let batching = work.job.batching
        let tags = batching.spread.map { tag in
            Dictionary(
                (plan.facts?.workers ?? []).map { ($0.worker, $0.tags[tag]) }, uniquingKeysWith: { first, _ in first })
        }
        return batching.batches(
            of: sorted, in: phase.kind, tag: { tags?[$0.entry.worker] ?? nil },
            failed: { $0.entry.gate == .failed })
    }
}
