/// When a command of a job runs.
public enum HookEvent: String, Sendable, CaseIterable {
    /// Before anything of the job is touched.
    case preDeploy = "pre_deploy"
    /// Once for each batch, before anything of it is touched.
    case beforeBatch = "before_batch"
    /// Before anything of one allocation of a batch is touched.
    case beforeAllocation = "before_allocation"
    /// In place of the Makefile's targets.
    case jobControl = "job_control"
    /// When all targets of a batch have ended, for those that went well; before they are promoted.
    case afterAllocationStarted = "after_allocation_started"
    /// When the gate has found an allocation well.
    case afterAllocationHealthy = "after_allocation_healthy"
    /// Last for an allocation of which anything has begun, whatever became of it.
    case afterAllocation = "after_allocation"
    /// When an allocation was stopped.
    case afterAllocationStopped = "after_allocation_stopped"
    /// At the end of each gate, after the probes.
    case healthCheck = "health_check"
    /// When all batches and gates of the job are behind it.
    case postDeploy = "post_deploy"
    /// When a person asks for it, by a plan of its own.
    case cli
    /// Before planning, when what the hooks see has changed: `maand-plan prepare` runs them.
    case postBuild = "post_build"

    /// Those around a batch and around its allocations.
    public static let around: [HookEvent] = [
        .beforeBatch, .beforeAllocation, .afterAllocationHealthy, .afterAllocation,
    ]

    /// Whether it runs around a batch or around one of its allocations, whatever is done to that.
    public var isAround: Bool { Self.around.contains(self) }
}
