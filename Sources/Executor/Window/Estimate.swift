package import Model
package import Plans

/// How long something is expected to take.
package struct Estimate: Equatable, Sendable {
    /// Milliseconds.
    package var duration: Int64 = 0
    /// Nothing of it rests on a timeout for want of records.
    package var isRecorded = true

    static func + (a: Self, b: Self) -> Self {
        Estimate(duration: a.duration + b.duration, isRecorded: a.isRecorded && b.isRecorded)
    }

    /// Rounded up.
    package var seconds: Int { Int((duration + 999) / 1000) }
}

/// Expects what steps like these took before, and where nothing is known of them, all the time that they may take.
package struct Estimator: Sendable {
    private let graph: StepGraph
    /// Milliseconds of succeeded attempts by job and the step's verb.
    private let recorded: [JobName: [String: [Int64]]]

    /// - Parameter recorded: as `Catalog.durations(of:)` gives them, for each job.
    package init(_ graph: StepGraph, recorded: [JobName: [String: [Int64]]]) {
        self.graph = graph
        self.recorded = recorded
    }

    /// A batch with the gate, the bake and whatever else comes before the next batch.
    ///
    /// - Parameter isDone: steps that need not be done any more.
    package func batch(unit: UnitIndex, stage: StageIndex, isDone: (StepIndex) -> Bool = { _ in false }) -> Estimate {
        let stages = graph.units[unit].stages
        guard stages.indices.contains(stage), case .batch(let batch) = stages[stage] else { return Estimate() }
        let chains = batch.chains
        var lead = Estimate()
        var sum = longest(of: chains.lazy.map(\.allSteps), isDone)
        for index in batch.lead where !isDone(index) { lead = lead + step(index) }
        let rounds = (chains.count + Runner.maximumInFlight - 1) / Runner.maximumInFlight
        sum.duration *= Int64(rounds)
        sum = lead + sum
        for next in stages[stage...].dropFirst() {
            switch next {
            case .batch: return sum
            case .single(let index): if !isDone(index) { sum = sum + step(index) }
            case .afterHooks(let hooks): sum = sum + longest(of: hooks.chains.lazy.map(\.steps), isDone)
            }
        }
        return sum
    }

    /// Sequences of steps that run side by side.
    private func longest(of sequences: some Sequence<[StepIndex]>, _ isDone: (StepIndex) -> Bool) -> Estimate {
        var longest = Estimate()
        for steps in sequences {
            var own = Estimate()
            for index in steps where !isDone(index) { own = own + step(index) }
            longest.duration = max(longest.duration, own.duration)
            longest.isRecorded = longest.isRecorded && own.isRecorded
        }
        return longest
    }

    private func step(_ index: StepIndex) -> Estimate {
        let step = graph.steps[index]
        let rules = step.task.rules
        let limit = rules.limitMilliseconds
        // What took longer than it may was interrupted and went on later: its time says nothing.
        let samples = (step.job.flatMap { recorded[$0]?[rules.verb] } ?? []).filter { $0 <= limit + 1000 }.sorted()
        guard !samples.isEmpty else { return Estimate(duration: limit, isRecorded: limit == 0) }
        let ninth = samples[(samples.count * 9 + 9) / 10 - 1]
        return Estimate(duration: max(ninth, rules.leastMilliseconds))
    }
}
