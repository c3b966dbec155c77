internal import JobFiles
public import Model
internal import YAML

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

    /// The names of all jobs, sorted.
    public var jobNames: [JobName] { jobs.map(\.name) }

    struct Worker: Sendable {
        var name: WorkerName
        /// What connections use.
        var address: String
        /// As the file has it.
        var hostname: String?
        /// Nil where `maand.conf` decides.
        var port: Int?
        var user: String?
        /// `worker` is always among them.
        var labels: Set<String>
        var memory: Quantity?
        var cpu: Quantity?
        var tags: [String: String]
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

    struct Allocation: Sendable {
        /// Index into `workers`.
        var worker: Int
        var isDisabled: Bool
    }
}
