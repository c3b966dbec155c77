/// The smallest thing that is checkpointed.
public struct Step: Sendable {
    /// What is recorded; the same in every process that reads the plan.
    public let id: StepID
    public let kind: StepKind
    /// The job that it is part of, also where that is gone from the workspace.
    public let job: JobName
    /// Nil for steps of the job as a whole.
    public let worker: WorkerName?

    /// Nil for steps of a job as a whole.
    public var allocation: AllocationID? { worker.map { AllocationID(job: job, worker: $0) } }
}

/// What a step does.
public enum StepKind: Hashable, Sendable {
    /// Brings the allocation's files to the planned tree.
    case push
    /// Runs a Makefile target on the worker; never `sync`, which is a push alone.
    case action(LifecycleAction)
    /// Removes the deployed files of an allocation that left the workspace.
    case remove
    /// Runs a command of the job on the control host, for one allocation.
    case hook(HookEvent, command: String)
    /// Decides in which order the job's batches are cut, where hooks may have put another one; touches no worker.
    case order
    /// Records that the allocation now runs the planned release; touches no worker.
    case promote
    /// Probes the job's health check on every active allocation.
    case gate
    /// Waits for the job's bake time, then probes its health check once more.
    case bake
    /// Records that the job's rollout is complete; touches no worker.
    case complete

    /// The last part of the step's id.
    public var verb: String {
        switch self {
        case .push: "push"
        case .action(let action): action.rawValue
        case .remove: "remove"
        case .hook(_, let command): command
        case .order: "rollout_order"
        case .promote: "promote"
        case .gate: "gate"
        case .bake: "bake"
        case .complete: "complete"
        }
    }

    /// Whether the allocation's worker is asked for anything; hooks run on the control host.
    public var contactsWorker: Bool {
        switch self {
        case .push, .action, .remove, .promote: true
        case .hook, .order, .gate, .bake, .complete: false
        }
    }

    /// Whether a failure is tried again by the same command without `--retry-failed`: a probe changes nothing.
    public var isProbe: Bool {
        switch self {
        case .gate, .bake: true
        case .push, .action, .remove, .hook, .order, .promote, .complete: false
        }
    }
}
