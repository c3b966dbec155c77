public import Model
internal import YAML

/// Brings workers to the workspace: the work of a plan of the kind `deploy`.
public struct Deploy: Equatable, Sendable {
    /// What was asked for.
    public var options: Plan.Options
    /// Counted from the rest.
    public var summary: Plan.Summary
    /// Workers that go by another name, before anything else; by the old name.
    public var renames: [Plan.Rename]
    /// Stops of disabled and removed allocations, before the first wave.
    public var reconcile: [Plan.Stop]
    /// For jobs with stops in `reconcile`, in its order.
    public var stopHooks: [Plan.StopHooks]
    /// Ascending by `deploymentSequence`.
    public var waves: [Plan.Wave]
    /// Allocations that a person has stopped, and that stay so; by job.
    public var stoppedByHand: [Plan.Named<[WorkerName]>]
    /// Allocations that would act, and that the options leave out; by job.
    public var excluded: [Plan.Named<[WorkerName]>]
    /// Allocations that are brought to files which a run had brought there and which were taken back; by job.
    public var failedBefore: [Plan.Named<[WorkerName]>] = []
    /// The run that the plan takes back; nil for a plan that brings the workspace.
    public var origin: Origin?
    /// The way back if a job fails; nil unless the policy is `rollback`.
    public var wayBack: WayBack?
    /// Allocations that hooks of an earlier run have drained, and that the plan does not put back; by job.
    public var drained: [Plan.Named<[WorkerName]>] = []
    /// Jobs that nothing is done for, since no worker has all of their labels; sorted by name.
    public var unmatched: [Plan.UnmatchedJob] = []

    /// - Parameter unchanged: active allocations of the selected jobs that nothing happens to.
    public init(
        options: Plan.Options = .init(), unchanged: Int = 0, renames: [Plan.Rename] = [], reconcile: [Plan.Stop] = [],
        stopHooks: [Plan.StopHooks] = [], waves: [Plan.Wave] = [], stoppedByHand: [Plan.Named<[WorkerName]>] = [],
        excluded: [Plan.Named<[WorkerName]>] = []
    ) {
        self.options = options
        self.summary = .init(reconcile: reconcile, waves: waves, unchanged: unchanged)
        self.renames = renames
        self.reconcile = reconcile
        self.stopHooks = stopHooks
        self.waves = waves
        self.stoppedByHand = stoppedByHand
        self.excluded = excluded
    }
}

extension Plan {
    /// The flags that the planner was given.
    public struct Options: Equatable, Sendable {
        /// Empty means every job.
        public var jobs: [JobName]
        /// Every active allocation acts, by its restart policy.
        public var force: Bool
        /// Files are pushed, and no target runs.
        public var syncOnly: Bool
        /// Jobs of which every acting allocation belongs to the phase `recover`.
        public var recover: [JobName]
        /// In the place of what the manifests say of `rollout.max_unreachable`.
        public var maxUnreachable: HostCount?
        /// The workers on which anything may be done.
        public var selection: Selection
        /// Whether allocations that a person has stopped are started.
        public var includeStopped: Bool
        /// In the place of what `maand.conf` says.
        public var onFailure: FailurePolicy?
        /// Whether stops come after the waves, and not before the first.
        public var stopsLast = false

        public init(
            jobs: [JobName] = [], force: Bool = false, syncOnly: Bool = false, recover: [JobName] = [],
            maxUnreachable: HostCount? = nil, selection: Selection = .init(), includeStopped: Bool = false
        ) {
            self.jobs = jobs
            self.force = force
            self.syncOnly = syncOnly
            self.recover = recover
            self.maxUnreachable = maxUnreachable
            self.selection = selection
            self.includeStopped = includeStopped
        }
    }

    /// Counts of what the plan holds; always derivable from the rest, and checked when a plan is read.
    public struct Summary: Equatable, Sendable {
        /// Waves with anything to do, a gate alone included.
        public var waves = 0
        /// How often the plan has each action; only those that it has.
        private var counts: [LifecycleAction: Int] = [:]
        /// Active allocations of the selected jobs that nothing happens to.
        public var unchanged = 0

        public init() {}

        /// Counts what a plan holds.
        public init(reconcile: [Stop], waves: [Wave], unchanged: Int) {
            self.waves = waves.count
            self.unchanged = unchanged
            self[.stop] = reconcile.count
            for phase in waves.lazy.flatMap(\.jobs).flatMap(\.phases) {
                for entry in phase.batches.joined() { counts[entry.action, default: 0] += 1 }
            }
        }

        /// How often the plan has an action.
        public subscript(_ action: LifecycleAction) -> Int {
            get { counts[action] ?? 0 }
            set { counts[action] = newValue == 0 ? nil : newValue }
        }

        /// In this order summaries count the actions.
        public static let order: [LifecycleAction] = [.start, .restart, .reload, .sync, .stop]

        /// Actions of every kind.
        public var actions: Int { counts.values.reduce(0, +) }
    }

    /// The stop of one allocation that is disabled or gone from the workspace.
    public struct Stop: Equatable, Sendable {
        public var allocation: AllocationID
        /// `disabled`, `removed`, `no_worker_matches` or `rolled_back`.
        public var reason: Reason
        /// What runs there: what was promoted, or else what was begun.
        public var from: FromState
        /// Seconds that the `stop` target may take.
        public var timeout: Int
        /// Where the allocation has no Makefile, nothing is run: its job is rolled out by `job_control`.
        public var isMakefileOptional = false
        /// What it was before the run that is taken back; of no meaning for other reasons.
        public var before = End.removed
        /// What was promoted there before that run; nil if it was new.
        public var release: Release?

        /// What becomes of an allocation that is stopped.
        public enum End: String, Sendable, CaseIterable {
            /// It stays on the worker, and starts again when it is enabled.
            case stopped
            /// It stays on the worker until a person starts it.
            case stoppedByHand = "stopped_by_hand"
            /// Its files are removed.
            case removed
        }

        /// What becomes of it.
        public var end: End {
            switch reason {
            case .removed, .noWorkerMatches: .removed
            case .rolledBack: before
            case .firstDeploy, .reEnabled, .stoppedByHand, .unfinished, .forced, .globMatched, .contentChanged,
                .versionChanged, .disabled, .requested:
                .stopped
            }
        }

        public init(allocation: AllocationID, reason: Reason, from: FromState, timeout: Int) {
            self.allocation = allocation
            self.reason = reason
            self.from = from
            self.timeout = timeout
        }
    }

    /// The jobs of one level of the demand graph.
    public struct Wave: Equatable, Sendable {
        /// The longest way down the demand graph from a job of the wave; 0 where nothing is demanded.
        public var deploymentSequence: Int
        /// Sorted by name; independent of each other.
        public var jobs: [Job]

        public init(deploymentSequence: Int, jobs: [Job]) {
            self.deploymentSequence = deploymentSequence
            self.jobs = jobs
        }
    }
}

extension Deploy {
    /// Allocations that stops and waves act on.
    var acting: [AllocationID] { reconcile.map(\.allocation) + waves.flatMap(\.allocations) }
}

extension Plan.Wave {
    /// Allocations that the wave acts on, in order.
    public var allocations: [AllocationID] {
        jobs.flatMap { job in job.entries.map { AllocationID(job: job.job, worker: $0.worker) } }
    }
}

// MARK: Fields

extension Deploy {
    mutating func visitOptions(_ fields: inout some Fields) {
        fields.required("options", &options, "the options of `maand-plan`")
        fields.optional("origin", &origin, "only for a plan of `maand-plan rollback`")
    }

    mutating func visitSummary(_ fields: inout some Fields) {
        fields.required("summary", &summary, "counts; they follow from the rest of the plan and are checked")
    }

    mutating func visitActions(_ fields: inout some Fields) {
        fields.optional("renames", &renames, default: [], "workers with a new name; only if there are any")
        fields.required(
            "reconcile", &reconcile, "stops before the first wave; after the last one if the options say so")
        fields.optional(
            "stop_hooks", &stopHooks, default: [], "hooks that run around and after stops; only if there are any")
        fields.optional(
            "excluded", &excluded, WorkersOfJobs.all, default: [],
            "allocations that stay as they are, although they differ from the workspace: the options leave out their workers; "
                + "only if there are any")
        fields.optional(
            "stopped_by_hand", &stoppedByHand, WorkersOfJobs.all, default: [],
            "allocations that a person has stopped, and that stay as they are; only if there are any")
        fields.optional(
            "drained", &drained, WorkersOfJobs.all, default: [],
            "allocations that `before_allocation` hooks of an earlier run have drained, and that this plan does not put back; "
                + "only if there are any")
        fields.optional(
            "failed_before", &failedBefore, WorkersOfJobs.all, default: [],
            "allocations that get files which were rolled back there; only if there are any")
        fields.optional(
            "unmatched", &unmatched, default: [], "jobs whose selectors match no worker; only if there are any")
        fields.required("waves", &waves, "waves in ascending order; in descending order if a run is taken back")
        fields.optional("rollback", &wayBack, "only if `on_failure` is `rollback`")
    }
}

extension Plan.Options: Record, FieldValue {
    static let title = "options"
    static let meaning = "The options of `maand-plan`."
    static let blank = Plan.Options()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("jobs", &jobs, "the jobs of `--jobs`; empty means all")
        fields.required("force", &force, "`--force`: every active allocation is deployed")
        fields.required("sync_only", &syncOnly, "`--sync-only`: files are pushed and no target runs")
        fields.optional("recover", &recover, default: [], "the jobs of `--recover`; only if it was given")
        fields.optional(
            "max_unreachable", &maxUnreachable, "the value of `--max-unreachable`; only if it was given")
        selection.visit(&fields)
        fields.flag(
            "include_stopped", &includeStopped, "`--include-stopped`: what a person has stopped is started")
        fields.optional("on_failure", &onFailure, "the value of `--on-failure`; only if it was given")
        fields.flag("stops", &stopsLast, as: .string("last"), "`--stops last`: stops come after the waves")
    }

    func check(_ report: RecordReport) { selection.check(report) }
}

extension Plan.Summary: Record, FieldValue {
    static let title = "summary"
    static let meaning = "Counts. They follow from the rest of the plan, and are checked."
    static let blank = Plan.Summary()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("waves", &waves, .count, "waves with anything to do")
        for action in Self.order {
            fields.required(action.rawValue, &self[action], .count, "how many allocations have this action")
        }
        fields.required("unchanged", &unchanged, .count, "active allocations that the plan does not change")
    }
}

extension Plan.Stop: Record, FieldValue {
    static let title = "stop"
    static let meaning = "Stops one allocation."
    static var blank: Plan.Stop {
        Plan.Stop(
            allocation: .init(job: .blank, worker: .blank), reason: .removed, from: .blank, timeout: 1)
    }
    private static let reasons = [Reason.disabled, .removed, .noWorkerMatches, .rolledBack]

    mutating func visit(_ fields: inout some Fields) {
        var (job, worker) = (allocation.job, allocation.worker)
        fields.required("job", &job, "the job of the allocation")
        fields.required("worker", &worker, "the worker of the allocation")
        allocation = AllocationID(job: job, worker: worker)
        fields.constant("action", .string(LifecycleAction.stop.rawValue), "always `stop`")
        fields.required("reason", &reason, .word(Self.reasons), "why")
        from.visit(&fields)
        fields.required("timeout", &timeout, .integer(Plan.Timeouts.range), "seconds that the `stop` target may take")
        fields.flag(
            "makefile", &isMakefileOptional, as: .string("optional"),
            "the job was rolled out by `job_control`: without a Makefile nothing runs")
        fields.optional(
            "before", &before, .word(End.allCases), default: .removed,
            "what it was before the run that is rolled back, if it was not new: its files stay")
        fields.optional("release", &release, ViewType<EarlierRelease>(), "what was promoted there then")
    }
}

extension Plan.Wave: Record, FieldValue {
    static let title = "wave"
    static let meaning = "The jobs of one level of the demand graph."
    static let style = Emitter.Style.block
    static let blank = Plan.Wave(deploymentSequence: 0, jobs: [])

    mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "deployment_seq", &deploymentSequence, .count, "the level in the demand graph; 0 if nothing is demanded")
        fields.required("jobs", &jobs, "the jobs of the wave, sorted by name")
    }
}

/// A release that was promoted before; its files are not compared with those of another one.
private struct EarlierRelease: RecordView {
    var whole: Release

    init(_ whole: Release) { self.whole = whole }

    static let title = "earlier_release"
    static let meaning = "A version with its files, as it was promoted before."
    static let blank = Self(.blank)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("version", &whole.version, .text(.version), "the version")
        fields.required("content", &whole.content, "the digest of the files")
    }
}
