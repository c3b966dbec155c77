public import Model
internal import YAML

/// Workers as a whole, in batches: what a plan has that acts on workers and not on allocations.
public struct WorkerBatches: Equatable, Sendable {
    /// In order; the workers of one batch act at the same time.
    public var batches: [[WorkerName]]
    /// Workers that may be left behind because they do not answer.
    public var maxUnreachable: Int

    public init(_ batches: [[WorkerName]] = [], maxUnreachable: Int = 0) {
        self.batches = batches
        self.maxUnreachable = maxUnreachable
    }

    /// All of them, in order.
    public var workers: [WorkerName] { batches.flatMap(\.self) }

    mutating func visit(_ fields: inout some Fields) {
        fields.optional(
            "max_unreachable", &maxUnreachable, .integer(Plan.Batching.unreachableRange), default: 0,
            "the run goes on without at most N workers that cannot be used")
        fields.required(
            "batches", &batches, ListType(element: ListType(element: ParsedType(), minimum: 1), style: .block),
            "the workers of one batch act at the same time")
    }

    /// Every worker is known and acts once.
    func check(_ fleet: Fleet, _ report: RecordReport) {
        let known = Set(fleet.workers.lazy.filter { !$0.isRemoved }.map(\.worker))
        var acting = Set<WorkerName>()
        for worker in workers {
            if !known.contains(worker) { report.error("batches", "\(worker): the worker is missing under `workers`") }
            if !acting.insert(worker).inserted { report.error("batches", "\(worker) acts twice") }
        }
    }
}

/// Lines of shell that run on workers.
public struct WorkerCommand: Equatable, Sendable {
    /// The lines; nil if they are a script that the store keeps.
    public var text: String?
    public var script: Script?
    /// Seconds that one execution may take.
    public var timeout: Int
    /// Whether it runs with the login user's rights, also if targets have others.
    public var isWithoutSudo: Bool

    /// A script that the store keeps.
    public struct Script: Equatable, Sendable {
        /// The name of its file when the plan was made.
        public var file: String
        public var digest: Digest

        public init(file: String, digest: Digest) {
            self.file = file
            self.digest = digest
        }
    }

    /// Most bytes of the lines.
    public static let limit = 64 << 10

    /// The lines of a script; nil if its bytes are not what a shell could be given: UTF-8 without NUL, and not too many.
    public static func text(of bytes: [UInt8]) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self), isSound(text) else { return nil }
        return text
    }

    /// Whether a shell can be given these lines.
    static func isSound(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= limit && !text.utf8.contains(0)
    }

    public init(text: String? = nil, script: Script? = nil, timeout: Int, isWithoutSudo: Bool = false) {
        self.text = text
        self.script = script
        self.timeout = timeout
        self.isWithoutSudo = isWithoutSudo
    }
}

extension WorkerCommand: Record, FieldValue {
    static let title = "worker_command"
    static let meaning = "Lines of shell that run on each worker: `text`, or a script that the store keeps."
    static let blank = Self(timeout: 1)

    mutating func visit(_ fields: inout some Fields) {
        fields.optional("text", &text, "the lines")
        fields.group("file", &script)
        fields.required("timeout", &timeout, .integer(Plan.Timeouts.range), "seconds that one execution may take")
        fields.flag("no_sudo", &isWithoutSudo, "`--no-sudo`: it runs with the login user's rights")
    }

    func check(_ report: RecordReport) {
        if (text == nil) == (script == nil) { report.error("a command has `text`, or `file` and `digest`") }
        if text.map(Self.isSound) == false {
            report.error("text", "a command has 1 to \(Self.limit) bytes, and no NUL")
        }
    }
}

extension WorkerCommand.Script: Record, FieldValue {
    static let title = "script"
    static let meaning = "A script that the store keeps."
    static let blank = Self(file: "", digest: .blank)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("file", &file, "the name of its file when the plan was made")
        fields.required("digest", &digest, "the SHA-256 of the file")
    }
}

/// A job that gates ask, as it is in files of plans that do not deploy it.
struct GatedJob: RecordView {
    private(set) var whole: Plan.Job

    init(_ whole: Plan.Job) { self.whole = whole }

    static let title = "gated_job"
    static let meaning = "A job that gates ask about."
    static let style = Emitter.Style.block
    static let blank = Self(.blank)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &whole.job, "the name")
        fields.required("active", &whole.active, "the allocations that gates cover")
        fields.optional("hooks", &whole.hooks, "hooks of the gates; only if there are any")
        fields.required("timeouts", &whole.timeouts, "limits in seconds")
        fields.required("health_check", &whole.healthCheck, .orNull(RecordType()), "the checks of gates")
    }

    func check(_ report: RecordReport) { whole.check(report) }
}

/// A wave of jobs that gates ask.
struct GatedWave: RecordView {
    private(set) var whole: Plan.Wave

    init(_ whole: Plan.Wave) { self.whole = whole }

    static let title = "gated_wave"
    static let meaning = "The jobs of one level of the demand graph that gates ask about."
    static let style = Emitter.Style.block
    static let blank = Self(.blank)

    mutating func visit(_ fields: inout some Fields) {
        fields.required("deployment_seq", &whole.deploymentSequence, .count, "the level in the demand graph")
        fields.required(
            "jobs", &whole.jobs, ListType(element: ViewType<GatedJob>(), style: .block), "the jobs, sorted by name")
    }
}
