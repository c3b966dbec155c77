extension Plan {
    /// What happens to one job.
    public struct Job: Equatable, Sendable {
        public var job: JobName
        /// What every allocation that acts will run.
        public var version: String
        /// The jobs that this one demands, directly or through others, sorted: a failure of one of them blocks it.
        public var demands: [JobName]
        /// Allocations that gates and hooks cover, in rollout order: all that are not disabled.
        public var active: [WorkerName]
        /// Named states that batch entries refer to; names are unique.
        public var from: [Named<FromState>]
        /// Tree -> the acting allocations that end with it.
        public var content: [Content]
        /// File changes for each named state that acts.
        public var changes: [Named<[FileChange]>]
        /// Nil where the rollout runs none.
        public var hooks: Hooks?
        /// Where the order of `active` is from.
        public var rolloutOrder: OrderSource
        /// By what the phases are cut; an order that a hook puts is cut by it again.
        public var batching: Batching
        /// Targets that may be run again where it is unknown whether they ran.
        public var repeatable: [LifecycleAction]
        /// Paths that the running service may rewrite, sorted: what is there is never drift.
        public var changedByService: [String]
        /// How long one step of each kind may take.
        public var timeouts: Timeouts
        /// The job's last gate failed or never ran, and the plan changes nothing that it was about: so that gate comes
        /// before any batch.
        public var gateFirst: Bool
        /// In order; empty where nothing acts.
        public var phases: [Phase]
        /// Every port of the job with its number, in `Plan.portRange`, sorted by name; the catalog keeps them.
        public var ports: [Named<Int>]
        /// Nil where the job has none; then no gate is probed.
        public var healthCheck: HealthCheck?

        public init(
            job: JobName, version: String, demands: [JobName] = [], active: [WorkerName], from: [Named<FromState>],
            content: [Content],
            changes: [Named<[FileChange]>], hooks: Hooks? = nil, rolloutOrder: OrderSource, batching: Batching,
            repeatable: [LifecycleAction], changedByService: [String] = [], timeouts: Timeouts, gateFirst: Bool,
            phases: [Phase],
            ports: [Named<Int>] = [], healthCheck: HealthCheck?
        ) {
            self.job = job
            self.version = version
            self.demands = demands
            self.active = active
            self.from = from
            self.content = content
            self.changes = changes
            self.hooks = hooks
            self.rolloutOrder = rolloutOrder
            self.batching = batching
            self.repeatable = repeatable
            self.changedByService = changedByService
            self.timeouts = timeouts
            self.gateFirst = gateFirst
            self.phases = phases
            self.ports = ports
            self.healthCheck = healthCheck
        }
    }

    /// A value with a short name that stands for it elsewhere in the job's part of the file.
    public struct Named<Value: Equatable & Sendable>: Equatable, Sendable {
        /// Unique among its neighbours.
        public var name: String
        public var value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// The allocations that end with one tree.
    public struct Content: Equatable, Sendable {
        /// Digest of the tree.
        public var tree: Digest
        /// In rollout order.
        public var workers: [WorkerName]

        public init(tree: Digest, workers: [WorkerName]) {
            self.tree = tree
            self.workers = workers
        }
    }

    /// How the entries of a phase are cut into batches.
    public struct Batching: Equatable, Sendable {
        /// Starts at a time; 0 means all at once.
        public var starts: Int
        /// Upgrades at a time, at least 1.
        public var upgrades: Int
        /// Sizes of the first upgrade batches, at least 1 each, where they differ from `upgrades`.
        public var first: [Int]
        /// Name of the worker tag of which no batch holds two values.
        public var spread: String?
        /// Seconds to wait after each gate, and after a batch without one, 0...86400; see `BakeTask`.
        public var bakeSeconds: Int
        /// Allocations of the job that may fail, 0...1000000, before no further batch of it begins.
        public var maxFailures: Int
        /// Allocations of the job that may be left behind because their worker does not answer, 0...1000000.
        public var maxUnreachable: Int

        public init(
            starts: Int, upgrades: Int, first: [Int] = [], spread: String? = nil, bakeSeconds: Int = 0,
            maxFailures: Int = 0, maxUnreachable: Int = 0
        ) {
            self.starts = starts
            self.upgrades = upgrades
            self.first = first
            self.spread = spread
            self.bakeSeconds = bakeSeconds
            self.maxFailures = maxFailures
            self.maxUnreachable = maxUnreachable
        }

        /// What `bakeSeconds` may be.
        public static let bakeRange = 0...86400
        /// What `maxFailures` may be.
        public static let failureRange = 0...1_000_000
        /// What `maxUnreachable` may be.
        public static let unreachableRange = 0...1_000_000
    }

    /// Limits in seconds, in `range`, enforced on the worker, or on the controller for hooks.
    public struct Timeouts: Equatable, Sendable {
        /// Of a Makefile target.
        public var action: Int
        /// Of a hook.
        public var hook: Int
        /// Of a push of files.
        public var push: Int

        /// What each of them may be.
        public static let range = 1...86400

        public init(action: Int = 600, hook: Int = 600, push: Int = 300) {
            self.action = action
            self.hook = hook
            self.push = push
        }
    }

    /// A part of a job's rollout, in batches.
    public struct Phase: Equatable, Sendable {
        public var kind: PhaseKind
        /// In order; the entries of one batch act in parallel.
        public var batches: [[Entry]]
        /// When the health check is asked.
        public var gate: GateTiming

        public init(kind: PhaseKind, batches: [[Entry]], gate: GateTiming) {
            self.kind = kind
            self.batches = batches
            self.gate = gate
        }
    }

    /// One allocation in one batch.
    public struct Entry: Equatable, Sendable {
        public var worker: WorkerName
        public var action: LifecycleAction
        public var reason: Reason
        /// Name of one of the job's `from` states.
        public var from: String
        /// `restart_globs` that matched -> changed paths that they match, both sorted.
        public var matched: [Named<[String]>]
        /// The gate that the allocation has not passed; only in the phase `recover`.
        public var gate: GateDebt?

        public init(
            worker: WorkerName, action: LifecycleAction, reason: Reason, from: String, matched: [Named<[String]>] = [],
            gate: GateDebt? = nil
        ) {
            self.worker = worker
            self.action = action
            self.reason = reason
            self.from = from
            self.matched = matched
            self.gate = gate
        }
    }
}

extension Plan.Job {
    /// Whether commands of the event `job_control` do what Makefile targets do for other jobs.
    public var isJobControl: Bool { !hooks(.jobControl).isEmpty }

    /// Whether something is run for an entry, besides moving its files.
    public func runs(_ entry: Plan.Entry) -> Bool { isJobControl || entry.action.target != nil }

    /// Whether a gate follows a batch with this entry.
    func isGated(_ entry: Plan.Entry) -> Bool { runs(entry) || entry.gate != nil }

    /// What hooks get as `DEPLOY_PHASE` for an entry, in Maand's words.
    public func deployPhase(of entry: Plan.Entry) -> String {
        if isJobControl { return "job_control" }
        return entry.action == .start ? "new" : "update"
    }

    /// Whether the job's rollout asks its health check at any moment.
    public var hasGate: Bool {
        healthCheck != nil && (gateFirst || phases.contains { $0.gate != .none } || hasEndGate)
    }

    /// Whether a gate comes after the last batch, for allocations that earlier gates left out since they had failed.
    var hasEndGate: Bool {
        let onlyMovesFiles = !phases.isEmpty && !phases.contains { $0.batches.joined().contains(where: isGated) }
        return batching.maxFailures > 0 && healthCheck != nil && !onlyMovesFiles
    }
}
