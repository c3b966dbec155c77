public import Model
internal import Plans

/// When a run is expected to end, by how long such steps took before and in this run. A pure value.
///
/// Allocations of one batch act side by side, so a batch takes as long as one of them. A step of which no duration is known
/// counts as nothing, and makes the forecast incomplete.
public struct Forecast: Sendable {
    /// Milliseconds of succeeded steps by job and the step's verb.
    private var samples: [JobName: [String: [Int64]]] = [:]
    private var known: [JobName: [String: Expected]] = [:]

    /// Milliseconds.
    public struct Expected: Equatable, Sendable {
        /// The half of all took at most so long.
        public var median: Int64 = 0
        /// Nine of ten took at most so long.
        public var ninth: Int64 = 0
        /// Whether a duration of every step is known.
        public var isComplete = true

        static func + (a: Self, b: Self) -> Self {
            Expected(
                median: a.median + b.median, ninth: a.ninth + b.ninth, isComplete: a.isComplete && b.isComplete)
        }

        static func longer(_ a: Self, _ b: Self) -> Self {
            Expected(
                median: max(a.median, b.median), ninth: max(a.ninth, b.ninth),
                isComplete: a.isComplete && b.isComplete)
        }

        func times(_ factor: Int) -> Self {
            Expected(median: median * Int64(factor), ninth: ninth * Int64(factor), isComplete: isComplete)
        }
    }

    /// Durations of one kind of step that are kept.
    private static let limit = 400

    public init() {}

    /// What is recorded of a job, as `Catalog.durations(of:)` gives it.
    public mutating func note(_ job: JobName, _ durations: [String: [Int64]]) {
        for (verb, values) in durations {
            samples[job, default: [:]][verb, default: []].append(contentsOf: values.prefix(Self.limit))
        }
        known[job] = nil
    }

    /// A step of this run has succeeded.
    mutating func note(_ step: Step, milliseconds: Int64) {
        guard let job = step.job else { return }
        let verb = step.task.rules.verb
        guard samples[job]?[verb]?.count ?? 0 < Self.limit else { return }
        samples[job, default: [:]][verb, default: []].append(milliseconds)
        known[job]?[verb] = nil
    }

    /// How long a step takes.
    mutating func expected(_ step: Step) -> Expected {
        let rules = step.task.rules
        if rules.limitMilliseconds == 0 || rules.leastMilliseconds == rules.limitMilliseconds {
            return Expected(median: rules.leastMilliseconds, ninth: rules.leastMilliseconds)
        }
        guard let job = step.job else { return Expected(isComplete: false) }
        if let known = known[job]?[rules.verb] { return known }
        // What took longer than it may was interrupted and went on later: its time says nothing.
        let values = (samples[job]?[rules.verb] ?? []).filter { $0 <= rules.limitMilliseconds + 1000 }.sorted()
        var result = Expected(isComplete: false)
        if !values.isEmpty {
            result = Expected(
                median: max(values[(values.count - 1) / 2], rules.leastMilliseconds),
                ninth: max(values[(values.count * 9 + 9) / 10 - 1], rules.leastMilliseconds))
        }
        known[job, default: [:]][rules.verb] = result
        return result
    }

    /// How long a stage takes. All its allocations do the same, so that the first stands for them.
    mutating func expected(_ stage: StepGraph.Stage, in graph: StepGraph, inFlight: Int = 256) -> Expected {
        switch stage {
        case .single(let step): return expected(graph.steps[step])
        case .batch(let batch):
            guard let first = batch.chains.first else { return Expected() }
            let rounds = (batch.chains.count + inFlight - 1) / inFlight
            return sum(batch.lead, graph) + sum(first.allSteps, graph).times(rounds)
        case .afterHooks(let hooks): return hooks.chains.first.map { sum($0.steps, graph) } ?? Expected()
        }
    }

    private mutating func sum(_ steps: [StepIndex], _ graph: StepGraph) -> Expected {
        var total = Expected()
        for step in steps { total = total + expected(graph.steps[step]) }
        return total
    }
}
