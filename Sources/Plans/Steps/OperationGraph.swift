internal import Model

/// The unit of a job on which a plan runs a target.
extension GraphBuilder {
    /// Adds the batches with their gates, and the gate for what failed within `max_failures`.
    mutating func add(_ operation: Operation, of work: JobWork, to unit: inout StepGraph.Unit) {
        let job = work.job
        for phase in job.phases {
            add(phase.batches, of: phase, work, counted: (0, phase.batches.count), to: &unit) { builder, entry, prefix in
                builder.chain(of: OperatedAllocation(work, entry, of: operation), prefix)
            }
        }
        unit.closing = unit.stages.endIndex
    }

    /// A target; or the commands of `job_control`, one after the other, which get its name.
    private mutating func chain(of allocation: OperatedAllocation, _ prefix: String) -> StepGraph.Chain {
        let own = "\(prefix)/\(allocation.entry.worker)"
        let subject = Subject.allocation(allocation.allocation)
        let commands = allocation.work.hooks[.jobControl] ?? []
        let tasks =
            commands.isEmpty
            ? [StepTask.target(Target(purpose: .operation(allocation)))]
            : commands.map { StepTask.hook(HookTask(work: $0, purpose: .operation(allocation))) }
        return StepGraph.Chain(steps: tasks.map { add($0, own, subject) }, promote: nil)
    }
}
