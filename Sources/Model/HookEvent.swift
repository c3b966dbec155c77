/// When a command of a job runs.
public enum HookEvent: String, Sendable, CaseIterable {
    /// Before anything of the job is touched.
    case preDeploy = "pre_deploy"
    /// In place of the Makefile's targets, batch by batch.
    case jobControl = "job_control"
    /// When all targets of a batch have ended, for those that went well; before they are promoted.
    case afterAllocationStarted = "after_allocation_started"
    /// When an allocation was stopped.
    case afterAllocationStopped = "after_allocation_stopped"
    /// At the end of each gate, after the probes.
    case healthCheck = "health_check"
    /// When all batches and gates of the job are behind it.
    case postDeploy = "post_deploy"
    /// When a person asks for it, by a plan of its own.
    case cli
}
