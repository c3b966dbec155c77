public import Model
public import Plans

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
        /// Why, for programs.
        public var cause: RunReason?

        public init(_ state: RunState, detail: String? = nil, cause: RunReason? = nil) {
            self.state = state
            self.detail = detail
            self.cause = cause
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
    /// What came of it. `code` says why it did not succeed, for programs; `detail`, for
    /// people, is cut at `CatalogLimits.detail` bytes.
    case outcome(
        step: StepID, attempt: Int, state: StepState, exitStatus: Int? = nil, code: String? = nil,
        detail: String? = nil, output: StepOutput? = nil)
    /// A person says what became of an `unknown` attempt; recorded as a decision too.
    case settle(step: StepID, attempt: Int, state: StepState, by: String, reason: String)

    /// The step has to be done again, since something that it was about is; for a gate whose batch is. Where it has not
    /// succeeded, nothing changes.
    case reopen(step: StepID, reason: String)

    /// The step whose attempt it is.
    public var step: StepID {
        switch self {
        case .begin(let step, _, _, _), .outcome(let step, _, _, _, _, _, _), .settle(let step, _, _, _, _),
            .reopen(let step, _):
            step
        }
    }
}

/// Bounds of what the catalog keeps.
public enum CatalogLimits {
    /// Bytes of a detail or reason; longer texts are cut.
    public static let detail = 8 * 1024
    /// Bytes of output that steps of one run keep, whole streams up to `StepOutput.limit`. Once they are reached, steps that
    /// succeed keep `shortOutput` bytes of each stream.
    public static let outputOfRun = 32 << 20
    public static let shortOutput = 1024
}
