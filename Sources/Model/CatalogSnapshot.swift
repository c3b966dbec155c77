/// What an allocation was made to run: a version and a tree.
public struct Release: Hashable, Sendable {
    /// As the manifest spells it.
    public var version: String
    /// Digest of the tree.
    public var content: Digest

    public init(version: String, content: Digest) {
        self.version = version
        self.content = content
    }
}

/// What is recorded of one allocation.
public struct AllocationRecord: Equatable, Sendable {
    /// Whether an allocation is meant to run.
    public enum Standing: String, Sendable, CaseIterable {
        /// Something was begun or promoted there, and it was not stopped since.
        case active
        /// Stopped because it was disabled; its files are still there.
        case stopped
        /// Stopped and its deployed files removed, or given up because its worker is gone.
        case removed
    }

    /// What last was promoted; nil where nothing ever was, or since a removal.
    public var promoted: Release?
    /// What was begun and neither promoted nor stopped: the allocation is unsettled.
    public var unfinished: Release?
    /// What was last done to it.
    public var standing: Standing

    public init(promoted: Release? = nil, unfinished: Release? = nil, standing: Standing = .active) {
        self.promoted = promoted
        self.unfinished = unfinished
        self.standing = standing
    }

    /// The record of an allocation that the catalog does not know.
    public static let none = AllocationRecord()

    /// The facts that a plan names and an apply checks again.
    public var fromState: FromState {
        FromState(
            version: promoted?.version ?? Version.none.text, content: promoted?.content,
            unfinished: unfinished?.content, stopped: standing == .stopped)
    }
}

/// What is recorded of one job as a whole.
public struct JobRecord: Equatable, Sendable {
    /// Something was promoted and no gate has passed since.
    public var gatePending: Bool
    /// A rollout of the job began and did not complete.
    public var incomplete: Bool
    /// Port name -> number that was assigned from the bucket's range.
    public var assignedPorts: [String: Int]
    /// The values of `vars/job/<job>` that are stored, of which none is a secret.
    public var variables: [String: String]

    public init(
        gatePending: Bool = false, incomplete: Bool = false, assignedPorts: [String: Int] = [:],
        variables: [String: String] = [:]
    ) {
        self.gatePending = gatePending
        self.incomplete = incomplete
        self.assignedPorts = assignedPorts
        self.variables = variables
    }
}

/// The catalog as the planner sees it: a value without secrets, the same wherever it is read.
public struct CatalogSnapshot: Equatable, Sendable {
    /// Advances whenever a run starts, ends or is abandoned; 0 before the first.
    public var revision: Int
    /// What is recorded of each; of others nothing is known.
    public var allocations: [AllocationID: AllocationRecord]
    /// What is recorded of each job as a whole.
    public var jobs: [JobName: JobRecord]
    /// How workers were last reached, for stopping what runs on those that left `workers.json`.
    public var workers: [WorkerName: PlanWorker]

    public init(
        revision: Int = 0, allocations: [AllocationID: AllocationRecord] = [:], jobs: [JobName: JobRecord] = [:],
        workers: [WorkerName: PlanWorker] = [:]
    ) {
        self.revision = revision
        self.allocations = allocations
        self.jobs = jobs
        self.workers = workers
    }

    /// Nothing was ever promoted.
    public static let empty = CatalogSnapshot()
}
