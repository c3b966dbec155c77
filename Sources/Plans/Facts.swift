internal import Crypto
public import Model

/// What a plan tells hooks about the workspace: from it come all values of `maand/...` and `vars/bucket...`.
///
/// The facts are primary ones, so that their size is linear in workers and jobs; what Maand writes out per worker, such
/// as the list of all workers that share a label, is computed when somebody asks (`Facts+Namespaces.swift`).
public struct Facts: Equatable, Sendable {
    /// `bucket.conf`.
    public var variables: [String: String]
    /// In the order of `workers.json`.
    public var workers: [Worker]
    /// Every job of the workspace, sorted by name.
    public var jobs: [Job]

    public init(variables: [String: String] = [:], workers: [Worker] = [], jobs: [Job] = []) {
        self.variables = variables
        self.workers = workers
        self.jobs = jobs
    }

    /// A worker of `workers.json`.
    public struct Worker: Equatable, Sendable {
        public var worker: WorkerName
        /// Where it is not the worker's name.
        public var hostname: String?
        /// Sorted.
        public var labels: [String]
        /// Megabytes and megahertz, in digits; nil where `workers.json` says nothing.
        public var memory: String?
        public var cpu: String?
        /// All of them, `zone` included.
        public var tags: [String: String]
        /// The id that Maand had given to it; nil if it follows from the name.
        public var givenID: String?

        /// The worker's id.
        public var id: String { givenID ?? Facts.stableID(of: worker.text) }

        public init(
            worker: WorkerName, hostname: String? = nil, labels: [String], memory: String? = nil, cpu: String? = nil,
            tags: [String: String] = [:]
        ) {
            self.worker = worker
            self.hostname = hostname
            self.labels = labels
            self.memory = memory
            self.cpu = cpu
            self.tags = tags
        }
    }

    /// A job of the workspace.
    public struct Job: Equatable, Sendable {
        public var job: JobName
        /// As the manifest has it; nil where the plan's hooks may not see the job's values.
        public var version: String?
        /// Labels that a worker has to carry for the job to run there, all of them.
        public var selectors: [String]
        /// Workers that carry the selectors and on which the job is disabled, in the order of `workers.json`.
        public var disabled: [WorkerName]
        /// In megabytes.
        public var memory: Amount
        /// In megahertz.
        public var cpu: Amount
        /// Sorted by name.
        public var ports: [Plan.Named<Int>]
        /// The job's section of `bucket.jobs.conf`.
        public var settings: [String: String]
        /// The job's `vars.toml`; a run puts them into `vars/job/<job>` when it begins.
        public var variables: [String: String]
        /// In the order of the manifest.
        public var demands: [Demand]
        /// Names in the manifest's `certs`, sorted, of which each worker has its own.
        public var certificates: [String] = []
        /// The same of which all workers have one.
        public var sharedCertificates: [String] = []

        public init(
            job: JobName, version: String? = nil, selectors: [String], disabled: [WorkerName] = [],
            memory: Amount = .init(),
            cpu: Amount = .init(), ports: [Plan.Named<Int>] = [], settings: [String: String] = [:],
            variables: [String: String] = [:], demands: [Demand] = []
        ) {
            self.job = job
            self.version = version
            self.selectors = selectors
            self.disabled = disabled
            self.memory = memory
            self.cpu = cpu
            self.ports = ports
            self.settings = settings
            self.variables = variables
            self.demands = demands
        }
    }

    /// What a job may and does reserve on each of its workers, in megabytes or megahertz, in digits.
    public struct Amount: Equatable, Sendable {
        /// What counts: the job's override in `bucket.jobs.conf`, else `maximum`.
        public var reserved: String
        /// The manifest's `min`.
        public var minimum: String
        /// The manifest's `max`.
        public var maximum: String

        public init(reserved: String = "0", minimum: String = "0", maximum: String = "0") {
            self.reserved = reserved
            self.minimum = minimum
            self.maximum = maximum
        }
    }

    /// A command of one job that wants a command of another.
    public struct Demand: Equatable, Sendable {
        /// The command that demands.
        public var command: String
        /// The demanded job.
        public var upstream: JobName
        /// The demanded command of that job.
        public var upstreamCommand: String
        /// The demand's `config` as JSON text; it is for the upstream job's hook.
        public var config: String

        public init(command: String, upstream: JobName, upstreamCommand: String, config: String) {
            self.command = command
            self.upstream = upstream
            self.upstreamCommand = upstreamCommand
            self.config = config
        }
    }

    /// What hooks of these jobs may see: of all other jobs no more than where they are and which ports they have, so that a
    /// plan for one job does not change with every job.
    public func told(to jobs: Set<JobName>) -> Facts {
        let readable = jobs.union(jobs.flatMap(upstreams))
        var facts = self
        facts.jobs = self.jobs.map { job in
            if readable.contains(job.job) { return job }
            return Job(
                job: job.job, selectors: job.selectors, disabled: job.disabled, ports: job.ports,
                demands: job.demands.filter { jobs.contains($0.upstream) })
        }
        return facts
    }

    /// What a command of a job sees, in short: its scripts, and everything of the workspace that it can ask for.
    ///
    /// - Parameter modules: the tree of the job's `_modules`.
    public func inputs(of job: JobName, modules: Model.Digest, _ command: String) -> Model.Digest {
        let head = "maand-inputs 1\n\(modules)\n\(command)\n"
        return Model.Digest.of(Array(head.utf8) + RecordFile.write(told(to: [job])))
    }

    /// The id that Maand derives from a name: the same on every machine.
    public static func stableID(of name: String) -> String {
        UUIDText.text(Array(Insecure.MD5.hash(data: Array(name.utf8))), version: 3)
    }
}
