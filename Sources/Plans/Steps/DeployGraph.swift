internal import Model

/// The unit of a job that a plan deploys.
extension GraphBuilder {
    /// Adds the stages: a gate that leads, hooks before, the order, the batches of each phase with their gates and bakes,
    /// then what closes the job.
    mutating func addDeploy(of work: JobWork, _ order: [WorkerName]?, to unit: inout StepGraph.Unit) {
        let job = work.job
        let name = job.job.text
        if job.gateFirst != nil { unit.stages.append(single(.gate(GateTask(work: work, scope: .leading)), name, job)) }
        addHooks(.preDeploy, of: work, order, to: &unit)
        if !job.orderingCommands.isEmpty { unit.stages.append(single(.order(OrderTask(work: work)), name, job)) }
        let phases = job.phases.map { batches(of: $0, work, order) }
        let count = phases.reduce(0) { $0 + $1.count }
        var earlier = 0
        for (phase, batches) in zip(job.phases, phases) {
            add(
                batches, of: phase, work, counted: job.isJobControl ? (earlier, count) : (0, batches.count), to: &unit,
                surrounded: { .deployment(Deployment(work, $0)) }
            ) { builder, entry, prefix in builder.chain(of: Deployment(work, entry), prefix) }
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
    private func batches(of phase: Plan.Phase, _ work: JobWork, _ order: [WorkerName]?) -> [[Plan.Entry]] {
        let planned = phase.batches
        guard let order else { return planned }
        let ranks = Dictionary(
            order.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
        let sorted = planned.joined().map { (entry: $0, rank: ranks[$0.worker] ?? .max) }
            .sorted { $0.rank < $1.rank }.map(\.entry)
        let batching = work.job.batching
        let tags = batching.spread.map { tag in
            Dictionary(
                (plan.facts?.workers ?? []).map { ($0.worker, $0.tags[tag]) }, uniquingKeysWith: { first, _ in first })
        }
        return batching.batches(
            of: sorted, in: phase.kind, tag: { tags?[$0.worker] ?? nil },
            failed: { $0.gate == .failed })
    }
}
