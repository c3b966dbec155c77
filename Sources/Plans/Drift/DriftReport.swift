public import Model

/// What on the workers differs from what was promoted, as one comparison has found it.
///
/// Every text in it may come from a worker: escape it where it is shown.
public struct DriftReport: Equatable, Sendable {
    /// The number of the form of `json`. Fields are added under the same number; when one goes or changes its meaning, the
    /// number changes.
    public static let format = 1

    /// Why something could not be compared.
    public enum Obstacle: String, Sendable, CaseIterable {
        /// A run has changed the allocation meanwhile.
        case changing
        /// The bucket's store has lost what was promoted.
        case lost
        /// The worker could not tell of it.
        case untold
    }

    /// A run that has not ended, or a command that holds the bucket.
    public struct UnderWay: Equatable, Sendable {
        /// Nil if there is none, and a command that is no run holds the bucket.
        public var run: RunID?
        /// Where the run stands; nil if there is none.
        public var state: RunState?
        /// Whether a command is at work now.
        public var isAtWork: Bool

        public init(run: RunID?, state: RunState?, isAtWork: Bool) {
            self.run = run
            self.state = state
            self.isAtWork = isAtWork
        }
    }

    /// A worker, and what there is to say of it.
    public struct WorkerNote: Equatable, Sendable {
        public internal(set) var worker: WorkerName
        public internal(set) var text: String

        public init(_ worker: WorkerName, _ text: String) {
            self.worker = worker
            self.text = text
        }
    }

    /// An allocation that could not be compared.
    public struct NotCompared: Equatable, Sendable {
        public internal(set) var allocation: AllocationID
        public internal(set) var obstacle: Obstacle
        /// For people; empty if the obstacle says all.
        public internal(set) var detail: String

        public init(_ allocation: AllocationID, _ obstacle: Obstacle, _ detail: String = "") {
            self.allocation = allocation
            self.obstacle = obstacle
            self.detail = detail
        }
    }

    /// Of the bucket.
    public var bucket: String
    /// When the comparison began.
    public var comparedAt: Timestamp
    /// Nil if nothing was under way.
    public var underWay: UnderWay?
    /// Workers that were asked.
    public var workers = 0
    /// Allocations that were compared.
    public var allocations = 0
    /// Workers that did not answer, and why; nothing of them was compared.
    public var silent: [WorkerNote] = []
    /// Workers that belong to somebody else, or to a later copy of the catalog.
    public var foreign: [WorkerNote] = []
    /// Allocations that differ, sorted.
    public var differing: [Difference] = []
    /// Their files that differ, sorted by job and path; the same difference on several workers is one.
    public var files: [File] = []
    /// Files that differ and are not in `files`, since there are too many.
    public var filesLeftOut = 0
    /// Health checks of jobs, sorted.
    public var services: [Service] = []
    /// Why health checks could not be asked at all.
    public var servicesProblem: String?
    public var notCompared: [NotCompared] = []

    /// Nothing is known yet.
    public init(bucket: String, comparedAt: Timestamp) {
        self.bucket = bucket
        self.comparedAt = comparedAt
    }

    /// Whether anything is not as it was promoted, or may not be.
    public var differs: Bool {
        !differing.isEmpty || !foreign.isEmpty || servicesProblem != nil || services.contains { $0.state == .unhealthy }
            || notCompared.contains { $0.obstacle != .changing }
    }
}
