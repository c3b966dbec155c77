public import Model
internal import YAML

extension Plan {
    /// What happens to one job.
    public struct Job: Equatable, Sendable {
        public var job: JobName
        /// What every allocation that acts will run, but those in `versions`.
        public var version: String
        /// Other versions -> the acting allocations that will run them, each sorted; only where a run is taken back.
        public var versions: [Named<[WorkerName]>] = []
        /// The jobs that this one demands, directly or through others, sorted: a failure of one of them blocks it.
        public var demands: [JobName]
        /// Allocations that gates and hooks cover, in rollout order: all that are not disabled.
        public var active: [WorkerName]
        /// Allocations that are disabled and for which hooks run all the same, in the order of `workers.json`.
        public var disabled: [WorkerName] = []
        /// Named states that batch entries refer to; names are unique.
        public var from: [Named<FromState>]
        /// Tree -> the acting allocations that end with it.
        public var content: [Content]
        /// File changes for each named state that acts.
        public var changes: [Named<[FileChange]>]
        /// Secrets whose values belong into files of the trees in `content`, sorted by name.
        public var secrets: [Secret] = []
        /// Certificates among them, as they were when the plan was made, in the order of `secrets`.
        public var certificates: [Certificate] = []
        /// Nil where the rollout runs none.
        public var hooks: Hooks?
        /// Where the order of `active` is from.
        public var rolloutOrder: OrderSource
        /// By what the phases are cut; an order that a hook puts is cut by it again.
        public var batching: Batching
        /// Targets that may be run again where it is unknown whether they ran.
        public var repeatable: [LifecycleAction]
        /// Paths that the running service may rewrite, sorted: what is there is never drift.
        public var changedByService: [String]
        /// How long one step of each kind may take.
        public var timeouts: Timeouts
        /// Why a gate comes before any batch; nil if none does.
        public var gateFirst: GateFirst?
        /// In order; empty where nothing acts.
        public var phases: [Phase]
        /// Every port of the job with its number, in `Plan.portRange`, sorted by name; the catalog keeps them.
        public var ports: [Named<Int>]
        /// Nil where the job has none; then no gate is probed.
        public var healthCheck: HealthCheck?
        /// Allocations of the job that may be unavailable at a time, in plans that reboot workers; nil means any number.
        public var maxUnavailable: Int?

        public init(
            job: JobName, version: String, demands: [JobName] = [], active: [WorkerName], from: [Named<FromState>],
            content: [Content],
            changes: [Named<[FileChange]>], hooks: Hooks? = nil, rolloutOrder: OrderSource, batching: Batching,
            repeatable: [LifecycleAction], changedByService: [String] = [], timeouts: Timeouts, gateFirst: GateFirst?,
            phases: [Phase],
            ports: [Named<Int>] = [], healthCheck: HealthCheck?
        ) {
            self.job = job
            self.version = version
            self.demands = demands
            self.active = active
            self.from = from
            self.content = content
            self.changes = changes
            self.hooks = hooks
            self.rolloutOrder = rolloutOrder
            self.batching = batching
            self.repeatable = repeatable
            self.changedByService = changedByService
            self.timeouts = timeouts
            self.gateFirst = gateFirst
            self.phases = phases
            self.ports = ports
            self.healthCheck = healthCheck
        }
    }

    /// Why a gate comes before anything else of a job.
    public enum GateFirst: String, Sendable, CaseIterable {
        /// The job's last gate failed or never ran, and the plan changes nothing that it was about.
        case unfinished
        /// Allocations of the job are stopped, and no later gate of the plan asks those that go on.
        case afterStops = "after_stops"
    }

    /// A value with a short name that stands for it elsewhere in the job's part of the file.
    public struct Named<Value: Equatable & Sendable>: Equatable, Sendable {
        /// Unique among its neighbours.
        public var name: String
        public var value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// The allocations that end with one tree.
    public struct Content: Equatable, Sendable {
        /// Digest of the tree.
        public var tree: Digest
        /// In rollout order.
        public var workers: [WorkerName]

        public init(tree: Digest, workers: [WorkerName]) {
            self.tree = tree
            self.workers = workers
        }

        /// Groups workers by the tree that each ends with, in the order in which trees are met.
        public static func groups(_ ends: some Sequence<(worker: WorkerName, tree: Digest)>) -> [Content] {
            var groups: [Content] = []
            var places: [Digest: Int] = [:]
            for (worker, tree) in ends {
                if let place = places[tree] {
                    groups[place].workers.append(worker)
                } else {
                    places[tree] = groups.count
                    groups.append(Content(tree: tree, workers: [worker]))
                }
            }
            return groups
        }
    }

    /// Limits in seconds, in `range`, enforced on the worker, or on the controller for hooks.
    public struct Timeouts: Equatable, Sendable {
        /// Of a Makefile target.
        public var action: Int
        /// Of a hook.
        public var hook: Int
        /// Of a push of files.
        public var push: Int

        /// What each of them may be.
        public static let range = 1...86400

        public init(action: Int = 600, hook: Int = 600, push: Int = 300) {
            self.action = action
            self.hook = hook
            self.push = push
        }
    }
}

extension Plan.Job {
    /// Everything that acts, in the order of phases and batches.
    public var entries: [Plan.Entry] { phases.flatMap(\.batches).flatMap(\.self) }
}

extension Plan.Job {
    /// Whether commands of the event `job_control` do what Makefile targets do for other jobs.
    public var isJobControl: Bool { !hooks(.jobControl).isEmpty }

    /// Whether the job's part of the plan runs a target on what is deployed, and deploys nothing.
    public var isOperated: Bool { phases.contains { $0.kind == .operation } }

    /// Whether the job's part of the plan takes a run back.
    public var isRollback: Bool { phases.contains { $0.batches.joined().contains { $0.reason == .rolledBack } } }

    /// Whether something is run for an entry, besides moving its files.
    public func runs(_ entry: Plan.Entry) -> Bool { isJobControl || entry.action != .sync }

    /// Whether a gate follows a batch with this entry.
    func isGated(_ entry: Plan.Entry) -> Bool { runs(entry) || entry.gate != nil }

    /// What hooks get as `DEPLOY_PHASE` for an entry, in Maand's words.
    public func deployPhase(of entry: Plan.Entry) -> String {
        if isJobControl { return "job_control" }
        return entry.action == .start ? "new" : "update"
    }

    /// Whether the job's rollout asks its health check at any moment.
    public var hasGate: Bool {
        healthCheck != nil && (gateFirst != nil || phases.contains { $0.gate != .none } || hasEndGate)
    }

    /// Whether a gate comes after the last batch, for allocations that earlier gates left out since they had failed.
    package var hasEndGate: Bool {
        if phases.isEmpty, gateFirst == .afterStops { return false }
        let onlyMovesFiles = !phases.isEmpty && !phases.contains { $0.batches.joined().contains(where: isGated) }
        return batching.maxFailures > 0 && healthCheck != nil && !onlyMovesFiles
    }
}

// MARK: Fields

extension Plan.Job: Record, FieldValue {
    static let title = "job"
    static let meaning = "What happens to one job."
    static let style = Emitter.Style.block
    static var blank: Plan.Job {
        Plan.Job(
            job: .blank, version: "", active: [], from: [], content: [], changes: [], rolloutOrder: .workers,
            batching: .init(starts: 0, upgrades: 1), repeatable: [], timeouts: .init(), gateFirst: nil, phases: [],
            healthCheck: nil)
    }
    static let targets = LifecycleAction.allCases.filter { $0.target != nil }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &job, "the name")
        fields.required("version", &version, .text(.version), "the version that every changed allocation will run")
        fields.optional(
            "versions", &versions, MapType(element: ListType(element: ParsedType()), key: "version"), default: [],
            "allocations that will run another version, by version; only if a run is taken back that found several")
        fields.required("demands", &demands, "the jobs that this job demands, directly or through others")
        fields.required("active", &active, "the allocations that gates and hooks cover, in rollout order")
        fields.optional(
            "disabled", &disabled, ListType(element: ParsedType()), default: [],
            "disabled allocations, for which hooks of `pre_deploy`, `post_deploy`, `cli` and `post_build` run, too; only if "
                + "there are such hooks")
        fields.required(
            "from", &from, MapType(element: RecordType(), style: .block, key: "short name"),
            "recorded states. Batches refer to them by their names")
        fields.required("content", &content, ContentType(), "for each digest the workers that will have these files")
        fields.required(
            "changes", &changes,
            MapType(element: ListType(element: RecordType(), style: .block), style: .block, key: "name of a state"),
            "changed files")
        fields.optional(
            "secrets", &secrets, ListType(element: RecordType(), style: .block), default: [],
            "secrets that are written into files when these are sent; only if there are any")
        fields.optional(
            "certificates", &certificates, ListType(element: RecordType(), style: .block), default: [],
            "certificates in these files; only if there are any")
        fields.optional("hooks", &hooks, "hooks of the rollout; only if there are any")
        var order = Order(source: rolloutOrder, replacements: orderingCommands)
        fields.required("rollout_order", &order, "where the order of `active` comes from")
        rolloutOrder = order.source
        fields.required("batching", &batching, "how phases are divided into batches")
        fields.required(
            "repeatable", &repeatable, ListType(element: .word(Self.targets)),
            "targets that may run again if their outcome is unknown")
        fields.optional(
            "changed_by_service", &changedByService, ListType(element: .text(.path)), default: [],
            "paths that the running service may rewrite, sorted; only if there are any")
        fields.required("timeouts", &timeouts, "limits in seconds")
        fields.required(
            "gate_first", &gateFirst, GateFirstType(),
            "why a gate must pass before the first batch: `unfinished` if the job's last one has not passed, `after_stops` if "
                + "allocations of the job were stopped and no later gate asks the others; otherwise `null`")
        fields.required("phases", &phases, "parts of the rollout, in order; empty if only a gate or hooks run")
        fields.required(
            "ports", &ports, MapType(element: .integer(Plan.portRange), key: "name of a port"), "the job's ports")
        fields.required("health_check", &healthCheck, .orNull(RecordType()), "the checks of gates")
    }

    func check(_ report: RecordReport) {
        if !disabled.isEmpty {
            if HookEvent.ofDisabled.allSatisfy({ hooks($0).isEmpty }) {
                report.error("disabled", "no hook of the job's rollout runs for disabled allocations")
            }
            if Set(disabled).count < disabled.count || !Set(disabled).isDisjoint(with: active) {
                report.error("disabled", "an allocation is listed twice")
            }
        }
        for event in HookEvent.allCases where !hooks(event).isEmpty && allocations(of: event) == 0 {
            report.error("hooks", "nothing of the job's rollout runs hooks of \(event.rawValue)")
        }
        if zip(secrets, secrets.dropFirst()).contains(where: { $0.reference.name >= $1.reference.name }) {
            report.error("secrets", "`secrets` has to be sorted, with each secret once")
        }
        if healthCheck?.checks.isEmpty == true, hooks(.healthCheck).isEmpty {
            report.error("health_check", "a health check has at least one check, or hooks of `health_check`")
        }
        for (path, next) in zip(changedByService, changedByService.dropFirst())
        where !path.utf8.lexicographicallyPrecedes(next.utf8) {
            report.error("changed_by_service", "`changed_by_service` has to be sorted, with each path once")
        }
    }
}

/// Where the order of a job's allocations is from, as it is in the file.
private struct Order: Record, FieldValue {
    var source: OrderSource
    var replacements: [String]

    static let title = "rollout_order"
    static let meaning = "Where the order of the job's allocations comes from."
    static let blank = Order(source: .workers, replacements: [])

    mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "source", &source, "`workers`: the order of `workers.json`; `kv`: the key `rollout_order`")
        fields.optional(
            "may_be_replaced_by", &replacements, ListType(element: .text(.command)), default: [],
            "the commands of `pre_deploy`, which may set another order")
    }
}

/// Tree -> the allocations that end with it.
private struct ContentType: FieldType {
    private typealias Workers = ListType<ParsedType<WorkerName>>

    func read(_ node: Node, _ reader: Reader) -> [Plan.Content]? {
        guard let map = reader.mapping(node) else { return nil }
        let items = map.entries.compactMap { entry -> Plan.Content? in
            guard let tree = ParsedType<Digest>().read(entry.key, reader),
                let workers = Workers(element: .init()).read(entry.value, reader)
            else { return nil }
            return Plan.Content(tree: tree, workers: workers)
        }
        return items.count == map.entries.count ? items : nil
    }

    func write(_ value: [Plan.Content], as place: Place, to out: inout Emitter) {
        out.mapping(place, .block) { out in
            for content in value {
                Workers(element: .init()).write(content.workers, as: .field(content.tree.description), to: &out)
            }
        }
    }

    func json(_ value: [Plan.Content]) -> JSON? {
        .object(value.map { ($0.tree.description, .array($0.workers.map { .string($0.text) })) })
    }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        .object([
            ("type", .string("object")),
            ("propertyNames", ParsedType<Digest>().schema(&book, isLowestLeftOut: false)),
            ("additionalProperties", Workers(element: .init()).schema(&book, isLowestLeftOut: false)),
        ])
    }

    var words: String { "digest → list: a name" }
}

extension Plan.GateFirst: FieldValue {}

/// A word or `null`; the schema has both in one list.
private struct GateFirstType: FieldType {
    private let type = NullableType(wrapped: WordType<Plan.GateFirst>(), none: .null)

    func read(_ node: Node, _ reader: Reader) -> Plan.GateFirst?? { type.read(node, reader) }

    func write(_ value: Plan.GateFirst?, as place: Place, to out: inout Emitter) {
        type.write(value, as: place, to: &out)
    }

    func json(_ value: Plan.GateFirst?) -> JSON? { type.json(value) }

    func schema(_ book: inout SchemaBook, isLowestLeftOut: Bool) -> JSON {
        .object([("enum", .array(Plan.GateFirst.allCases.map { .string($0.rawValue) } + [.null]))])
    }

    var words: String { type.words }
}

extension Plan.Timeouts: Record, FieldValue {
    static let title = "timeouts"
    static let meaning = "Limits in seconds."
    static let blank = Plan.Timeouts()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("action", &action, .integer(Self.range), "of a Makefile target")
        fields.required("hook", &hook, .integer(Self.range), "of a hook")
        fields.required("push", &push, .integer(Self.range), "of a push of files")
    }
}
