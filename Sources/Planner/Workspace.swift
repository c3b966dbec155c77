internal import JobFiles
public import Model
public import Plans
public import YAML

/// What a bucket's `workspace/` says: which workers there are and which jobs belong on them.
///
/// A value of this type is sound: names are valid, demands resolve without cycles, fixed ports are used once, and what
/// is reserved fits the workers.
public struct Workspace: Sendable {
    /// Where the jobs' folders are, as it was given to `read`.
    let folder: String
    /// In the order of `workers.json`, which is the rollout order.
    let workers: [Worker]
    /// Sorted by name.
    let jobs: [Job]
    /// `bucket.conf`.
    let variables: [String: String]
    /// Ports that are assigned to jobs are taken from here.
    let portRange: ClosedRange<Int>
    /// Things that are accepted and probably not meant.
    let warnings: [Diagnostic]
    /// Secrets that somebody else keeps.
    public let provided: ProvidedSecrets

    /// Up to 0.3.0 `hostname` was the address of a worker; as in Maand it is only a name now.
    ///
    /// - Throws: `InputFailure` at each worker that would be reached at another address than it was.
    public func checkAddresses(_ catalog: CatalogSnapshot) throws(InputFailure) {
        var findings = Findings()
        for worker in workers {
            guard let hostname = worker.hostname, let mark = worker.hostnameMark, hostname != worker.name.text,
                catalog.workers[worker.name]?.address == hostname
            else { continue }
            findings.add(
                InputFailure(
                    Diagnostic(
                        file: "\(folder)/workers.json", mark: mark,
                        message:
                            "the worker \(worker.name) was reached at \(hostname), and `hostname` is only a name now",
                        note: "write `\"address\": \"\(hostname)\"` beside it")))
        }
        try findings.check()
    }

    /// The names of all jobs, sorted.
    public var jobNames: [JobName] { jobs.map(\.name) }

    struct Worker: Sendable {
        var name: WorkerName
        /// What connections use.
        var address: String
        /// A name for hooks and templates, as the file has it.
        var hostname: String?
        /// Where the file has it without an `address`.
        var hostnameMark: Mark?
        /// Nil where `maand.conf` decides.
        var port: Int?
        var user: String?
        /// Folded; `worker` is always among them.
        var labels: Set<String>
        /// The same as the file has them.
        var spelledLabels: Set<String>
        var memory: Quantity?
        var cpu: Quantity?
        /// Folded.
        var tags: [String: String]
        /// The same as the file has them.
        var spelledTags: [String: String]
    }

    struct Job: Sendable {
        var name: JobName
        var manifest: Manifest
        var content: JobFolder
        var hooks: JobHooks
        /// The level in the demand graph.
        var deploymentSequence: Int
        /// Jobs that this one demands, directly or through others, sorted.
        var demands: [JobName]
        /// Ascending by worker.
        var allocations: [Allocation]
        var data = JobData()
        /// Rendered for each allocation, into files that `content` does not have.
        var templates: [ParsedTemplate] = []
    }

    /// An allocation of a job.
    struct Allocation: Sendable {
        /// Index into `workers`.
        var worker: Int
        var isDisabled: Bool
    }
}
