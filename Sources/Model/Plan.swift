/// A rollout plan: everything that an apply will do, and why, as a value.
///
/// A plan is made by the planner, read and written through `PlanFile`, and never changed afterwards. Its fields and
/// their order are those of the file (see `Plan+Emit.swift`).
public struct Plan: Equatable, Sendable {
    /// The format that this program writes and reads.
    public static let format = 1

    public var kind: PlanKind
    /// The bucket's id; a plan is applied to this bucket and to no other.
    public var bucket: String
    public var transport: TransportKind
    /// Folder on the workers below which a bucket has its own, such as `/opt/worker`.
    public var workerRoot: String
    public var base: Base
    public var options: Options
    public var policy: Policy
    /// When the plan may be executed; nil means always.
    public var window: MaintenanceWindow?
    public var summary: Summary
    /// Every worker that the plan touches or probes, in the order of `workers.json`, removed ones after.
    public var workers: [PlanWorker]
    /// Stops of disabled and removed allocations, before the first wave.
    public var reconcile: [Stop]
    /// For jobs with stops in `reconcile`, in its order.
    public var stopHooks: [StopHooks] = []
    /// Ascending by `deploymentSequence`.
    public var waves: [Wave]
    /// What hooks are told about the workspace; nil where the plan has none.
    public var facts: Facts?

    public init(
        kind: PlanKind, bucket: String, transport: TransportKind, workerRoot: String, base: Base, options: Options,
        policy: Policy, summary: Summary, workers: [PlanWorker], reconcile: [Stop], waves: [Wave], facts: Facts? = nil
    ) {
        self.kind = kind
        self.bucket = bucket
        self.transport = transport
        self.workerRoot = workerRoot
        self.base = base
        self.options = options
        self.policy = policy
        self.summary = summary
        self.workers = workers
        self.reconcile = reconcile
        self.waves = waves
        self.facts = facts
    }

    /// What the plan was made against.
    public struct Base: Equatable, Sendable {
        /// Advances whenever a run starts, ends or is abandoned; 0 before the first.
        public var catalogRevision: Int

        public init(catalogRevision: Int) { self.catalogRevision = catalogRevision }
    }

    /// The flags that the planner was given.
    public struct Options: Equatable, Sendable {
        /// Empty means every job.
        public var jobs: [JobName]
        public var force: Bool
        public var syncOnly: Bool

        public init(jobs: [JobName] = [], force: Bool = false, syncOnly: Bool = false) {
            self.jobs = jobs
            self.force = force
            self.syncOnly = syncOnly
        }
    }

    public struct Policy: Equatable, Sendable {
        public var onFailure: FailurePolicy
        /// Jobs of one wave that run side by side, 1...64.
        public var jobParallelism: Int
        /// The plan's run begins before this instant, or not at all.
        public var startBefore: Timestamp?

        public init(onFailure: FailurePolicy = .stop, jobParallelism: Int = 4) {
            self.onFailure = onFailure
            self.jobParallelism = jobParallelism
        }
    }

    /// Counts of what the plan holds; always derivable from the rest, and checked when a plan is read.
    public struct Summary: Equatable, Sendable {
        public var waves = 0
        public var start = 0
        public var restart = 0
        public var reload = 0
        public var sync = 0
        public var stop = 0
        /// Active allocations of the selected jobs that nothing happens to.
        public var unchanged = 0

        public init() {}

        /// Counts what a plan holds.
        public init(reconcile: [Stop], waves: [Wave], unchanged: Int) {
            self.waves = waves.count
            self.unchanged = unchanged
            stop = reconcile.count
            for phase in waves.lazy.flatMap(\.jobs).flatMap(\.phases) {
                for entry in phase.batches.joined() { count(entry.action) }
            }
        }

        /// Actions of every kind.
        public var actions: Int { start + restart + reload + sync + stop }

        private mutating func count(_ action: LifecycleAction) {
            switch action {
            case .start: start += 1
            case .restart: restart += 1
            case .reload: reload += 1
            case .sync: sync += 1
            case .stop: stop += 1
            }
        }
    }

    /// The stop of one allocation that is disabled or gone from the workspace.
    public struct Stop: Equatable, Sendable {
        public var allocation: AllocationID
        public var reason: Reason
        /// What runs there: what was promoted, or else what was begun.
        public var from: FromState
        /// Seconds that the `stop` target may take.
        public var timeout: Int
        /// Where the allocation has no Makefile, nothing is run: its job is rolled out by `job_control`.
        public var isMakefileOptional = false

        public init(allocation: AllocationID, reason: Reason, from: FromState, timeout: Int) {
            self.allocation = allocation
            self.reason = reason
            self.from = from
            self.timeout = timeout
        }
    }

    /// The jobs of one level of the demand graph.
    public struct Wave: Equatable, Sendable {
        public var deploymentSequence: Int
        /// Sorted by name; independent of each other.
        public var jobs: [Job]

        public init(deploymentSequence: Int, jobs: [Job]) {
            self.deploymentSequence = deploymentSequence
            self.jobs = jobs
        }
    }

    /// Whether the plan changes nothing and probes nothing.
    public var isEmpty: Bool { reconcile.isEmpty && waves.isEmpty }
}

/// How one worker is reached and known.
public struct PlanWorker: Equatable, Sendable {
    public var worker: WorkerName
    /// What probes and connections use.
    public var address: String
    /// Only for ssh.
    public var ssh: SSHIdentity?
    /// The worker's `zone` tag.
    public var zone: String?
    /// It left `workers.json`: where it cannot be reached, what it runs is given up (DESIGN 3).
    public var isRemoved: Bool

    public init(
        worker: WorkerName, address: String, ssh: SSHIdentity? = nil, zone: String? = nil, isRemoved: Bool = false
    ) {
        self.worker = worker
        self.address = address
        self.ssh = ssh
        self.zone = zone
        self.isRemoved = isRemoved
    }

    public struct SSHIdentity: Equatable, Sendable {
        /// 1...65535
        public var port: Int
        public var user: String
        /// `SHA256:` and base64, one for each known key type.
        public var hostKeys: [String]

        public init(port: Int, user: String, hostKeys: [String]) {
            self.port = port
            self.user = user
            self.hostKeys = hostKeys
        }
    }
}

/// What the catalog said of an allocation when the plan was made, and must still say when its batch starts.
public struct FromState: Hashable, Sendable {
    /// The version that last ran there; `0.0.0` where none did.
    public var version: String
    /// The promoted tree; nil where nothing was ever promoted.
    public var content: Digest?
    /// The tree that was begun there and neither promoted nor stopped.
    public var unfinished: Digest?
    /// Stopped because it was disabled.
    public var stopped: Bool

    public init(version: String, content: Digest?, unfinished: Digest? = nil, stopped: Bool = false) {
        self.version = version
        self.content = content
        self.unfinished = unfinished
        self.stopped = stopped
    }
}

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
        public var rolloutOrder: OrderSource
        public var batching: Batching
        /// Targets that may be run again where it is unknown whether they ran.
        public var repeatable: [LifecycleAction]
        public var timeouts: Timeouts
        /// The job's last gate failed or never ran, so it comes before any batch (DESIGN 3, last row).
        public var gateFirst: Bool
        public var phases: [Phase]
        /// Every port of the job with its number, 1...65535, sorted by name; the catalog keeps them.
        public var ports: [Named<Int>]
        /// Nil where the job has none; then no gate is probed.
        public var healthCheck: HealthCheck?

        public init(
            job: JobName, version: String, demands: [JobName] = [], active: [WorkerName], from: [Named<FromState>],
            content: [Content],
            changes: [Named<[FileChange]>], hooks: Hooks? = nil, rolloutOrder: OrderSource, batching: Batching,
            repeatable: [LifecycleAction], timeouts: Timeouts, gateFirst: Bool, phases: [Phase],
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
            self.timeouts = timeouts
            self.gateFirst = gateFirst
            self.phases = phases
            self.ports = ports
            self.healthCheck = healthCheck
        }
    }

    /// A value with a short name that stands for it elsewhere in the job's part of the file.
    public struct Named<Value: Equatable & Sendable>: Equatable, Sendable {
        public var name: String
        public var value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// The allocations that end with one tree.
    public struct Content: Equatable, Sendable {
        public var tree: Digest
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
        /// Seconds to wait after each gate, and after a batch without one, 0...86400; see `Itinerary`.
        public var bakeSeconds: Int
        /// Allocations of the job that may fail, 0...1000000, before no further batch of it begins.
        public var maxFailures: Int

        public init(
            starts: Int, upgrades: Int, first: [Int] = [], spread: String? = nil, bakeSeconds: Int = 0,
            maxFailures: Int = 0
        ) {
            self.starts = starts
            self.upgrades = upgrades
            self.first = first
            self.spread = spread
            self.bakeSeconds = bakeSeconds
            self.maxFailures = maxFailures
        }

        /// What `bakeSeconds` may be.
        public static let bakeRange = 0...86400
        /// What `maxFailures` may be.
        public static let failureRange = 0...1_000_000
    }

    /// Limits in seconds, 1...86400, enforced on the worker.
    public struct Timeouts: Equatable, Sendable {
        public var action: Int
        public var hook: Int
        public var push: Int

        public init(action: Int = 600, hook: Int = 600, push: Int = 300) {
            self.action = action
            self.hook = hook
            self.push = push
        }
    }

    public struct Phase: Equatable, Sendable {
        public var kind: PhaseKind
        /// In order; the entries of one batch act in parallel.
        public var batches: [[Entry]]
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

        public init(
            worker: WorkerName, action: LifecycleAction, reason: Reason, from: String, matched: [Named<[String]>] = []
        ) {
            self.worker = worker
            self.action = action
            self.reason = reason
            self.from = from
            self.matched = matched
        }
    }
}

/// What has to hold on every active allocation before anything that comes after a gate.
public struct HealthCheck: Equatable, Sendable {
    /// For one probe, 1...3600.
    public var timeoutSeconds: Int
    /// How often the checks are tried, 1...10000.
    public var attempts: Int
    /// Between tries, 0...3600.
    public var intervalSeconds: Int
    /// All must pass. Empty where hooks of the event `health_check` are all that is asked.
    public var checks: [Check]

    public init(timeoutSeconds: Int, attempts: Int, intervalSeconds: Int, checks: [Check]) {
        self.timeoutSeconds = timeoutSeconds
        self.attempts = attempts
        self.intervalSeconds = intervalSeconds
        self.checks = checks
    }

    public enum Check: Equatable, Sendable {
        /// A connection is accepted.
        case tcp(port: Int)
        /// `scheme` is `http`; a GET answers with exactly `expectStatus`.
        case http(port: Int, path: String, expectStatus: Int)
        /// The command exits 0 on the worker.
        case ssh(command: String)
    }
}
