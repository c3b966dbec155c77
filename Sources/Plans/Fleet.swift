public import Model
internal import YAML

/// The workers of a plan, and what connects to them. It is enough for everything that only reads workers.
///
/// ```swift
/// var fleet = plan.fleet
/// fleet.workers.removeAll(where: \.isRemoved)
/// ```
public struct Fleet: Equatable, Sendable {
    /// The bucket's id; a plan is applied to this bucket and to no other.
    public var bucket: String
    /// How the workers are reached; a plan is applied by no other way.
    public var transport: TransportKind
    /// Folder on the workers below which a bucket has its own, such as `/opt/worker`.
    public var workerRoot: String
    /// Every worker that the plan touches or probes, in the order of `workers.json`, removed ones after.
    public var workers: [PlanWorker]

    /// The worker with this name, or with this address if that is one worker's: hooks know both.
    public func worker(_ text: String) -> WorkerName? {
        if let named = workers.first(where: { $0.worker.text == text }) { return named.worker }
        let found = workers.filter { $0.address == text }
        return found.count == 1 ? found.first?.worker : nil
    }

    public init(bucket: String, transport: TransportKind, workerRoot: String, workers: [PlanWorker]) {
        self.bucket = bucket
        self.transport = transport
        self.workerRoot = workerRoot
        self.workers = workers
    }

    /// The fields that come before the workers.
    mutating func visit(_ fields: inout some Fields) {
        fields.required("bucket", &bucket, "the bucket's id. The plan is applied to no other bucket")
        fields.required("transport", &transport, "how workers are reached: `ssh`, or `local` folders of one machine")
        fields.required("worker_root", &workerRoot, .text(.absolutePath), "the folder on workers that contains buckets")
    }

    func check(_ report: RecordReport) {
        var known = Set<WorkerName>()
        for worker in workers {
            if !known.insert(worker.worker).inserted {
                report.error("workers", "the worker \(worker.worker) is listed twice under `workers`")
            }
            if (worker.ssh != nil) != (transport == .ssh) {
                report.error(
                    "workers",
                    transport == .ssh
                        ? "\(worker.worker): `port`, `user` and `host_keys` are missing, and the transport is ssh"
                        : "\(worker.worker): only workers over ssh have `port`, `user` and `host_keys`")
            }
        }
    }
}

/// One worker: how it is reached and what it is known by.
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

extension PlanWorker: Record, FieldValue {
    static let title = "worker"
    static let meaning = "One worker: how it is reached and what it is known by."
    static var blank: PlanWorker { PlanWorker(worker: .blank, address: "") }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("worker", &worker, "the name in `workers.json`")
        fields.required("address", &address, .text(.address), "the address for connections and checks")
        fields.group("port", &ssh)
        fields.optional("zone", &zone, "the tag `zone`")
        fields.optional(
            "tags", &tags, TextMapType(key: "name of a tag", text: .plain), default: [:],
            "the other tags. An approval policy may use them")
        fields.flag(
            "removed", &isRemoved,
            "the worker left `workers.json`. If it cannot be reached, its jobs are recorded as removed")
    }
}

extension PlanWorker.SSHIdentity: Record, FieldValue {
    static let title = "ssh"
    static let meaning = "What a connection over ssh needs."
    static var blank: Self { Self(port: 22, user: "", hostKeys: []) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("port", &port, .integer(Plan.portRange), "only for ssh: the port of sshd")
        fields.required("user", &user, "only for ssh: the user who logs in")
        fields.required("host_keys", &hostKeys, "only for ssh: the fingerprints of the worker's host keys")
    }
}
