public import Model

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
    public enum State: String, Sendable, CaseIterable {
        /// Something was begun or promoted there, and it was not stopped since.
        case active
        /// Stopped because it was disabled; its files are still there.
        case stopped
        /// Stopped by a person, until somebody starts it; its files are still there.
        case stoppedByHand = "stopped_by_hand"
        /// Stopped and its deployed files removed, or given up because its worker is gone.
        case removed
    }

    /// What last was promoted; nil where nothing ever was, or since a removal.
    public var promoted: Release?
    /// What was begun and never promoted: its files may be there in part, also where it was stopped since.
    public var unfinished: Release?
    /// Somebody had changed its files when a run was to bring this, and the run was given up without having begun anything
    /// there: a plan may replace whatever is there.
    public var drifted: Release?
    /// What was last done to it.
    public var state: State
    /// It was promoted under a plan with a gate for it, and that gate has not passed since.
    public var owesGate: Bool
    /// The job's last gate that asked it named it as failing.
    public var failedGate: Bool
    /// What is unfinished is a target by itself, and not a rollout.
    public var isInterrupted = false
    /// The content that was last taken back there, until something else is promoted.
    public var takenBack: Digest?
    /// Hooks of `before_allocation` have begun for it, and none of `after_allocation_healthy` have ended since.
    public var isDrained = false

    public init(
        promoted: Release? = nil, unfinished: Release? = nil, state: State = .active, owesGate: Bool = false,
        failedGate: Bool = false
    ) {
        self.promoted = promoted
        self.unfinished = unfinished
        self.state = state
        self.owesGate = owesGate
        self.failedGate = failedGate
    }

    /// What its gate still waits for; nil where nothing is known against it.
    public var gateDebt: GateDebt? { failedGate ? .failed : owesGate ? .owed : nil }

    /// Something was begun or promoted there and not stopped since.
    public var isRunning: Bool {
        switch state {
        case .active: promoted != nil || unfinished != nil
        case .stopped, .stoppedByHand, .removed: false
        }
    }

    /// Something of the job may still be on the worker, running or not.
    public var isThere: Bool {
        switch state {
        case .active: isRunning
        case .stopped, .stoppedByHand: true
        case .removed: false
        }
    }

    /// The record of an allocation that the catalog does not know.
    public static let none = AllocationRecord()

    /// The facts that a plan names and an apply checks again.
    public var fromState: FromState {
        FromState(
            version: promoted?.version ?? Version.none.text, content: promoted?.content,
            unfinished: (unfinished ?? drifted)?.content, stopped: state == .stopped,
            stoppedByHand: state == .stoppedByHand,
            isInterrupted: isInterrupted && unfinished != nil)
    }
}

/// What is recorded of one job as a whole.
public struct JobRecord: Equatable, Sendable {
    /// An allocation of the job has not passed its gate. Where no record of an allocation says which, it may be any: an
    /// export of an earlier release knows no more.
    public var gatePending: Bool
    /// A rollout of the job began and did not complete.
    public var incomplete: Bool
    /// Port name -> number that was assigned from the bucket's range.
    public var assignedPorts: [String: Int]
    /// The values of `vars/job/<job>` that are stored, of which none is a secret.
    public var variables: [String: String]
    /// The keys of `secrets/job/<job>` with the fingerprints of their values.
    public var secrets: [String: SecretFingerprint] = [:]
    /// Fingerprints of values that somebody else keeps, as they were when `maand-plan prepare` last asked.
    public var provided: [String: SecretFingerprint] = [:]
    /// What is recorded of its certificates, by the file of each.
    public var certificates: [CertificateFile: JobCertificate] = [:]
    /// Files of these with the fingerprints of what is in them, by the key in `certs/job/<job>`.
    public var certificateFiles: [String: SecretFingerprint] = [:]
    /// What its commands of `post_build` saw when they last ran well, by command.
    public var prepared: [String: Digest] = [:]
    /// The job was taken over from Maand: its files stay executable on workers, as Maand has them.
    public var keepsMaandModes = false
    /// Keys there of which no fingerprint is known: an earlier release has stored their values.
    public var unknownSecrets: Set<String> = []

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

/// The catalog as the planner sees it: a value without those of secrets, the same wherever it is read.
public struct CatalogSnapshot: Equatable, Sendable {
    /// Advances whenever a run starts, ends or is abandoned; 0 before the first.
    public var revision: Int
    /// What is recorded of each; of others nothing is known.
    public var allocations: [AllocationID: AllocationRecord]
    /// What is recorded of each job as a whole.
    public var jobs: [JobName: JobRecord]
    /// How workers were last reached, for stopping what runs on those that left `workers.json`.
    public var workers: [WorkerName: PlanWorker]
    /// What workers were when a rollout last saw them; unknown where none has since that is recorded.
    public var machines: [WorkerName: Machine]
    /// Ids that Maand had given to workers; those of others follow from their names.
    public var workerIDs: [WorkerName: String] = [:]
    /// Authorities whose certificates services trust, those that end first before the others.
    public var authorities: [CertificateAuthority] = []

    public init(
        revision: Int = 0, allocations: [AllocationID: AllocationRecord] = [:], jobs: [JobName: JobRecord] = [:],
        workers: [WorkerName: PlanWorker] = [:], machines: [WorkerName: Machine] = [:]
    ) {
        self.revision = revision
        self.allocations = allocations
        self.jobs = jobs
        self.workers = workers
        self.machines = machines
    }

    /// Whether it is known of any allocation of the job, active or not, that it has not passed its gate.
    public func hasGateDebts(of job: JobName) -> Bool {
        allocations.contains { $0.key.job == job && $0.value.gateDebt != nil }
    }

    /// The fingerprint of a secret's value; nil if there is no such secret, or if an earlier release has stored it.
    public func fingerprint(of secret: SecretName) -> SecretFingerprint? {
        let job = jobs[secret.job]
        return secret.isCertificate ? job?.certificateFiles[secret.key] : job?.secrets[secret.key]
    }

    /// The certificates among the secrets of a job's files.
    public func certificates(among secrets: [Plan.Secret], of job: JobName) -> [Plan.Certificate] {
        Plan.Certificate.list(secrets, jobs[job]?.certificates ?? [:], authorities)
    }

    /// The authority that signs new certificates; nil if the bucket has none.
    public var signingAuthority: CertificateAuthority? { authorities.first { $0.role == .signing } }

    /// The same of several; those without one are left out.
    public func fingerprints(of secrets: [SecretName]) -> [SecretName: SecretFingerprint] {
        Dictionary(secrets.compactMap { name in fingerprint(of: name).map { (name, $0) } }) { first, _ in first }
    }

    /// Nothing was ever promoted.
    public static let empty = CatalogSnapshot()
}
