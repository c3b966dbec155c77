public import Model
internal import Plans

/// How long steps of jobs took before.
public struct StepHistory: Sendable {
    fileprivate let milliseconds: [JobName: [String: [Int64]]]

    /// Nothing is known.
    public static let none = StepHistory([:])

    /// - Parameter milliseconds: of succeeded attempts, by job and the last part of the step's id.
    public init(_ milliseconds: [JobName: [String: [Int64]]]) { self.milliseconds = milliseconds }
}

/// How long the parts of a plan are expected to take: as long as steps like theirs took in earlier runs. If nothing is known
/// of a step, the plan can only say how long it waits at least.
struct ExpectedTimes {
    /// Milliseconds.
    private struct Span {
        var usual: Int64 = 0
        /// What nine of ten took at most.
        var long: Int64 = 0
        /// Every step of it is known.
        var isKnown = true

        static func + (a: Self, b: Self) -> Self {
            Span(usual: a.usual + b.usual, long: a.long + b.long, isKnown: a.isKnown && b.isKnown)
        }

        static func longer(_ a: Self, _ b: Self) -> Self {
            Span(usual: max(a.usual, b.usual), long: max(a.long, b.long), isKnown: a.isKnown && b.isKnown)
        }

        var text: String {
            func duration(_ milliseconds: Int64) -> String {
                Wording.duration(max(1, Int((milliseconds + 500) / 1000)))
            }
            if !isKnown { return usual < 1000 ? "not known" : "at least \(duration(usual))" }
            let (usual, long) = (duration(usual), duration(long))
            return usual == long ? "about \(usual)" : "about \(usual), up to \(long)"
        }
    }

    private let history: StepHistory
    private var jobs: [JobName: Span] = [:]
    private var stops = Span()
    private var whole = Span()

    init(_ plan: Plan, _ history: StepHistory) {
        self.history = history
        let graph = StepGraph(plan)
        var levels: [Int: Span] = [:]
        for unit in graph.units {
            let span = unit.stages.reduce(Span()) { $0 + time(of: $1, in: graph) }
            switch unit.kind {
            case .job(let work): jobs[work.job.job] = span
            case .stops: stops = span
            case .workers: break
            }
            levels[unit.level] = Span.longer(levels[unit.level] ?? Span(), span)
        }
        whole = levels.values.reduce(Span(), +)
    }

    /// Of a job; its batches come one after the other.
    func text(of job: JobName) -> String { jobs[job]?.text ?? "–" }

    var textOfStops: String { stops.text }

    /// Of everything, as if all jobs of a wave ran side by side.
    var textOfAll: String { whole.text }

    private func time(of stage: StepGraph.Stage, in graph: StepGraph) -> Span {
        func sum(_ steps: [StepIndex]) -> Span { steps.reduce(Span()) { $0 + time(of: graph.steps[$1]) } }
        switch stage {
        case .single(let step): return sum([step])
        case .batch(let batch):
            return batch.chains.reduce(Span()) { Span.longer($0, sum($1.allSteps)) } + sum(batch.lead)
        case .afterHooks(let hooks): return hooks.chains.reduce(Span()) { Span.longer($0, sum($1.steps)) }
        }
    }

    /// A job that was never restarted is expected to take as long as its start did.
    private func recorded(_ verb: String, of job: JobName) -> [Int64]? {
        let known = history.milliseconds[job]
        return known?[verb] ?? (verb == LifecycleAction.restart.rawValue ? known?[LifecycleAction.start.rawValue] : nil)
    }

    private func time(of step: Step) -> Span {
        let rules = step.task.rules
        let (least, limit) = (rules.leastMilliseconds, rules.limitMilliseconds)
        // What took longer than it may was interrupted and went on later: its time says nothing.
        let samples = (step.job.flatMap { recorded(rules.verb, of: $0) } ?? []).filter { $0 <= limit + 1000 }.sorted()
        if samples.isEmpty { return Span(usual: least, long: least, isKnown: limit <= least) }
        return Span(
            usual: max(samples[samples.count / 2], least), long: max(samples[(samples.count * 9 + 9) / 10 - 1], least))
    }
}
