public import Model
internal import YAML

/// One line of `maand-apply --events`: what happens in a run, or how a part of it stands from now on.
///
/// Its table makes the line, the schema and the reference of the format. Lines are written and not read: programs of others do
/// that.
public struct EventLine: Equatable, Sendable {
    /// The version of the format. A release may add events and fields in the same version; it renames and removes none.
    public static let version = 1

    /// Which event it is.
    public enum Word: String, Sendable, CaseIterable {
        case opened
        case runState = "run_state"
        case jobState = "job_state"
        case stepState = "step_state"
        case leftBehind = "left_behind"
        case takenIn = "taken_in"
        case drained
        case putBack = "put_back"
        case stepStarted = "step_started"
        case stepResumed = "step_resumed"
        case stepEnded = "step_ended"
        case promoted
        case renamed
        case gateWaiting = "gate_waiting"
        case baking
        case waiting
        case batchAdmitted = "batch_admitted"
        case batchHeld = "batch_held"
        case parking
        case warning
        case refused
    }

    /// How a step ended for this process.
    public enum Outcome: String, Sendable, CaseIterable {
        case succeeded, failed, unreachable, unknown, stale, interrupted
    }

    /// How a run stands.
    public enum RunWord: String, Sendable, CaseIterable {
        case running, parked, failed, succeeded, abandoned, interrupted
        case rolledBack = "rolled_back"
    }

    /// How a job stands.
    public enum JobWord: String, Sendable, CaseIterable {
        case waiting, begun, done, failed, unknown, blocked
    }

    public var event: Word
    /// Milliseconds since 1970.
    public var at: Timestamp
    /// Nil before the run is known.
    public var run: Int?
    public var program = ""
    public var plan: Digest?
    public var state: String = ""
    public var startedAt: String?
    public var startedBy: String?
    public var endedAt: String?
    public var pid: Int?
    public var planProblem: String?
    public var job: String?
    public var worker: String?
    public var wayBack = false
    public var blockedBy: [String]?
    public var done = 0
    public var steps = 0
    public var order: Order?
    public var step: String?
    public var attempt: Int?
    public var outcome = Outcome.succeeded
    public var milliseconds: Int?
    public var allocations: [String]?
    public var code: String?
    public var detail: String?

    /// In which order the batches of a job are made.
    public struct Order: Equatable, Sendable {
        public var source: String
        public var workers: [String]
        public var detail: String?

        public init(source: String, workers: [String], detail: String?) {
            self.source = source
            self.workers = workers
            self.detail = detail
        }
    }

    public init(_ event: Word, at: Timestamp) {
        self.event = event
        self.at = at
    }

    /// The line, as JSON without a line feed.
    public var json: String { RecordType<EventLine>().json(self)?.line ?? "{}" }
}

extension EventLine.Outcome: FieldValue {}
extension EventLine.RunWord: FieldValue {}
extension EventLine.JobWord: FieldValue {}
extension EventLine.Word: FieldValue {}
extension StepState: FieldValue {}

extension EventLine.Order: Record, FieldValue {
    static let title = "order"
    static let meaning = "In which order the batches of a job are made."
    static var blank: Self { Self(source: "workers", workers: [], detail: nil) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("source", &source, "`workers` (the order of `workers.json`), `kv` or `hook`")
        fields.required("workers", &workers, "the active workers of the job, in this order")
        fields.optional("detail", &detail, "what was decided about an order that hooks might set")
    }
}

extension EventLine: Record {
    static let title = "event"
    static let meaning = "One line of `--events`."
    static var blank: Self { Self(.opened, at: Timestamp(milliseconds: 0)) }
    static var forms: [Self] { Word.allCases.map { Self($0, at: Timestamp(milliseconds: 0)) } }

    mutating func visit(_ fields: inout some Fields) {
        fields.constant("v", .int(Self.version), "the version of the format")
        var milliseconds = Int(at.milliseconds)
        fields.required("at", &milliseconds, .count, "milliseconds since 1970-01-01T00:00:00Z")
        fields.optional("run", &run, .integer(1...Int.max), "the run; not there before it is known")
        guard fields.form("event", &event, among: [event], "what happens") else { return }
        visitEvent(&fields)
    }

    private mutating func visitEvent(_ fields: inout some Fields) {
        switch event {
        case .opened: fields.required("program", &program, "the version of maand-apply that writes from here on")
        case .runState: visitRun(&fields)
        case .jobState: visitJob(&fields)
        case .stepState:
            visitStep(&fields)
            visitWord("state", StepState.self, &fields, "how its latest attempt is recorded; `pending` if it has none")
            visitReason(&fields)
        case .leftBehind: visitSubject(&fields, "why")
        case .takenIn, .drained, .putBack: visitSubject(&fields, nil)
        case .stepStarted, .stepResumed: visitStep(&fields)
        case .stepEnded:
            visitStep(&fields)
            fields.required("outcome", &outcome, "`stale` and `interrupted`: nothing is recorded as ended")
            fields.optional("milliseconds", &milliseconds, .count, "how long this process was at it")
            visitReason(&fields)
        case .promoted:
            visitAllocations(&fields)
            fields.optional("detail", &detail, "the version")
        case .renamed:
            fields.optional("step", &step, "the step under which it is recorded")
            fields.optional("detail", &detail, "the old and the new name")
        case .gateWaiting:
            visitStep(&fields)
            fields.optional("detail", &detail, "what did not pass in this try (`attempt`)")
        case .baking:
            fields.optional("step", &step, "the step")
            fields.optional("milliseconds", &milliseconds, .count, "how long the batch is still left alone")
        case .batchAdmitted:
            fields.optional("milliseconds", &milliseconds, .count, "how long the batch is expected to take")
            fields.optional("detail", &detail, "the batch, its expected end and the cutoff")
        case .waiting: fields.optional("detail", &detail, "what is waited for longest")
        case .batchHeld, .parking, .warning, .refused: visitReason(&fields)
        }
    }

    private mutating func visitRun(_ fields: inout some Fields) {
        visitWord("state", RunWord.self, &fields, "how the run stands")
        fields.optional("plan", &plan, "the digest of its plan")
        fields.optional("started_at", &startedAt, "when it began")
        fields.optional("started_by", &startedBy, "who began it")
        fields.optional("ended_at", &endedAt, "when it ended")
        fields.optional("pid", &pid, .count, "the process that executes it; if that is gone, the run is interrupted")
        fields.optional("plan_problem", &planProblem, "why its plan cannot be read")
        visitReason(&fields)
    }

    private mutating func visitJob(_ fields: inout some Fields) {
        fields.optional("job", &job, "the job; `stops` or `workers` for what is no job")
        visitWord("state", JobWord.self, &fields, "how the job stands")
        fields.optional("blocked_by", &blockedBy, "jobs that it waits for; empty if `on_failure` blocks it")
        fields.required("done", &done, .count, "steps that have succeeded")
        fields.required("steps", &steps, .count, "steps in all, without those that are left behind")
        fields.optional("rollout_order", &order, "in which order its batches are made")
        fields.flag("way_back", &wayBack, "it is a part of the way back")
    }

    private mutating func visitStep(_ fields: inout some Fields) {
        fields.optional("step", &step, "the step")
        fields.optional("attempt", &attempt, .integer(0...Int.max), "counts from 1; 0 if there is none")
    }

    /// - Parameter detail: nil if there is none.
    private mutating func visitSubject(_ fields: inout some Fields, _ detail: String?) {
        fields.optional("job", &job, "the job; not there for a worker as a whole")
        fields.optional("worker", &worker, "the worker")
        visitAllocations(&fields)
        if let detail { fields.optional("detail", &self.detail, detail) }
    }

    private mutating func visitAllocations(_ fields: inout some Fields) {
        fields.optional("allocations", &allocations, "the allocations, as people read them")
    }

    private mutating func visitReason(_ fields: inout some Fields) {
        fields.optional("code", &code, "why, as a [code](troubleshooting.md#codes)")
        fields.optional("detail", &detail, "why, as a sentence")
    }

    /// A state, as one of the words of a type.
    private mutating func visitWord<Word: RawRepresentable<String> & CaseIterable & Equatable>(
        _ name: String, _ type: Word.Type, _ fields: inout some Fields, _ meaning: String
    ) {
        guard var word = Word(rawValue: state) ?? Word.allCases.first else { return }
        fields.required(name, &word, WordType<Word>(), meaning)
    }
}
