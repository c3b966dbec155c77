public import Model
internal import YAML

/// Runs one Makefile target on allocations that are deployed, in batches: the work of plans of the kinds `restart`, `start`,
/// `stop` and `run_target`.
///
/// Its jobs are those of a rollout (`Plan.Job`) with one phase, `operation`; the file has the fields of them that mean
/// something here.
public struct Operation: Equatable, Sendable {
    /// What is run.
    public enum Verb: Equatable, Sendable {
        case restart
        case start
        case stop
        /// A target by its name.
        case target(String)

        /// The word for the kind of plan.
        public var kind: PlanKind {
            switch self {
            case .restart: .restart
            case .start: .start
            case .stop: .stop
            case .target: .runTarget
            }
        }

        /// What is done to each allocation.
        public var action: LifecycleAction {
            switch self {
            case .restart: .restart
            case .start: .start
            case .stop: .stop
            case .target: .run
            }
        }

        /// The target of the Makefile.
        public var target: String {
            switch self {
            case .restart, .start, .stop: action.rawValue
            case .target(let name): name
            }
        }

        /// Whether jobs come before those that they demand.
        var isReversed: Bool { self == .stop }
    }

    /// What was asked for.
    public struct Options: Equatable, Sendable {
        /// Sorted; at least one.
        public var jobs: [JobName]
        public var selection: Plan.Selection
        /// The size of a batch, in place of what the manifests say.
        public var batch: HostCount?
        /// Whether the health check is asked after each batch.
        public var hasGate: Bool
        /// Whether files may differ from those that were promoted.
        public var allowsDrift: Bool
        /// In place of what the manifests say of `rollout.max_unreachable`.
        public var maxUnreachable: HostCount?

        public init(
            jobs: [JobName], selection: Plan.Selection = .init(), batch: HostCount? = nil, hasGate: Bool = true,
            allowsDrift: Bool = false, maxUnreachable: HostCount? = nil
        ) {
            self.jobs = Set(jobs).sorted()
            self.selection = selection
            self.batch = batch
            self.hasGate = hasGate
            self.allowsDrift = allowsDrift
            self.maxUnreachable = maxUnreachable
        }
    }

    /// Counts of what the plan holds; derived from the rest, and checked when a plan is read.
    public struct Summary: Equatable, Sendable {
        public var waves = 0
        public var batches = 0
        public var allocations = 0

        init() {}

        init(_ waves: [Plan.Wave]) {
            self.waves = waves.count
            for batch in waves.lazy.flatMap(\.jobs).flatMap(\.phases).flatMap(\.batches) {
                batches += 1
                allocations += batch.count
            }
        }
    }

    public var verb: Verb
    public var options: Options
    public var summary: Summary
    /// Allocations of the jobs that a person has stopped, and that stay so.
    public var stopped: [Plan.Named<[WorkerName]>]
    /// The waves, as those of a deploy that has nothing else.
    var body: Deploy

    /// - Parameter waves: in the order in which they are carried out.
    public init(_ verb: Verb, options: Options, stopped: [Plan.Named<[WorkerName]>] = [], waves: [Plan.Wave]) {
        self.verb = verb
        self.options = options
        self.stopped = stopped
        summary = Summary(waves)
        body = Deploy(waves: waves)
    }

    /// Nothing, of a kind.
    init(blank kind: PlanKind) {
        let verb: Verb =
            switch kind {
            case .start: .start
            case .stop: .stop
            case .runTarget: .target("")
            case .restart, .deploy, .jobCommand, .runCommand, .reboot: .restart
            }
        self.init(verb, options: Options(jobs: []), waves: [])
    }

    /// Whether the work says one thing, beside what holds for the waves of every plan.
    func checkKind(_ report: RecordReport) {
        options.selection.check(report)
        if options.batch == .hosts(0) || options.batch == .percent(0) {
            report.error("options", "a batch has at least one host")
        }
        if let name = verb.namedTarget, [Verb.restart, .start, .stop].contains(where: { $0.target == name }) {
            report.error("options", "what `\(name)` does is recorded, so it has a plan of its own")
        }
        if summary != Summary(body.waves) {
            report.error("summary", "the summary does not count what the plan holds")
        }
        for job in body.waves.lazy.flatMap(\.jobs) {
            if !options.jobs.contains(job.job) { report.error("waves", "\(job.job) is not one of the options' jobs") }
            if verb == .stop, !job.hooks(.afterAllocationHealthy).isEmpty {
                report.error("waves", "\(job.job): what is stopped is never found well")
            }
            if job.phases.contains(where: { $0.gate != .none }), !options.hasGate || verb == .stop {
                report.error("waves", "\(job.job): the plan has no gates, and the job has one")
            }
        }
    }
}

extension Operation.Verb {
    /// The target's name, if only the plan knows it.
    public var namedTarget: String? {
        switch self {
        case .restart, .start, .stop: nil
        case .target(let name): name
        }
    }
}

extension Plan.Job {
    /// The job as the file of an operation has it: what a deploy would say of versions and files follows from the states.
    public static func operated(_ job: Plan.Job) -> Plan.Job {
        var job = job
        let states = Dictionary(job.from.map { ($0.name, $0.value) }) { first, _ in first }
        let versions = Set(job.from.map(\.value.version))
        job.version = versions.count == 1 ? versions.first ?? "" : Version.none.text
        job.content = Plan.Content.groups(
            job.entries.compactMap { entry in
                (states[entry.from]?.content).map { (entry.worker, $0) }
            })
        return job
    }
}

// MARK: Fields

extension OutputType<Operation> {
    /// The options, as they are in the file.
    package static var options: Self {
        let type = OutputType<OptionFields>(RecordType())
        return Self(type.description) { type.json(.init(target: $0.verb.namedTarget, options: $0.options)) }
    }
}

extension Operation {
    mutating func visitOptions(_ fields: inout some Fields) {
        var all = OptionFields(target: verb.namedTarget, options: options)
        fields.required("options", &all, "the options of `maand-plan`")
        if case .target = verb { verb = .target(all.target ?? "") }
        options = all.options
    }

    mutating func visitSummary(_ fields: inout some Fields) {
        fields.required("summary", &summary, "counts; they follow from the rest of the plan and are checked")
    }

    mutating func visitActions(_ fields: inout some Fields) {
        fields.optional(
            "stopped_by_hand", &stopped, WorkersOfJobs.all, default: [],
            "allocations that a person has stopped, and that stay stopped; only if there are any")
        fields.required(
            "waves", &body.waves, ListType(element: ViewType<OperatedWave>(), style: .block),
            "waves, in the order in which they are carried out")
        settle()
    }

    /// Completes what the fields do not say: it follows from the kind of the plan.
    private mutating func settle() {
        let (action, entries) = (
            verb.action, body.waves.lazy.flatMap(\.jobs).flatMap(\.phases).flatMap(\.batches).joined()
        )
        defer { body.summary = .init(reconcile: [], waves: body.waves, unchanged: 0) }
        guard entries.contains(where: { $0.action != action }) else { return }
        for wave in body.waves.indices {
            for job in body.waves[wave].jobs.indices {
                for phase in body.waves[wave].jobs[job].phases.indices {
                    body.waves[wave].jobs[job].phases[phase].setAction(action)
                }
            }
        }
    }
}

extension Plan.Phase {
    fileprivate mutating func setAction(_ action: LifecycleAction) {
        for batch in batches.indices {
            for entry in batches[batch].indices { batches[batch][entry].action = action }
        }
    }
}

/// The options with the target, which only some plans have.
private struct OptionFields: Record, FieldValue {
    var target: String?
    var options: Operation.Options

    static let title = "operation_options"
    static let meaning = "The options of `maand-plan restart`, `start`, `stop` and `run-target`."
    static let blank = Self(options: .init(jobs: []))

    mutating func visit(_ fields: inout some Fields) {
        fields.required("jobs", &options.jobs, ListType(element: ParsedType(), minimum: 1), "the jobs that were named")
        fields.optional("target", &target, .text(.target), "only for `run_target`: the target of the Makefile")
        options.selection.visit(&fields)
        fields.optional("batch", &options.batch, "the value of `--batch`; only if it was given")
        var isWithoutGate = !options.hasGate
        fields.flag("no_gate", &isWithoutGate, "`--no-gate`: the health check is not asked")
        options.hasGate = !isWithoutGate
        fields.flag(
            "allow_drift", &options.allowsDrift,
            "`--allow-drift`: the targets run although files on the workers differ from those that were promoted")
        fields.optional(
            "max_unreachable", &options.maxUnreachable, "the value of `--max-unreachable`; only if it was given")
    }
}

extension Operation.Summary: Record, FieldValue {
    static let title = "operation_summary"
    static let meaning = "Counts. They follow from the rest of the plan, and are checked."
    static let blank = Self()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("waves", &waves, .count, "waves with anything to do")
        fields.required("batches", &batches, .count, "batches of all jobs")
        fields.required("allocations", &allocations, .count, "how many allocations the target runs on")
    }
}

/// A wave of an operation, as it is in the file.
private struct OperatedWave: RecordView {
    var whole: Plan.Wave

    init(_ whole: Plan.Wave) { self.whole = whole }

    static let title = "operated_wave"
    static let meaning = "The jobs of one level of the demand graph."
    static let style = Emitter.Style.block
    static let blank = Self(.blank)

    mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "deployment_seq", &whole.deploymentSequence, .count,
            "the level in the demand graph; 0 if nothing is demanded")
        fields.required(
            "jobs", &whole.jobs, ListType(element: ViewType<OperatedJob>(), style: .block),
            "the jobs of the wave, sorted by name")
    }
}

/// A job of an operation, as it is in the file.
private struct OperatedJob: RecordView {
    private var job: Plan.Job

    init(_ whole: Plan.Job) { job = whole }

    var whole: Plan.Job { .operated(job) }

    static let title = "operated_job"
    static let meaning = "What happens to one job."
    static let style = Emitter.Style.block
    static let blank = Self(.blank)

    mutating func visit(_ fields: inout some Fields) {
        var phase = job.phases.first ?? Plan.Phase(kind: .operation, batches: [], gate: .none)
        fields.required("job", &job.job, "the name")
        fields.required("demands", &job.demands, "the jobs that this job demands, directly or through others")
        fields.required("active", &job.active, "the allocations that gates and hooks cover, in rollout order")
        fields.required(
            "from", &job.from, MapType(element: RecordType(), style: .block, key: "short name"),
            "recorded states. Batches refer to them by their names")
        fields.optional("hooks", &job.hooks, "hooks that run; only if there are any")
        fields.required(
            "rollout_order", &job.rolloutOrder,
            "where the order of `active` comes from: `workers`: the order of `workers.json`; `kv`: the key `rollout_order`"
        )
        fields.required("batching", &job.batching, "how the allocations are divided into batches")
        fields.optional(
            "repeatable", &job.repeatable, ListType(element: .word(Plan.Job.targets)), default: [],
            "targets that may run again if their outcome is unknown")
        fields.optional(
            "changed_by_service", &job.changedByService, ListType(element: .text(.path)), default: [],
            "paths that the running service may rewrite, sorted; only if there are any")
        fields.required("timeouts", &job.timeouts, "limits in seconds")
        fields.required(
            "gate", &phase.gate, .word([.none, .afterEachBatch]), "when the health check is asked")
        fields.required(
            "batches", &phase.batches, ListType(element: ListType(element: ViewType<OperatedEntry>()), style: .block),
            "the allocations of one batch act at the same time")
        fields.required("health_check", &job.healthCheck, .orNull(RecordType()), "the checks of gates")
        job.phases = phase.batches.isEmpty ? [] : [phase]
    }

    func check(_ report: RecordReport) { job.check(report) }
}

/// An allocation of an operation, as it is in the file.
struct OperatedEntry: RecordView {
    var whole: Plan.Entry

    init(_ whole: Plan.Entry) { self.whole = whole }

    static let title = "operated_entry"
    static let meaning = "One allocation in one batch."
    static var blank: Self { Self(Plan.Entry(worker: .blank, action: .run, reason: .requested, from: "")) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("worker", &whole.worker, "the worker")
        fields.required("from", &whole.from, "a key of the job's `from`")
    }
}

/// A job → some of its workers.
typealias WorkersOfJobs = MapType<ListType<ParsedType<WorkerName>>>

extension WorkersOfJobs {
    static var all: Self { Self(element: ListType(element: ParsedType()), key: "name of a job") }
}
