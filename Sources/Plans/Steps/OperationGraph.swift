internal import Model

/// The unit of a job on which a plan runs a target.
extension GraphBuilder {
    /// Adds the batches with their gates, and the gate for what failed within `max_failures`.
    mutating func add(_ operation: Operation, of work: JobWork, to unit: inout StepGraph.Unit) {
        let job = work.job
        func operated(_ entry: Plan.Entry) -> OperatedAllocation {
            OperatedAllocation(
                work, entry, operation.verb, .request(allowsDrift: operation.options.allowsDrift))
        }
        for phase in job.phases {
            add(
                phase.batches, of: phase, work, counted: (0, phase.batches.count), to: &unit,
                surrounded: { .operation(operated($0)) }
            ) { builder, entry, prefix in builder.chain(of: operated(entry), prefix) }
        }
        unit.closing = unit.stages.endIndex
        if job.hasEndGate {
            unit.stages.append(single(.gate(GateTask(work: work, scope: .running)), "\(job.job)/end", job))
        }
    }

    private mutating func chain(of allocation: OperatedAllocation, _ prefix: String) -> StepGraph.Chain {
        StepGraph.Chain(steps: steps(of: allocation, "\(prefix)/\(allocation.entry.worker)"), promote: nil)
    }

    /// A target; or the commands of `job_control`, one after the other, which get its name.
    mutating func steps(of allocation: OperatedAllocation, _ prefix: String) -> [StepIndex] {
        let commands = allocation.work.hooks[.jobControl] ?? []
        let subject = Subject.allocation(allocation.allocation)
        if commands.isEmpty { return [add(.target(Target(purpose: .operation(allocation))), prefix, subject)] }
        // The same commands stop and start what is on a worker that is rebooted.
        let own = "\(prefix)/\(allocation.verb.target)"
        return commands.enumerated().map { index, command in
            let isLast = index == commands.count - 1
            return add(.hook(HookTask(work: command, purpose: .operation(allocation, isLast: isLast))), own, subject)
        }
    }
}
