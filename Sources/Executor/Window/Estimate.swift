internal import Model

/// How long something is expected to take.
struct Estimate: Equatable, Sendable {
    /// Milliseconds.
    var duration: Int64 = 0
    /// Nothing of it rests on a timeout for want of records.
    var isRecorded = true

    static func + (a: Self, b: Self) -> Self {
        Estimate(duration: a.duration + b.duration, isRecorded: a.isRecorded && b.isRecorded)
    }

    /// Rounded up.
    var seconds: Int { Int((duration + 999) / 1000) }
}

/// Expects what steps like these took before, and where nothing is known of them, all the time that they may take.
struct Estimator: Sendable {
    private let itinerary: Itinerary
    /// Milliseconds of succeeded attempts by job and the step's verb.
    private let recorded: [JobName: [String: [Int64]]]

    /// - Parameter recorded: as `Catalog.durations(of:)` gives them, for each job.
    init(_ itinerary: Itinerary, recorded: [JobName: [String: [Int64]]]) {
        self.itinerary = itinerary
        self.recorded = recorded
    }

    /// A batch with the gate, the bake and whatever else comes before the next batch.
    ///
    /// - Parameter isDone: steps that need not be done any more.
    func batch(unit: Int, stage: Int, isDone: (Int) -> Bool = { _ in false }) -> Estimate {
        let stages = itinerary.units[unit].stages
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
        for next in stages[(stage + 1)...] {
            guard case .single(let index) = next else { break }
            if !isDone(index) { sum = sum + step(index) }
        }
        return sum
    }

    private func step(_ index: Int) -> Estimate {
        let limit = limit(index)
        let step = itinerary.steps[index]
        // What took longer than it may was interrupted and went on later: its time says nothing.
        let samples = (recorded[step.job]?[step.kind.verb] ?? []).filter { $0 <= limit + 1000 }.sorted()
        guard !samples.isEmpty else { return Estimate(duration: limit, isRecorded: limit == 0) }
        let ninth = samples[(samples.count * 9 + 9) / 10 - 1]
        return Estimate(duration: max(ninth, leastDuration(index)))
    }

    private func leastDuration(_ index: Int) -> Int64 {
        switch itinerary.steps[index].kind {
        case .bake:
            Int64(itinerary.job(of: index)?.batching.bakeSeconds ?? 0) * 1000
                + leastGate(itinerary.job(of: index)?.healthCheck)
        case .gate: leastGate(itinerary.job(of: index)?.healthCheck)
        case .push, .action, .remove, .hook, .order, .promote, .complete: 0
        }
    }

    /// The longest that a step may take, in milliseconds: what is ended for its limit gets a little longer.
    private func limit(_ index: Int) -> Int64 {
        let job = itinerary.job(of: index)
        let timeouts = job?.timeouts ?? Plan.Timeouts()
        switch itinerary.steps[index].kind {
        case .push: return Int64(timeouts.push) * 1000
        case .action: return Int64(itinerary.stop(of: index)?.timeout ?? timeouts.action) * 1000 + Self.grace
        case .remove: return Int64(Plan.Timeouts().push) * 1000
        case .hook: return Int64(itinerary.hookTimeout(of: index)) * 1000 + Self.grace
        case .order, .promote, .complete: return 0
        case .gate: return gate(job)
        case .bake: return Int64(job?.batching.bakeSeconds ?? 0) * 1000 + gate(job)
        }
    }

    private static let grace = Int64(AttemptRequest.grace.components.seconds) * 1000

    /// Milliseconds that pass before a gate can pass.
    private func leastGate(_ health: HealthCheck?) -> Int64 {
        guard let health else { return 0 }
        return Int64(health.initialDelaySeconds + (health.successes - 1) * health.intervalSeconds) * 1000
    }

    private func gate(_ job: Plan.Job?) -> Int64 {
        guard let job, let health = job.healthCheck else { return 0 }
        let rounds = (job.active.count + Gate.width - 1) / Gate.width
        let hooks = job.hooks(.healthCheck).count * job.timeouts.hook
        let tries = health.attempts + health.successes - 1
        let asking = tries * (health.timeoutSeconds * health.checks.count + hooks) * max(1, rounds)
        return Int64(health.initialDelaySeconds + asking + (tries - 1) * health.intervalSeconds) * 1000
    }
}
