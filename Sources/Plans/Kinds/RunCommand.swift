public import Model
internal import YAML

/// Runs one command on workers as a whole, once on each, in batches: the work of a plan of the kind `run_command`.
public struct RunCommand: Equatable, Sendable {
    /// What was asked for, beside the command.
    public struct Options: Equatable, Sendable {
        public var selection: Plan.Selection
        /// Workers at a time; nil means one.
        public var concurrency: HostCount?
        /// Whether all jobs of a batch's workers are asked after it whether they are healthy.
        public var hasGates: Bool
        /// Whether batches go on in spite of failures.
        public var ignoresFailures: Bool
        /// How many workers may be left behind because they do not answer.
        public var maxUnreachable: HostCount?

        public init(
            selection: Plan.Selection = .init(), concurrency: HostCount? = nil, hasGates: Bool = false,
            ignoresFailures: Bool = false, maxUnreachable: HostCount? = nil
        ) {
            self.selection = selection
            self.concurrency = concurrency
            self.hasGates = hasGates
            self.ignoresFailures = ignoresFailures
            self.maxUnreachable = maxUnreachable
        }
    }

    public var options: Options
    public var command: WorkerCommand
    public var workers: WorkerBatches
    /// Counted from the batches, and checked when a plan is read.
    public var summary: Summary
    /// The jobs that gates ask about, as those of a deploy that has nothing else.
    var body: Deploy

    /// Counts of what the plan holds.
    public struct Summary: Equatable, Sendable {
        public var batches = 0
        public var workers = 0

        init() {}

        init(_ workers: WorkerBatches) {
            batches = workers.batches.count
            self.workers = workers.workers.count
        }
    }

    /// - Parameter gates: the jobs that gates ask about; empty if there are no gates.
    public init(_ command: WorkerCommand, options: Options, workers: WorkerBatches, gates: [Plan.Wave] = []) {
        self.command = command
        self.options = options
        self.workers = workers
        summary = Summary(workers)
        body = Deploy(waves: gates)
    }

    /// Nothing.
    init() { self.init(.blank, options: Options(), workers: WorkerBatches()) }

    func check(_ fleet: Fleet, _ report: RecordReport) {
        options.selection.check(report)
        workers.check(fleet, report)
        if summary != Summary(workers) { report.error("summary", "the summary does not count what the plan holds") }
        if !body.waves.isEmpty, !options.hasGates {
            report.error("gates", "the plan has jobs for gates, and no `health_check` among its options")
        }
        body.check(fleet, report)
    }
}

// MARK: Fields

extension RunCommand {
    mutating func visitOptions(_ fields: inout some Fields) {
        fields.required("options", &options, "the options of `maand-plan run-command`")
    }

    mutating func visitSummary(_ fields: inout some Fields) {
        fields.required("summary", &summary, "counts; they follow from the rest of the plan and are checked")
    }

    mutating func visitActions(_ fields: inout some Fields) {
        fields.required("command", &command, "what runs")
        workers.visit(&fields)
        fields.optional(
            "gates", &body.waves, ListType(element: ViewType<GatedWave>(), style: .block), default: [],
            "jobs that are asked after each batch; only if there are any")
        body.summary = .init(reconcile: [], waves: body.waves, unchanged: 0)
    }
}

extension RunCommand.Options: Record, FieldValue {
    static let title = "run_command_options"
    static let meaning = "The options of `maand-plan run-command`."
    static let blank = Self()

    mutating func visit(_ fields: inout some Fields) {
        selection.visit(&fields)
        fields.optional("concurrency", &concurrency, "the value of `--concurrency`; only if it was given")
        fields.flag("health_check", &hasGates, "`--health-check`: gates after each batch")
        fields.flag("ignore_failure", &ignoresFailures, "`--ignore-failure`: batches go on in spite of failures")
        fields.optional(
            "max_unreachable", &maxUnreachable, "the value of `--max-unreachable`; only if it was given")
    }
}

extension RunCommand.Summary: Record, FieldValue {
    static let title = "run_command_summary"
    static let meaning = "Counts. They follow from the rest of the plan, and are checked."
    static let blank = Self()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("batches", &batches, .count, "how many batches there are")
        fields.required("workers", &workers, .count, "how many workers the command runs on")
    }
}
