public import Model
internal import YAML

/// Reboots workers in batches, with their jobs stopped before and started after it: the work of a plan of the kind `reboot`.
///
/// Its jobs are those of a rollout with one phase, `operation`, whose batches are those of the workers.
public struct Reboot: Equatable, Sendable {
    /// What was asked for, beside the rules.
    public struct Options: Equatable, Sendable {
        public var selection: Plan.Selection
        /// Workers at a time; nil means one.
        public var concurrency: HostCount?
        /// Name of the worker tag of which no batch holds two values.
        public var spread: String?
        /// How many workers may be left behind because they do not answer.
        public var maxUnreachable: HostCount?

        public init(
            selection: Plan.Selection = .init(), concurrency: HostCount? = nil, spread: String? = nil,
            maxUnreachable: HostCount? = nil
        ) {
            self.selection = selection
            self.concurrency = concurrency
            self.spread = spread
            self.maxUnreachable = maxUnreachable
        }
    }

    /// How a worker is rebooted.
    public struct Rules: Equatable, Sendable {
        /// What is sent once.
        public var command: String
        /// Asked on the worker before anything stops: only if it exits with 0 the worker is rebooted; nil asks nothing.
        public var onlyIf: String?
        /// Seconds until the worker has to be back.
        public var timeout: Int
        /// Seconds between the gates of a batch and the next batch.
        public var pauseSeconds: Int

        public init(
            command: String = "systemctl reboot", onlyIf: String? = nil, timeout: Int = 600, pauseSeconds: Int = 0
        ) {
            self.command = command
            self.onlyIf = onlyIf
            self.timeout = timeout
            self.pauseSeconds = pauseSeconds
        }
    }

    /// Counts of what the plan holds.
    public struct Summary: Equatable, Sendable {
        public var batches = 0
        public var workers = 0
        public var allocations = 0

        init() {}

        init(_ workers: WorkerBatches, _ waves: [Plan.Wave]) {
            batches = workers.batches.count
            self.workers = workers.workers.count
            allocations = waves.lazy.flatMap(\.jobs).reduce(0) { $0 + $1.entries.count }
        }
    }

    public var options: Options
    public var rules: Rules
    public var workers: WorkerBatches
    public var summary: Summary
    /// Allocations on the workers that a person has stopped, and that stay so.
    public var stopped: [Plan.Named<[WorkerName]>]
    /// The jobs of the workers, as those of a deploy that has nothing else; in the order in which they are started.
    var body: Deploy

    public init(
        _ rules: Rules, options: Options, workers: WorkerBatches, stopped: [Plan.Named<[WorkerName]>] = [],
        waves: [Plan.Wave]
    ) {
        self.rules = rules
        self.options = options
        self.workers = workers
        self.stopped = stopped
        summary = Summary(workers, waves)
        body = Deploy(waves: waves)
    }

    /// Nothing.
    init() { self.init(.blank, options: Options(), workers: WorkerBatches(), waves: []) }

    func check(_ fleet: Fleet, _ report: RecordReport) {
        options.selection.check(report)
        workers.check(fleet, report)
        body.check(fleet, report)
        if summary != Summary(workers, body.waves) {
            report.error("summary", "the summary does not count what the plan holds")
        }
        let rebooted = Set(workers.workers)
        for job in body.waves.lazy.flatMap(\.jobs) {
            for entry in job.entries where !rebooted.contains(entry.worker) {
                report.error("waves", "\(job.job) on \(entry.worker): the worker is in no batch")
            }
        }
    }
}

// MARK: Fields

extension Reboot {
    mutating func visitOptions(_ fields: inout some Fields) {
        fields.required("options", &options, "the options of `maand-plan reboot`")
    }

    mutating func visitSummary(_ fields: inout some Fields) {
        fields.required("summary", &summary, "counts; they follow from the rest of the plan and are checked")
    }

    mutating func visitActions(_ fields: inout some Fields) {
        fields.required("reboot", &rules, "how a worker is rebooted")
        workers.visit(&fields)
        fields.optional(
            "stopped_by_hand", &stopped, WorkersOfJobs.all, default: [],
            "allocations that a person has stopped, and that stay stopped; only if there are any")
        fields.required(
            "waves", &body.waves, ListType(element: ViewType<DrainedWave>(), style: .block),
            "jobs on the workers, in the order in which they are started")
        body.summary = .init(reconcile: [], waves: body.waves, unchanged: 0)
    }
}

extension Reboot.Options: Record, FieldValue {
    static let title = "reboot_options"
    static let meaning = "The options of `maand-plan reboot`."
    static let blank = Self()

    mutating func visit(_ fields: inout some Fields) {
        selection.visit(&fields)
        fields.optional("concurrency", &concurrency, "the value of `--concurrency`; only if it was given")
        fields.optional("spread", &spread, "the value of `--spread`; only if it was given")
        fields.optional(
            "max_unreachable", &maxUnreachable, "the value of `--max-unreachable`; only if it was given")
    }
}

extension Reboot.Rules: Record, FieldValue {
    static let title = "reboot"
    static let meaning = "How a worker is rebooted."
    static let blank = Self()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("command", &command, "what is sent once")
        fields.optional(
            "only_if", &onlyIf, "asked on the worker before anything stops: 0 means that the worker is rebooted")
        fields.required("timeout", &timeout, .integer(Plan.Timeouts.range), "seconds until the worker has to be back")
        fields.optional(
            "pause_seconds", &pauseSeconds, .integer(Plan.Batching.bakeRange), default: 0,
            "seconds between the gates of a batch and the next batch")
    }

    func check(_ report: RecordReport) {
        for (field, text) in [("command", command), ("only_if", onlyIf ?? "true")]
        where !WorkerCommand.isSound(text) {
            report.error(field, "a command has 1 to \(WorkerCommand.limit) bytes, and no NUL")
        }
    }
}

extension Reboot.Summary: Record, FieldValue {
    static let title = "reboot_summary"
    static let meaning = "Counts. They follow from the rest of the plan, and are checked."
    static let blank = Self()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("batches", &batches, .count, "how many batches there are")
        fields.required("workers", &workers, .count, "how many workers are rebooted")
        fields.required("allocations", &allocations, .count, "how many allocations are stopped and started")
    }
}

/// A wave of jobs that are stopped and started, as it is in the file.
private struct DrainedWave: RecordView {
    private(set) var whole: Plan.Wave

    init(_ whole: Plan.Wave) { self.whole = whole }

    static let title = "drained_wave"
    static let meaning = "The jobs of one level of the demand graph."
    static let style = Emitter.Style.block
    static let blank = Self(.blank)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("deployment_seq", &whole.deploymentSequence, .count, "the level in the demand graph")
        fields.required(
            "jobs", &whole.jobs, ListType(element: ViewType<DrainedJob>(), style: .block), "the jobs, sorted by name")
    }
}

/// A job that is stopped and started, as it is in the file.
private struct DrainedJob: RecordView {
    private var job: Plan.Job

    init(_ whole: Plan.Job) { job = whole }

    var whole: Plan.Job { .operated(job) }

    static let title = "drained_job"
    static let meaning = "A job whose allocations are stopped before reboots and started after them."
    static let style = Emitter.Style.block
    static let blank = Self(.blank)

    mutating func visit(_ fields: inout some Fields) {
        var entries = job.entries
        fields.required("job", &job.job, "the name")
        fields.required("demands", &job.demands, "the jobs that this job demands, directly or through others")
        fields.required("active", &job.active, "the allocations that gates cover")
        fields.optional(
            "max_unavailable", &job.maxUnavailable, .integer(Plan.Batching.unreachableRange),
            "never more of these allocations are unavailable; only if the manifest says so")
        fields.required(
            "from", &job.from, MapType(element: RecordType(), style: .block, key: "short name"),
            "recorded states. Allocations refer to them by their names")
        fields.optional("hooks", &job.hooks, "hooks that run; only if there are any")
        fields.optional(
            "changed_by_service", &job.changedByService, ListType(element: .text(.path)), default: [],
            "paths that the running service may rewrite, sorted; only if there are any")
        fields.required("timeouts", &job.timeouts, "limits in seconds")
        fields.required(
            "allocations", &entries, ListType(element: ViewType<OperatedEntry>(), style: .block),
            "what is stopped and started, in the order of the batches")
        fields.required("health_check", &job.healthCheck, .orNull(RecordType()), "the checks of gates")
        job.phases = entries.isEmpty ? [] : [.init(kind: .operation, batches: [entries], gate: .none)]
    }

    func check(_ report: RecordReport) { job.check(report) }
}
