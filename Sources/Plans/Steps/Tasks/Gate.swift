internal import Model

/// About what a probe asks.
public enum ProbeScope: Sendable {
    /// It comes before anything of the job, and asks about all that runs.
    case leading
    /// The allocations of the batch before it.
    case batch
    /// All that runs at that moment.
    case running
}

/// Probes the job's health check on its active allocations. What has passed, only the process that asked can tell the
/// catalog.
public struct GateTask: TaskRules {
    public let work: JobWork
    public let scope: ProbeScope

    public var verb: String { "gate" }
    public var job: Plan.Job? { work.job }
    public var probeScope: ProbeScope? { scope }
    public var leastMilliseconds: Int64 { Self.leastMilliseconds(work.job) }
    public var limitMilliseconds: Int64 { Self.limitMilliseconds(work.job) }

    public func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange] {
        // Stops leave nothing of the job's rollout to complete; that the gate is owed is recorded with them.
        let isAfterStops = scope == .leading && work.job.gateFirst == .afterStops
        return graph.plan.kind == .deploy && !isAfterStops ? [.incomplete(work.job.job, true)] : []
    }

    /// Milliseconds that pass before a gate of the job can pass.
    static func leastMilliseconds(_ job: Plan.Job) -> Int64 {
        guard let health = job.healthCheck else { return 0 }
        return Int64(health.initialDelaySeconds + (health.successes - 1) * health.intervalSeconds) * 1000
    }

    /// Milliseconds after which a gate of the job has passed or failed.
    static func limitMilliseconds(_ job: Plan.Job) -> Int64 {
        guard let health = job.healthCheck else { return 0 }
        let rounds = (job.active.count + ExecutionLimits.gateWidth - 1) / ExecutionLimits.gateWidth
        let hooks = job.hooks(.healthCheck).count * job.timeouts.hook
        let tries = health.attempts + health.successes - 1
        let asking = tries * (health.timeoutSeconds * health.checks.count + hooks) * max(1, rounds)
        return Int64(health.initialDelaySeconds + asking + (tries - 1) * health.intervalSeconds) * 1000
    }
}
