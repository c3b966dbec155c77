/// A rollout plan: everything that an apply will do, and why, as a value.
///
/// A plan is made by the planner, read and written through `PlanFile`, and never changed afterwards. Its fields and
/// their order are those of the file (see `Plan+Emit.swift`).
public struct Plan: Equatable, Sendable {
    /// The format that this program writes and reads.
    public static let format = 1
    /// What the number of a port may be, of a service or an sshd.
    public static let portRange = 1...65535

    /// What the plan is for.
    public var kind: PlanKind
    /// The bucket's id; a plan is applied to this bucket and to no other.
    public var bucket: String
    /// How its workers are reached; it is applied by no other way.
    public var transport: TransportKind
    /// Folder on the workers below which a bucket has its own, such as `/opt/worker`.
    public var workerRoot: String
    public var base: Base
    /// What was asked for.
    public var options: Options
    /// How the run behaves as a whole.
    public var policy: Policy
    /// When the plan may be executed; nil means always.
    public var window: MaintenanceWindow?
    /// Counted from the rest.
    public var summary: Summary
    /// Every worker that the plan touches or probes, in the order of `workers.json`, removed ones after.
    public var workers: [PlanWorker]
    /// Workers that go by another name, before anything else; by the old name.
    public var renames: [Rename] = []
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
        /// Every active allocation acts, by its restart policy.
        public var force: Bool
        /// Files are pushed, and no target runs.
        public var syncOnly: Bool
        /// Jobs of which every acting allocation belongs to the phase `recover`.
        public var recover: [JobName]
        /// In the place of what the manifests say of `rollout.max_unreachable`.
        public var maxUnreachable: HostCount?

        public init(
            jobs: [JobName] = [], force: Bool = false, syncOnly: Bool = false, recover: [JobName] = [],
            maxUnreachable: HostCount? = nil
        ) {
            self.jobs = jobs
            self.force = force
            self.syncOnly = syncOnly
            self.recover = recover
            self.maxUnreachable = maxUnreachable
        }
    }

    /// How the run behaves as a whole.
    public struct Policy: Equatable, Sendable {
        /// What a failure means for the other jobs.
        public var onFailure: FailurePolicy
        /// Jobs of one wave that run side by side; in `parallelismRange`.
        public var jobParallelism: Int
        /// The plan's run begins before this instant, or not at all.
        public var startBefore: Timestamp?

        /// What `jobParallelism` may be.
        static let parallelismRange = 1...64

        public init(onFailure: FailurePolicy = .stop, jobParallelism: Int = 4) {
            self.onFailure = onFailure
            self.jobParallelism = jobParallelism
        }
    }

    /// Counts of what the plan holds; always derivable from the rest, and checked when a plan is read.
    public struct Summary: Equatable, Sendable {
        /// Waves with anything to do, a gate alone included.
        public var waves = 0
        // Actions, by what they do to their allocations.
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
        /// `disabled` or `removed`.
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
        /// The longest way down the demand graph from a job of the wave; 0 where nothing is demanded.
        public var deploymentSequence: Int
        /// Sorted by name; independent of each other.
        public var jobs: [Job]

        public init(deploymentSequence: Int, jobs: [Job]) {
            self.deploymentSequence = deploymentSequence
            self.jobs = jobs
        }
    }

    /// Whether the plan changes nothing and probes nothing.
    public var isEmpty: Bool { renames.isEmpty && reconcile.isEmpty && waves.isEmpty }
}

/// How one worker is reached and known.
public struct PlanWorker: Equatable, Sendable {
    /// Its name in `workers.json`.
    public var worker: WorkerName
    /// What probes and connections use.
    public var address: String
    /// Only for ssh.
    public var ssh: SSHIdentity?
    /// The worker's `zone` tag.
    public var zone: String?
    /// Its other tags in `workers.json`; unknown, and so empty, where it is removed.
    public var tags: [String: String] = [:]
    /// It left `workers.json`: where it cannot be reached, what it runs is given up
    /// with a warning, and holds nobody up.
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

    /// All of its tags, `zone` among them.
    public var allTags: [String: String] {
        var all = tags
        all["zone"] = zone ?? all["zone"]
        return all
    }

    /// What an ssh connection to the worker needs and has to find there.
    public struct SSHIdentity: Equatable, Sendable {
        /// In `Plan.portRange`.
        public var port: Int
        /// Who logs in there.
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
