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
        var sum = Estimate()
        for chain in chains {
            var own = Estimate()
            for index in chain.allSteps where !isDone(index) { own = own + step(index) }
            sum.duration = max(sum.duration, own.duration)
            sum.isRecorded = sum.isRecorded && own.isRecorded
        }
        let rounds = (chains.count + Runner.maximumInFlight - 1) / Runner.maximumInFlight
        sum.duration *= Int64(rounds)
        for next in stages[stage...].dropFirst() {
            guard case .single(let index) = next else { break }
            if !isDone(index) { sum = sum + step(index) }
        }
        return sum
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
