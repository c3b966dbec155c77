public import Model

extension DriftReport {
    /// In which way an allocation differs.
    public enum Kind: String, Sendable, CaseIterable {
        /// Deployed files are not as they were promoted.
        case files
        /// `manifest.json` on the worker has another version than the one that was promoted.
        case version
        /// Something was begun there, and neither promoted nor stopped.
        case unfinished
        /// Nothing of the job is on the worker.
        case gone
        /// The job is on the worker, where it was removed or given up, or where nothing is recorded of it.
        case unexpected
    }

    /// An allocation that differs.
    public struct Difference: Equatable, Sendable {
        public internal(set) var allocation: AllocationID
        /// At least one.
        public var kinds: [Kind] = []
        /// The version that was promoted; nil if none was.
        public var promoted: String?
        /// The version that was begun and not promoted.
        public var unfinished: String?
        /// The version on the worker, if it is another one.
        public var found: String?
        /// Paths that differ.
        public var paths = 0

        public init(_ allocation: AllocationID) { self.allocation = allocation }
    }

    /// How a path differs.
    public enum Change: String, Sendable, CaseIterable {
        /// The file or link has other bytes.
        case changed
        case missing
        /// An earlier push has left it, and nobody has promoted it.
        case extra
        /// Something else stands there than a file, a link or a folder that was promoted.
        case replaced
    }

    /// What stands at a path.
    public enum Thing: String, Sendable, CaseIterable {
        case file, link, folder
    }

    /// A path that differs, on one or more workers in the same way.
    public struct File: Equatable, Sendable {
        /// The bytes of both sides.
        public struct Contents: Equatable, Sendable {
            public let expected: [UInt8]
            public let found: [UInt8]

            public init(expected: [UInt8], found: [UInt8]) {
                self.expected = expected
                self.found = found
            }
        }

        public internal(set) var job: JobName
        /// Relative to the job's folder.
        public internal(set) var path: String
        public internal(set) var change: Change
        /// What is on the worker; nil for nothing.
        public var thing: Thing?
        /// The file has values of secrets; then there are no digests.
        public var isSealed = false
        /// What was promoted; nil for nothing, and for what is not told.
        public var expected: Digest?
        /// In bytes.
        public var expectedSize: Int?
        /// What is on the worker; nil for nothing, and for what is not told.
        public var found: Digest?
        /// In bytes.
        public var foundSize: Int?
        /// Sorted.
        public var workers: [WorkerName] = []
        /// The lines of a unified diff, not escaped; empty if there is none.
        public var diff: [String] = []
        /// Lines of the diff that are left out at its end.
        public var diffLeftOut = 0
        /// Why there is no diff; nil if there is one, or if nothing could be compared.
        public var note: String?
        /// Where the diff is made from, as far as it was fetched.
        public var contents: Contents?

        public init(_ job: JobName, path: String, _ change: Change) {
            self.job = job
            self.path = path
            self.change = change
        }
    }

    /// What the health check of a job says.
    public struct Service: Equatable, Sendable {
        public enum State: String, Sendable, CaseIterable {
            case healthy, unhealthy
            /// The job has no health check.
            case unchecked
            /// The check has only hooks, or no worker on which it can be asked.
            case unasked
        }

        public internal(set) var job: JobName
        /// What was promoted; several with commas between them.
        public internal(set) var version: String
        /// How many run on workers that answer.
        public internal(set) var allocations: Int
        public var state = State.unchecked
        /// Those that do not pass, and why.
        public var failing: [WorkerNote] = []
        /// Hooks of the check were not run.
        public var skipsHooks = false
        /// Workers on which the check was not asked: it runs a command there, and this release has never been there.
        public var unasked: [WorkerName] = []

        public init(_ job: JobName, version: String, allocations: Int) {
            self.job = job
            self.version = version
            self.allocations = allocations
        }
    }
}
