/// What is done to an allocation.
public enum LifecycleAction: String, Sendable, CaseIterable {
    case start
    case restart
    case reload
    /// Runs the Makefile's `stop`; on removal the deployed files go too.
    case stop
    /// Pushes the files and runs nothing.
    case sync
    /// Runs a target that the plan names, and changes nothing that is recorded.
    case run

    /// The Makefile target that the action runs; nil if it only moves files, or if the plan names the target.
    public var target: String? {
        switch self {
        case .start, .restart, .reload, .stop: rawValue
        case .sync, .run: nil
        }
    }

    /// The phase of a job's rollout that the action belongs to; nil for actions that are in no rollout of a job.
    public var phase: PhaseKind? {
        switch self {
        case .start: .start
        case .restart, .reload, .sync: .upgrade
        case .stop, .run: nil
        }
    }
}

/// Why an action is in a plan. Where several apply, the first in this order is shown; globs and paths that
/// match are shown whatever it is.
public enum Reason: String, Sendable, CaseIterable {
    case firstDeploy = "first_deploy"
    case reEnabled = "re_enabled"
    /// A person had stopped it, and the plan was asked to start such allocations.
    case stoppedByHand = "stopped_by_hand"
    case unfinished
    case forced
    case globMatched = "glob_matched"
    case contentChanged = "content_changed"
    case versionChanged = "version_changed"
    case disabled
    case removed
    /// It has left its worker, as no worker has all labels of its job any more.
    case noWorkerMatches = "no_worker_matches"
    /// Somebody asked for just this.
    case requested
    /// A run is taken back.
    case rolledBack = "rolled_back"
}

/// What a plan is for.
public enum PlanKind: String, Sendable, CaseIterable {
    /// Brings the workers to the workspace.
    case deploy
    /// Runs one command of a job, on the controller, once for each active allocation.
    case jobCommand = "job_command"
    /// Restarts what runs, with the files that are deployed.
    case restart
    /// Starts what does not run.
    case start
    /// Stops what runs; it stays stopped until somebody starts it.
    case stop
    /// Runs one target of a job's Makefile.
    case runTarget = "run_target"
    /// Runs a command on workers as a whole.
    case runCommand = "run_command"
    /// Reboots workers, with their jobs stopped and started.
    case reboot
}

/// How workers are reached.
public enum TransportKind: String, Sendable, CaseIterable {
    /// Each worker is a directory of this machine.
    case local
    case ssh
}

/// What happens to the rest of a run when something fails.
public enum FailurePolicy: String, Sendable, CaseIterable {
    /// No batch starts anywhere after a failure.
    case stop
    /// Jobs that do not demand the failed one go on.
    case `continue`
    /// No batch starts anywhere, and what the run has begun goes back to what it was.
    case rollback

    /// Whether jobs that do not demand a failed one go on.
    public var goesOn: Bool {
        switch self {
        case .stop, .rollback: false
        case .continue: true
        }
    }
}

/// When a gate is probed within a phase.
public enum GateTiming: String, Sendable, CaseIterable {
    /// The job has no health check.
    case none
    case afterPhase = "after_phase"
    case afterEachBatch = "after_each_batch"
    /// After each batch for the allocations of that batch alone, then once for everything that runs.
    case afterEachBatchAndPhase = "after_each_batch_and_phase"

    /// Whether a gate follows each batch.
    public var followsEachBatch: Bool {
        switch self {
        case .none, .afterPhase: false
        case .afterEachBatch, .afterEachBatchAndPhase: true
        }
    }

    /// Whether a gate follows the last batch of the phase.
    public var followsPhase: Bool {
        switch self {
        case .none, .afterEachBatch: false
        case .afterPhase, .afterEachBatchAndPhase: true
        }
    }
}

/// What is wrong with an allocation that never passed the gate of its last promote.
public enum GateDebt: String, Sendable, CaseIterable {
    /// The job's last gate named it as failing.
    case failed
    /// It was promoted, and its gate has not passed since.
    case owed
}

/// The parts of a job's rollout, in their order.
public enum PhaseKind: String, Sendable, CaseIterable {
    /// Allocations that are unfinished or never passed their gate, before any healthy one is touched.
    case recover
    case start
    case upgrade
    /// The whole rollout of a job whose own command does what Makefile targets do elsewhere.
    case jobControl = "job_control"
    /// One target on what is deployed, in a plan that deploys nothing.
    case operation

    /// When a phase of this kind is looked at: allocations that start may need each other to be healthy.
    public var gateTiming: GateTiming {
        switch self {
        case .recover: .afterEachBatchAndPhase
        case .start: .afterPhase
        case .upgrade, .jobControl, .operation: .afterEachBatch
        }
    }
}

/// What happened to one path of a job's tree between two contents.
public enum ChangeKind: String, Sendable, CaseIterable {
    case added
    case modified
    case removed
    /// Only the type or the owner-execute bit differs.
    case mode
}

/// How a plan came to the order of its batches.
public enum OrderSource: String, Sendable, CaseIterable {
    /// The order of `workers.json`.
    case workers
    /// The job's `rollout_order` key.
    case keyValue = "kv"
}
