public import Model

/// Everything that becomes true together: written in one transaction, or not at all.
public struct Checkpoint: Equatable, Sendable {
    /// Whose steps they are.
    public var run: RunID
    /// When it happened, by the controller's wall clock.
    public var at: Timestamp
    /// Intents and outcomes of attempts.
    public var steps: [StepWrite]
    /// What becomes known of allocations and jobs by these outcomes.
    public var changes: [CatalogChange]
    /// What people decided.
    public var decisions: [Decision]
    /// Nil where the run's state stays.
    public var runState: RunChange?
    /// Allocations that the run goes on without from now on.
    public var leftBehind: [LeftBehind] = []
    /// What the run has left behind is a part of it again.
    public var takesIn = false

    public init(
        run: RunID, at: Timestamp, steps: [StepWrite] = [], changes: [CatalogChange] = [],
        decisions: [Decision] = [], runState: RunChange? = nil
    ) {
        self.run = run
        self.at = at
        self.steps = steps
        self.changes = changes
        self.decisions = decisions
        self.runState = runState
    }

    /// Where the run stands from now on.
    public struct RunChange: Equatable, Sendable {
        /// What the run is from now on.
        public var state: RunState
        /// Why, for people.
        public var detail: String?

        public init(_ state: RunState, detail: String? = nil) {
            self.state = state
            self.detail = detail
        }
    }
}

/// A transition of one attempt of one step.
///
/// | from | legal |
/// |---|---|
/// | no attempt | `begin` with attempt 1 |
/// | `started` | `outcome`: succeeded, failed, unreachable, unknown, skipped |
/// | `unknown` | `outcome` or `settle`: succeeded, failed, unreachable, unknown, skipped |
/// | `failed`, `unreachable` | `begin` with the next attempt |
/// | `succeeded`, `skipped` | `reopen`, which adds a failed attempt |
public enum StepWrite: Equatable, Sendable {
    /// The intent, written before a worker is contacted.
    case begin(step: StepID, attempt: Int, digest: Digest, attemptID: String)
    /// What came of it. `detail` is cut at `CatalogLimits.detail` bytes.
    case outcome(
        step: StepID, attempt: Int, state: StepState, exitStatus: Int? = nil, detail: String? = nil,
        output: StepOutput? = nil)
    /// A person says what became of an `unknown` attempt; recorded as a decision too.
    case settle(step: StepID, attempt: Int, state: StepState, by: String, reason: String)

    /// The step has to be done again, since something that it was about is; for a gate whose batch is. Where it has not
    /// succeeded, nothing changes.
    case reopen(step: StepID, reason: String)

    /// The step whose attempt it is.
    public var step: StepID {
        switch self {
        case .begin(let step, _, _, _), .outcome(let step, _, _, _, _, _), .settle(let step, _, _, _, _),
            .reopen(let step, _):
            step
        }
    }
}

/// A change of what is known of allocations and jobs.
public enum CatalogChange: Equatable, Sendable {
    /// Something is about to be pushed or run there: unsettled until it is promoted or stopped.
    case began(AllocationID, Release)
    /// Somebody has changed its files, and the run that was to bring the release is given up without having begun anything
    /// there: the next plan replaces what is there. What runs there, and whether anything does, stays as it was.
    case drifted(AllocationID, Release)
    case promoted(AllocationID, Release)
    /// `removed`: its files are gone (or given up with its worker), and a later return is a new start. Otherwise it
    /// was disabled, and what was begun or promoted last counts as what last ran there. What was begun stays unfinished:
    /// its files may be there in part.
    case stopped(AllocationID, removed: Bool)
    /// They were promoted, or baked, under a plan with a gate for them that has not passed yet.
    case gateOwed([AllocationID])
    /// The job's gate has passed on these workers.
    case gatePassed(JobName, [WorkerName])
    /// The job's gate has asked on `covered` and has not passed; on `failing` it was not well.
    case gateFailed(JobName, covered: [WorkerName], failing: [WorkerName])
    /// The job has no gate any more that could pass.
    case gateForgotten(JobName)
    case incomplete(JobName, Bool)
    /// The order in which the run's batches of the job are cut, where hooks have put another one than the plan's.
    case rolloutOrder(JobName, [WorkerName])
    /// Replaces all ports of the job.
    case assignedPorts(JobName, [String: Int])
    /// Machines go by other names: what is known of the old names is known of the new ones.
    case renamed([Plan.Rename])
    /// A rollout has seen the worker.
    case seen(WorkerName, Machine)
}

/// Bounds of what the catalog keeps.
public enum CatalogLimits {
    /// Bytes of a detail or reason; longer texts are cut.
    public static let detail = 8 * 1024
}
