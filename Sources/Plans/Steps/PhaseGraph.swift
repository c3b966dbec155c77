internal import Model

/// The batches of a phase, with the gates and bakes between them: the same for everything that is done to a job in batches.
extension GraphBuilder {
    /// Adds the batches of one phase, and what watches over them.
    ///
    /// - Parameters:
    ///   - counted: how many batches hooks are told that there were before, and that there are in all.
    ///   - surrounded: what is done to an allocation.
    ///   - chain: makes the steps of one allocation.
    mutating func add(
        _ batches: [[Plan.Entry]], of phase: Plan.Phase, _ work: JobWork, counted: (before: Int, all: Int),
        to unit: inout StepGraph.Unit, surrounded: (Plan.Entry) -> Surrounded,
        chain: (inout GraphBuilder, _ entry: Plan.Entry, _ prefix: String) -> StepGraph.Chain
    ) {
        let job = work.job
        let prefix = "\(job.job)/\(phase.kind.rawValue)"
        let watch = phase.gate == .none ? phase.kind.gateTiming : phase.gate
        let scope = phase.kind == .recover ? ProbeScope.batch : .running
        var isGated = false
        var around = HooksAround()
        for (index, batch) in batches.enumerated() {
            let prefix = "\(prefix)/\(index + 1)"
            // What only gets files goes on as it is: nothing has to be prepared for that.
            let acting = batch.map { job.hasHooksAround && job.runs($0) ? surrounded($0) : nil }
            let lead = addLead(acting, prefix)
            let chains = zip(batch, acting).map { entry, surrounded in
                let before = surrounded.map { addBefore($0, prefix) } ?? []
                return chain(&self, entry, prefix).led(by: before)
            }
            let stage = unit.stages.append(
                .batch(
                    .init(
                        lead: lead, chains: Table(chains),
                        position: .init(phase: phase.kind, index: counted.before + index, count: counted.all))))
            for (index, surrounded) in acting.enumerated() {
                if let surrounded { around.note(surrounded, stage, ChainIndex(index), prefix) }
            }
            // A gate asks whether what was done holds; a batch that only moved files has nothing to ask.
            guard batch.contains(where: job.isGated) else { continue }
            isGated = true
            if phase.gate == .none { addAfter(&around, gate: nil, to: &unit) }
            guard watch.followsEachBatch else { continue }
            if phase.gate != .none {
                let gate = add(.gate(GateTask(work: work, scope: scope)), prefix, .job(job.job))
                unit.stages.append(.single(gate))
                addAfter(&around, gate: gate, to: &unit)
            }
            if job.batching.bakeSeconds > 0 {
                unit.stages.append(single(.bake(BakeTask(work: work, scope: scope)), prefix, job))
            }
        }
        guard watch.followsPhase, isGated else { return }
        if phase.gate != .none {
            let gate = add(.gate(GateTask(work: work, scope: .running)), prefix, .job(job.job))
            unit.stages.append(.single(gate))
            addAfter(&around, gate: gate, to: &unit)
        }
        // The bake of a phase with a gate for each batch is over by then.
        if job.batching.bakeSeconds > 0, !watch.followsEachBatch {
            unit.stages.append(single(.bake(BakeTask(work: work, scope: .running)), prefix, job))
        }
    }

    /// A stage of one step of the job as a whole.
    mutating func single(_ task: StepTask, _ prefix: String, _ job: Plan.Job) -> StepGraph.Stage {
        .single(add(task, prefix, .job(job.job)))
    }
}
