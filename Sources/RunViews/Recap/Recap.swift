public import Catalog
public import Model
public import Plans
public import StepMachinery

/// How far a run has come, or how it ended: for each job what became of its allocations and gates, for each worker on which
/// something went wrong the cause, and what to do now. A pure value, from what is recorded alone.
///
/// ```swift
/// let recap = Recap(run, graphs, records: try catalog.steps(of: run.id), leftBehind: try catalog.leftBehind(by: run.id))
/// for line in recap.lines() { print(line) }
/// ```
public struct Recap: Sendable {
    public let run: Run
    /// In the plan's order; those of the way back last.
    public let jobs: [Job]
    /// Steps that keep the run from its end, in the plan's order.
    public let causes: [Cause]
    /// What the run goes on without, sorted.
    public let leftBehind: [LeftBehind]
    /// From the beginning of the run to its end, or to what was recorded last. Times in which the run was parked count.
    public let milliseconds: Int64
    /// Whole sentences; nil if nothing is to be done.
    public let advice: String?

    /// What became of one job, of the stops, or of the workers as a whole.
    public struct Job: Sendable {
        /// `stops` and `workers` stand for the stops of a plan and for workers as a whole.
        public let name: String
        /// Nil for stops and for workers.
        public let job: JobName?
        /// Whether it is a part of the way back.
        public let isWayBack: Bool
        public let state: StepMachine.UnitState
        /// If it is blocked, the jobs that keep it from beginning; none if the rule of the plan does.
        public let blockedBy: [String]
        /// In the order in which they have their turn.
        public internal(set) var members: [Member]
        public let gates: Gates
        /// What is done to an allocation, as a participle: `promoted`, `restarted`.
        public let deed: String

        public func count(_ standing: Standing) -> Int { members.count { $0.standing == standing } }
    }

    /// An allocation or a worker.
    public struct Member: Sendable {
        public let subject: Subject
        public internal(set) var standing: Standing
    }

    /// The gates of a job, counted.
    public struct Gates: Equatable, Sendable {
        public var passed = 0
        public var failed = 0
        /// All that the run asks, those that it has not come to yet too.
        public var all = 0
    }

    /// A step that keeps the run from its end.
    public struct Cause: Sendable {
        public let step: Step
        public let attempt: Int
        /// Failed, unreachable or unknown; started for what an interrupted process has left.
        public let state: StepState
        /// The first line of what is recorded, with the line of the output that says why; empty if it is nothing.
        public let text: String
        public let exitStatus: Int?

        init(_ step: Step, _ record: StepRecord, _ output: StepOutput?) {
            self.step = step
            attempt = record.attempt
            state = record.state
            let left = state == .started ? "nobody waited for its end; the same command asks what became of it" : ""
            text = [record.detail.map(Recap.firstLine) ?? left, output?.tellingLine ?? ""].filter { !$0.isEmpty }
                .joined(separator: ": ")
            exitStatus = record.exitStatus
        }
    }

    /// - Parameters:
    ///   - graphs: the steps of the run's plan, then those of its way back if it goes back.
    ///   - records: latest attempts.
    ///   - isExecuted: a process is at work on the run, so that nothing has to be done.
    ///   - outputs: what the latest attempts of steps printed that went wrong.
    public init(
        _ run: Run, _ graphs: [StepGraph], records: [StepRecord], leftBehind: [LeftBehind], isExecuted: Bool = false,
        outputs: [StepID: StepOutput] = [:]
    ) {
        self.run = run
        self.leftBehind = leftBehind
        let latest = Dictionary(records.lazy.map { ($0.step, $0) }) { _, last in last }
        var jobs = graphs.flatMap { RecapReading(graph: $0, latest: latest).jobs }
        if graphs.count > 1 { Self.takeBack(&jobs) }
        self.jobs = jobs
        let open = graphs.flatMap(\.steps).compactMap { step in
            latest[step.id].flatMap { record in
                record.state.keepsOpen && !record.isReopened ? (step: step, record: record) : nil
            }
        }
        causes = open.filter { !isExecuted || $0.record.state != .started }.map { step, record in
            Cause(step, record, outputs[step.id])
        }
        let last = records.lazy.compactMap { $0.finishedAt ?? $0.startedAt }.max() ?? run.startedAt
        milliseconds = max(0, (run.endedAt ?? last).milliseconds - run.startedAt.milliseconds)
        advice =
            isExecuted || graphs.isEmpty
            ? nil : Advice.text(run, graphs[0].plan, open: open.map { (step: $0.step, record: $0.record) })
    }

    /// Allocations that the way back has brought back are no success of the job any more.
    private static func takeBack(_ jobs: inout [Job]) {
        let back = Set(
            jobs.lazy.filter(\.isWayBack).flatMap(\.members).filter { $0.standing == .done }.map(\.subject))
        for job in jobs.indices where !jobs[job].isWayBack {
            for member in jobs[job].members.indices where back.contains(jobs[job].members[member].subject) {
                jobs[job].members[member].standing = .takenBack
            }
        }
    }

    /// The first line that says something, at most 1,000 characters of it.
    static func firstLine(_ text: String) -> String {
        let line = text.split(whereSeparator: \.isNewline).first { $0.contains { !$0.isWhitespace } } ?? ""
        return line.count > 1000 ? line.prefix(999) + "…" : String(line)
    }
}

extension StepOutput {
    /// The last line of what a command printed that says something of its own: to standard error, else to standard output.
    /// `make` ends with lines of itself.
    public var tellingLine: String? {
        for stream in [stderr, stdout] {
            let lines = String(decoding: stream.suffix(4096), as: UTF8.self).split(whereSeparator: \.isNewline)
            let line = lines.last { line in
                !line.allSatisfy(\.isWhitespace) && !line.hasPrefix("make: ***") && !line.hasPrefix("make[")
            }
            if let line { return Recap.firstLine(String(line)) }
        }
        return nil
    }
}

extension StepState {
    /// Whether a run does not come to its end because of such a step.
    fileprivate var keepsOpen: Bool {
        switch self {
        case .failed, .unreachable, .unknown, .started: true
        case .pending, .succeeded, .skipped, .blocked: false
        }
    }
}
