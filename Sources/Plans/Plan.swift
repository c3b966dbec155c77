public import Model
public import Windows
internal import YAML

/// A rollout plan: everything that an apply will do, and why, as a value.
///
/// A plan is made by the planner, read and written through ``PlanFile``, and not changed afterwards. It is a fleet, rules
/// for the run, and one work:
///
/// ```swift
/// let file = try PlanFile.read(bytes, file: "rollout.plan.yaml")
/// print(file.id, file.plan.fleet.workers.count, file.plan.work.kind)
/// ```
public struct Plan: Equatable, Sendable {
    /// The format that this program writes and reads.
    public static let format = 1
    /// What the number of a port may be, of a service or an sshd.
    public static let portRange = 1...65535

    /// The workers, and how they are reached.
    public var fleet: Fleet
    public var base: Base
    /// How the run behaves as a whole.
    public var policy: Policy
    /// When the plan may be executed; nil means always.
    public var window: MaintenanceWindow?
    /// What hooks get to know of the workspace; nil if the plan has no hooks.
    public var facts: Facts?
    /// What is done.
    public var work: Work

    public init(
        fleet: Fleet, base: Base, policy: Policy, window: MaintenanceWindow? = nil, facts: Facts? = nil, work: Work
    ) {
        self.fleet = fleet
        self.base = base
        self.policy = policy
        self.window = window
        self.facts = facts
        self.work = work
    }

    /// What the plan was made against.
    public struct Base: Equatable, Sendable {
        /// Advances whenever a run starts, ends or is abandoned; 0 before the first.
        public var catalogRevision: Int

        public init(catalogRevision: Int) { self.catalogRevision = catalogRevision }
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

        /// The same for a plan that has no way back.
        public var withoutWayBack: Self {
            var policy = self
            if policy.onFailure == .rollback { policy.onFailure = .stop }
            return policy
        }

        public init(onFailure: FailurePolicy = .stop, jobParallelism: Int = 4) {
            self.onFailure = onFailure
            self.jobParallelism = jobParallelism
        }
    }
}

extension Plan: Record, FieldValue {
    static let title = "plan"
    static let meaning = "A rollout plan."
    static let style = Emitter.Style.block
    static let blank = Plan(
        fleet: Fleet(bucket: "", transport: .local, workerRoot: "/", workers: []), base: .blank, policy: .blank,
        work: .deploy(.init()))
    static var forms: [Plan] {
        [PlanKind.deploy, .restart, .runCommand, .reboot].map { kind in
            var form = blank
            form.work = Work(blank: kind)
            return form
        }
    }

    mutating func visit(_ fields: inout some Fields) {
        fields.constant("plan_format", .int(Plan.format), "the version of this format")
        var kind = work.kind
        guard fields.form("kind", &kind, among: work.kindsWithSameFields, "what the plan is for") else { return }
        if kind != work.kind { work = Work(blank: kind) }
        fleet.visit(&fields)
        fields.required("base", &base, "what the plan was made with")
        work.visitOptions(&fields)
        fields.required("policy", &policy, "how the run behaves")
        fields.required("window", &window, .orNull(RecordType()), "when the run may start batches; `null` means always")
        work.visitSummary(&fields)
        fields.required("workers", &fleet.workers, "every worker that the plan changes or checks")
        work.visitActions(&fields)
        fields.optional("facts", &facts, "values for hooks; only if the plan has hooks")
    }

    func check(_ report: RecordReport) {
        fleet.check(report)
        work.check(self, report)
        checkFacts(report)
    }
}

extension Plan.Base: Record, FieldValue {
    static let title = "base"
    static let meaning = "What the plan was made with."
    static let blank = Plan.Base(catalogRevision: 0)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("catalog_revision", &catalogRevision, .count, "the revision of the catalog")
    }
}

extension Plan.Policy: Record, FieldValue {
    static let title = "policy"
    static let meaning = "How the run behaves as a whole."
    static let blank = Plan.Policy()

    mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "on_failure", &onFailure, "what a failure means for other jobs, from `maand.conf` or `--on-failure`")
        fields.required(
            "job_parallelism", &jobParallelism, .integer(Self.parallelismRange),
            "how many jobs of one wave run side by side, from `maand.conf`")
        fields.required(
            "start_before", &startBefore, .orNull(ParsedType()),
            "the run must start before this instant; `null` means no limit")
    }
}

extension Plan {
    /// Hooks need facts; and the tags under `workers`, which decide about approvals, have to be those that hooks get.
    private func checkFacts(_ report: RecordReport) {
        guard let facts else {
            if hasHooks { report.error("the plan has hooks, and no `facts` for them") }
            return
        }
        let told = Dictionary(facts.workers.map { ($0.worker, $0.tags) }, uniquingKeysWith: { first, _ in first })
        for worker in fleet.workers where !worker.isRemoved {
            guard let known = told[worker.worker] else {
                report.error("facts", "the worker \(worker.worker) is missing in the facts")
                continue
            }
            if known != worker.allTags {
                report.error("facts", "the tags of \(worker.worker) are others under `workers` than in the facts")
            }
        }
    }
}
