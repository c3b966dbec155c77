public import Catalog
public import Model
internal import Plans

/// Which hook asks, as the process that started it knows: nothing of it is taken from what the hook says.
public struct HookIdentity: Hashable, Sendable {
    public let attempt: WritingAttempt
    public let job: JobName
    public let worker: WorkerName
    /// The stable id of the allocation, which the hook has as `ALLOCATION_ID`.
    public let allocationID: String
    public let command: String
    /// Maand's name of the event, such as `pre_deploy`.
    public let event: String

    public init(
        attempt: WritingAttempt, job: JobName, worker: WorkerName, allocationID: String, command: String, event: String
    ) {
        self.attempt = attempt
        self.job = job
        self.worker = worker
        self.allocationID = allocationID
        self.command = command
        self.event = event
    }

    /// For messages.
    var name: String { "job \(job), command \(command), event \(event), worker \(worker)" }
}

/// Where hooks may read and write: Maand's rules.
struct HookRules {
    let identity: HookIdentity
    let facts: Facts

    /// Whether the hook may see the values of a namespace.
    func canRead(_ namespace: KVNamespace) -> Bool {
        facts.isReadable(namespace, by: AllocationID(job: identity.job, worker: identity.worker))
    }

    /// Why a key cannot be put or deleted, as the end of a sentence; nil where it can.
    ///
    /// - Parameter isSecret: whether it is asked for as a secret.
    func problem(writing key: String, of namespace: KVNamespace, isSecret: Bool, isDeletion: Bool) -> String? {
        if identity.event == Self.healthCheck { return "\(Self.healthCheck) hooks only read" }
        switch namespace {
        case .variables(let job) where job == identity.job:
            return isSecret ? "\(namespace) holds no secrets; use secrets/job/\(job)" : nil
        case .secrets(let job) where job == identity.job:
            return isSecret ? nil : "\(namespace) holds secrets, which go to /kv/secret (put_job_secret)"
        case .job(let job) where job == identity.job && key == KeyValue.rolloutOrder && !isDeletion && !isSecret:
            return identity.event == Self.orderEvent
                ? nil
                : "`\(KeyValue.rolloutOrder)` can be put in the event \(Self.orderEvent) alone, since it is for the rollout "
                    + "in which the hook runs; for all of them put that key into vars/job/\(job)"
        case .variables(let job), .secrets(let job): return "\(namespace) belongs to the job \(job)"
        case .bucket, .workers, .worker, .tags, .job, .allocation, .bucketVariables, .bucketJobVariables, .certificates:
            let source = namespace.source(ofKey: key) ?? "the workspace"
            return "the values of \(namespace) follow from \(source)"
        }
    }

    /// Namespaces whose keys the hook may list.
    var listed: [KVNamespace] { [.variables(identity.job), .secrets(identity.job)] }

    /// The event whose hooks belong to no recorded attempt.
    static let healthCheck = "health_check"
    private static let orderEvent = "pre_deploy"
}
