public import Catalog
public import Executor
public import Model
public import Plans
internal import StepMachinery
internal import Windows
internal import YAML

/// What a process of a run is doing: the events of the run, folded. A pure value; each event costs a constant time.
///
/// ```swift
/// var progress = RunProgress(.normal, isLive: true)
/// let reports = progress.apply(event, at: clock.now())  // what is to be told, as lines
/// ```
public struct RunProgress: Sendable {
    /// Nil until the run begins or goes on.
    public internal(set) var run: Run?
    /// The steps that are executed: those of the plan, or of its way back.
    public internal(set) var graph: StepGraph?
    /// Expects by what is recorded of earlier runs, which `note(_:_:)` adds, and by what this run does.
    public var forecast = Forecast()
    /// When this process began.
    public internal(set) var since: Timestamp?
    /// Lines of what went wrong, the latest last; at most `pinnedLimit`.
    public internal(set) var pinned: [String] = []
    /// All that went wrong.
    public internal(set) var failures = 0
    /// Nothing new begins any more, and why.
    public internal(set) var parking: String?
    /// The end by which everything has to have ended, as far as a window has said.
    public internal(set) var cutoff: Timestamp?
    /// Connections that were lost, and other things that pass: the latest.
    public internal(set) var remark: (text: String, at: Timestamp)?

    var indices: [StepID: StepIndex] = [:]
    var units: [UnitIndex: UnitTally] = [:]
    var batches: [BatchKey: BatchTally] = [:]
    /// What is in flight.
    var running: [StepIndex: Running] = [:]
    /// Chains that have ended.
    var closed: [ChainKey: Standing] = [:]
    /// When the first step of a chain began.
    var chainBegan: [ChainKey: Timestamp] = [:]
    /// The chains of an allocation or a worker.
    var chains: [Subject: [ChainKey]] = [:]
    /// Gates that are asked and have not passed.
    var gates: [StepIndex: GateTry] = [:]
    /// What workers are asked besides steps.
    var questions: [RunEvent.Question: Asked] = [:]
    /// How many batches a line stands for, so that a run with many batches has no more than a hundred lines of them.
    var grouping = 1

    static let pinnedLimit = 50

    let verbosity: Verbosity
    let isLive: Bool

    /// - Parameters:
    ///   - verbosity: what is told.
    ///   - isLive: a view of it is drawn, so that less is told.
    public init(_ verbosity: Verbosity, isLive: Bool) {
        self.verbosity = verbosity
        self.isLive = isLive
    }

    /// Whether such a line is told. To be asked before a line is made of what happens thousands of times.
    func tells(_ kind: Report.Kind) -> Bool { verbosity.shows(kind, isLive: isLive) }

    struct BatchKey: Hashable, Sendable {
        var unit: UnitIndex
        var stage: StageIndex
    }

    struct ChainKey: Hashable, Sendable {
        var batch: BatchKey
        var chain: ChainIndex
    }

    struct Running: Sendable {
        var since: Timestamp
        var attempt: Int
        /// Until when it lasts at most, if it only waits.
        var until: Timestamp?

        /// Since 1970, whole ones.
        var seconds: Int64 { since.milliseconds / 1000 }
    }

    struct GateTry: Sendable {
        var tries: Int
        var all: Int
        var problem: String
    }

    /// Workers that are asked something.
    struct Asked: Sendable {
        var all = 0
        /// How many answers of each are missing.
        var pending: [WorkerName: Int] = [:]
        var answered = 0
    }

    /// How far a unit is.
    struct UnitTally: Sendable {
        var all = 0
        var counts: [Standing: Int] = [:]
        var stage = StageIndex(0)
        var began: Timestamp?
        var result: StepMachine.Result?

        func count(_ standing: Standing) -> Int { counts[standing] ?? 0 }

        var ended: Int { counts.values.reduce(0, +) }
    }

    struct BatchTally: Sendable {
        var all: Int
        var counts: [Standing: Int] = [:]
        var began: Timestamp?
        var isReported = false

        var ended: Int { counts.values.reduce(0, +) }
    }
}

extension RunProgress {
    /// Takes in what has happened. Returns what is to be told of it.
    public mutating func apply(_ event: RunEvent, at now: Timestamp) -> [Report] {
        fold(event, now).filter { tells($0.kind) }
    }

    private mutating func fold(_ event: RunEvent, _ now: Timestamp) -> [Report] {
        switch event {
        case .began(let run, let graph, let records): return begin(run, graph, records, now)
        case .reordered(let graph):
            setGraph(graph)
            return []
        case .stepStarted(let step, let attempt): return start(step, attempt, isResumed: false, now)
        case .stepResumed(let step, let attempt): return start(step, attempt, isResumed: true, now)
        case .stepEnded(let step, let outcome, _, let detail, let milliseconds):
            return end(step, outcome, detail, milliseconds, now)
        case .promoted(let allocations, let version): return promote(allocations, version, now)
        case .jobEnded(let name, let unit, let result): return end(unit, name, result, now)
        case .leftBehind(let subject, let reason): return leave(subject, .leftBehind, reason, now)
        case .notNeeded(let worker): return leave(.worker(worker), .notNeeded, nil, now)
        case .gateWaiting(let step, let tries, let all, let problem):
            if let index = indices[step.id] { gates[index] = GateTry(tries: tries, all: all, problem: problem) }
            return [Report(.step, "…", "\(step.id) try \(tries) of \(all): \(escaped(problem))", .warning)]
        case .asking(let question, let workers):
            questions[question, default: Asked()].all += workers.count
            for worker in workers { questions[question]?.pending[worker, default: 0] += 1 }
            return []
        case .answered(let question, let worker):
            answer(question, worker)
            return []
        case .renamed, .baking, .parking, .admitted, .held, .warning, .waiting: return tell(event, now)
        }
    }

    private mutating func answer(_ question: RunEvent.Question, _ worker: WorkerName) {
        guard var asked = questions.removeValue(forKey: question) else { return }
        asked.answered += 1
        let missing = (asked.pending.removeValue(forKey: worker) ?? 1) - 1
        if missing > 0 { asked.pending[worker] = missing }
        if !asked.pending.isEmpty { questions[question] = asked }
    }

    /// What stands for itself.
    private mutating func tell(_ event: RunEvent, _ now: Timestamp) -> [Report] {
        switch event {
        case .renamed(let rename): return [Report(.notice, "renamed", escaped("\(rename)"), .good)]
        case .baking(let step, let seconds):
            if let index = indices[step.id] {
                running[index]?.until = Timestamp(milliseconds: now.milliseconds + Int64(seconds) * 1000)
            }
            return [Report(.gate, "bake", "\(step.id): \(seconds) s to go; Ctrl-C parks the run", .faint)]
        case .parking(let request):
            parking = escaped(request.reason)
            let text = "after \(escaped(request.reason)): what is in flight finishes, nothing new begins"
            return [Report(.notice, "parking", text, .warning)]
        case .admitted(let batch, let seconds, let isRecorded, let end, let cutoff):
            self.cutoff = cutoff
            let basis = isRecorded ? "as before" : "by its timeouts"
            let text =
                "\(batch): expected to take \(seconds) s \(basis), until \(end.utcText); cutoff \(cutoff.utcText)"
            return [Report(.batch, "window", escaped(text), .faint)]
        case .held(let batch, let hold):
            let what = batch.map { "\($0) does not begin: " } ?? ""
            return [Report(.notice, "holding", escaped(what + hold.reason), .warning)]
        case .warning(let warning):
            if case .connection(let text) = warning { remark = (escaped(text), now) }
            return [Report(.warning, "warning:", escaped("\(warning)"), .warning)]
        default: return []
        }
    }

    func escaped(_ text: String) -> String { VisibleText.escape(text, for: .terminal) }
}
