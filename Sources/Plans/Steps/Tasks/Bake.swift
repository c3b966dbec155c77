internal import Model

/// Waits for the job's bake time, then probes its health check once more.
public struct BakeTask: TaskRules {
    public let work: JobWork
    public let scope: ProbeScope

    public var verb: String { "bake" }
    public var job: Plan.Job? { work.job }
    public var probeScope: ProbeScope? { scope }
    public var leastMilliseconds: Int64 { bakeMilliseconds + GateTask.leastMilliseconds(work.job) }
    public var limitMilliseconds: Int64 { bakeMilliseconds + GateTask.limitMilliseconds(work.job) }

    /// How long the batch is left alone.
    public var bakeMilliseconds: Int64 { Int64(work.job.batching.bakeSeconds) * 1000 }

    /// What bakes owes the gate at the end of the bake.
    public func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange] {
        let baking = work.job.healthCheck == nil ? [] : graph.allocations(before: step)
        return (graph.plan.kind == .deploy ? [.incomplete(work.job.job, true)] : [])
            + [.gateOwed(baking.filter { !graph.leftBehind.contains(.allocation($0)) })]
    }
}
