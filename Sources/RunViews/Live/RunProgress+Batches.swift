internal import Executor
internal import Model
internal import Plans
internal import StepMachinery

/// What becomes of chains, batches and units.
extension RunProgress {
    /// Whether a batch is one of allocations or workers, and not of hooks of a job as a whole.
    func isCounted(_ key: BatchKey) -> Bool {
        guard let graph, case .batch(let batch) = graph.units[key.unit].stages[key.stage] else { return false }
        return batch.position != nil || graph.plan.kind == .jobCommand
    }

    func chain(_ key: ChainKey, in graph: StepGraph) -> StepGraph.Chain? {
        guard case .batch(let batch) = graph.units[key.batch.unit].stages[key.batch.stage] else { return nil }
        return batch.chains.indices.contains(key.chain) ? batch.chains[key.chain] : nil
    }

    func chainKey(_ place: StepGraph.Place) -> ChainKey? {
        place.chain.map { ChainKey(batch: BatchKey(unit: place.unit, stage: place.stage), chain: $0) }
    }

    mutating func reopen(_ key: ChainKey) {
        guard let standing = closed.removeValue(forKey: key) else { return }
        batches[key.batch]?.counts[standing, default: 1] -= 1
        if isCounted(key.batch) { units[key.batch.unit]?.counts[standing, default: 1] -= 1 }
    }

    mutating func close(_ key: ChainKey, _ standing: Standing) {
        guard closed[key] == nil else { return }
        closed[key] = standing
        batches[key.batch]?.counts[standing, default: 0] += 1
        if isCounted(key.batch) { units[key.batch.unit]?.counts[standing, default: 0] += 1 }
    }

    /// Closes a chain. Returns the line of its batch if it was the last one of it.
    mutating func close(_ key: ChainKey, _ standing: Standing, _ now: Timestamp) -> [Report] {
        close(key, standing)
        guard let batch = batches[key.batch], batch.ended >= batch.all, !batch.isReported else { return [] }
        batches[key.batch]?.isReported = true
        return report(key.batch, batch, now)
    }

    mutating func leave(_ subject: Subject, _ standing: Standing, _ reason: String?, _ now: Timestamp) -> [Report] {
        if case .worker(let worker) = subject, standing == .notNeeded {
            graph?.spare(worker)
        } else {
            graph?.leave([subject])
        }
        var reports: [Report] = []
        if let reason {
            let text = "left behind: \(subject): \(escaped(Recap.firstLine(reason)))"
            reports.append(Report(.notice, StyledLine(text, .warning)))
        }
        for key in chains[subject] ?? [] { reports += close(key, standing, now) }
        return reports
    }

    mutating func end(
        _ unit: UnitIndex, _ name: String, _ result: StepMachine.Result, _ now: Timestamp
    ) -> [Report] {
        guard let graph, graph.units.indices.contains(unit) else { return [] }
        units[unit]?.result = result
        let tally = units[unit] ?? UnitTally()
        let (word, tone): (String, StyledLine.Tone) =
            switch result {
            case .succeeded: ("done", .good)
            case .failed: ("failed", .bad)
            case .stale: ("stopped: the plan is stale", .bad)
            case .unknown: ("needs a decision", .bad)
            case .parked: ("parked", .warning)
            }
        let time = tally.began.map { " (\(durationText(milliseconds: now.milliseconds - $0.milliseconds)))" } ?? ""
        let counts = Self.counts(tally.counts, of: tally.all, graph.deed(of: unit))
        return [
            Report(
                result == .succeeded ? .job : .failure,
                StyledLine("job", .bold) + StyledLine(" \(name) ")
                    + StyledLine(word, tone) + StyledLine((counts.isEmpty ? "" : ": \(counts)") + time))
        ]
    }

    /// Whether the line of another batch stands for this one, too.
    private func isFolded(_ position: StepGraph.Batch.Position?) -> Bool {
        guard let position, position.index + 1 < position.count else { return false }
        return (position.index + 1) % grouping != 0
    }

    /// Whether a gate comes after a batch for which the line of another one stands.
    func isFolded(gate: StepIndex) -> Bool {
        guard let graph, grouping > 1 else { return false }
        let place = graph.places[gate]
        for stage in graph.units[place.unit].stages[..<place.stage].reversed() {
            if case .batch(let batch) = stage { return isFolded(batch.position) }
        }
        return false
    }

    /// Of many batches that went well, one line stands for several.
    private func report(_ key: BatchKey, _ batch: BatchTally, _ now: Timestamp) -> [Report] {
        guard let graph, case .batch(let content) = graph.units[key.unit].stages[key.stage],
            let first = content.chains.first?.steps.first
        else { return [] }
        let isWell = batch.counts.allSatisfy { $0.key == .done || $0.key == .notNeeded || $0.value == 0 }
        let position = content.position
        if isWell, isFolded(position) { return [] }
        let time = batch.began.map { " (\(durationText(milliseconds: now.milliseconds - $0.milliseconds)))" } ?? ""
        let parts = graph.steps[first].id.text.split(separator: "/")
        let place = parts.prefix(position == nil ? 2 : 3).joined(separator: "/")
        let of = position.map { $0.count > 1 ? " of \($0.count)" : "" } ?? ""
        // Hooks of a job as a whole promote nothing.
        let deed = isCounted(key) ? graph.deed(of: key.unit) : "succeeded"
        return [
            Report(
                .batch, "batch", "\(place)\(of): \(Self.counts(batch.counts, of: batch.all, deed))\(time)",
                isWell ? .plain : .warning)
        ]
    }

    /// `8 of 10 promoted, 1 failed, 1 left behind`.
    static func counts(_ counts: [Standing: Int], of all: Int, _ deed: String) -> String {
        if all == 0 { return "" }
        let others = Standing.shown.compactMap { standing -> String? in
            guard standing != .done, let count = counts[standing], count > 0 else { return nil }
            return "\(count) \(standing.phrase(deed: deed))"
        }
        return (["\(counts[.done] ?? 0) of \(all) \(deed)"] + others).joined(separator: ", ")
    }
}
