public import Executor
public import Model
internal import Plans
internal import StepMachinery

/// What is waited for, and for how long still.
extension RunProgress {
    /// One line for each thing that workers are asked besides their steps: `checking 800 workers: 212 ready`.
    public var questionTexts: [String] {
        questions.sorted { $0.key.rawValue < $1.key.rawValue }.map { question, asked in
            let names = asked.pending.count <= 3 ? asked.pending.keys.sorted().map(\.text) : []
            return question.phrase(asked.all, asked.answered)
                + (names.isEmpty ? "" : "; waiting for \(names.joined(separator: ", "))")
        }
    }

    /// What is waited for longest, as one line; nil if nothing is. A wait whose end is known is left out: it was told.
    public func waiting(at now: Timestamp) -> (text: String, event: RunEvent)? {
        guard let graph else { return nil }
        let waits = running.sorted { ($0.value.since, $0.key) < ($1.value.since, $1.key) }
        var texts = questionTexts
        var listed: [(what: String, seconds: Int)] = []
        for (index, running) in waits.prefix(3) {
            let step = graph.steps[index]
            let seconds = Int(max(0, now.milliseconds - running.since.milliseconds) / 1000)
            listed.append((step.id.text, seconds))
            if let gate = gates[index] {
                texts.append("\(step.id) try \(gate.tries) of \(gate.all): \(escaped(gate.problem))")
            } else if let until = running.until {
                let rest = max(0, until.milliseconds - now.milliseconds)
                texts.append("\(step.id), \(durationText(milliseconds: rest)) to go")
            } else {
                texts.append("\(step.id) for \(durationText(milliseconds: Int64(seconds) * 1000))")
            }
        }
        guard !texts.isEmpty else { return nil }
        let more = waits.count - listed.count
        return (
            texts.joined(separator: ", ") + (more > 0 ? " and \(more) more" : ""), .waiting(listed, more: max(0, more))
        )
    }

    /// Whether everything that is waited for is a pause whose end was told.
    public var onlyPauses: Bool {
        questions.isEmpty && !running.isEmpty && running.values.allSatisfy { $0.until != nil }
    }

    /// How long the rest is expected to take; nil if nothing is known. Jobs of one wave run side by side.
    public mutating func rest() -> Forecast.Expected? {
        guard let graph else { return nil }
        var forecast = forecast
        defer { self.forecast = forecast }
        var waves: [Int: (longest: Forecast.Expected, sum: Forecast.Expected)] = [:]
        for (unit, content) in graph.units.indexed where units[unit]?.result == nil {
            var own = Forecast.Expected()
            let began = units[unit]?.began != nil
            for stage in content.stages[(units[unit]?.stage ?? StageIndex(0))...] {
                own = own + forecast.expected(stage, in: graph)
            }
            // Of the stage that runs about a half is behind.
            if began, let stage = units[unit]?.stage, content.stages.indices.contains(stage) {
                let half = forecast.expected(content.stages[stage], in: graph)
                own.median -= half.median / 2
                own.ninth -= half.ninth / 2
            }
            let wave = waves[content.level] ?? (Forecast.Expected(), Forecast.Expected())
            waves[content.level] = (.longer(wave.longest, own), wave.sum + own)
        }
        let width = Int64(max(1, graph.plan.policy.jobParallelism))
        let total = waves.values.reduce(Forecast.Expected()) { total, wave in
            let shared = Forecast.Expected(median: wave.sum.median / width, ninth: wave.sum.ninth / width)
            return total + .longer(wave.longest, shared)
        }
        return total.median == 0 && !total.isComplete ? nil : total
    }
}

extension RunEvent.Question {
    fileprivate func phrase(_ all: Int, _ answered: Int) -> String {
        switch self {
        case .readiness: "checking \(all) \(all == 1 ? "worker" : "workers"): \(answered) ready"
        case .files: "comparing the files of \(all) \(all == 1 ? "allocation" : "allocations"): \(answered) done"
        case .proof: "asking for proof of \(all) \(all == 1 ? "allocation" : "allocations"): \(answered) done"
        }
    }
}
