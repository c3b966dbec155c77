internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import StepMachinery

/// What the events of steps do to the state.
extension RunProgress {
    mutating func begin(_ run: Run, _ graph: StepGraph, _ records: [StepRecord], _ now: Timestamp) -> [Report] {
        let isWayBack = self.run != nil
        let forecast = forecast
        let (failures, pinned) = (failures, pinned)
        self = RunProgress(verbosity, isLive: isLive)
        (self.forecast, self.failures, self.pinned) = (forecast, failures, pinned)
        self.run = run
        since = now
        setGraph(graph)
        grouping = max(1, (batches.count + 49) / 50)
        recall(records)
        let what = isWayBack ? "goes back" : records.contains { !$0.step.isPreflight } ? "goes on" : "begins"
        let count = chains.count
        return [
            Report(
                .job, "run",
                "\(run.id) \(what): \(graph.plan.kind.rawValue) of plan \(run.plan.hex.prefix(12)), "
                    + "\(count) \(count == 1 ? "allocation" : "allocations") of \(units.count) "
                    + (units.count == 1 ? "job" : "jobs") + ", by \(escaped(run.startedBy))", .bold)
        ]
    }

    /// The steps are these from now on. What has ended before stays so.
    mutating func setGraph(_ graph: StepGraph) {
        self.graph = graph
        indices = graph.indices
        chains = [:]
        var fresh: [BatchKey: BatchTally] = [:]
        var left: [(ChainKey, Standing)] = []
        for (unit, content) in graph.units.indexed {
            units[unit, default: UnitTally()].all = 0
            for (stage, content) in content.stages.indexed {
                guard case .batch(let batch) = content else { continue }
                let key = BatchKey(unit: unit, stage: stage)
                fresh[key] = batches[key] ?? BatchTally(all: 0)
                fresh[key]?.all = batch.chains.count
                for (chain, content) in batch.chains.indexed {
                    guard let first = content.steps.first else { continue }
                    let chainKey = ChainKey(batch: key, chain: chain)
                    chains[graph.leaving(first), default: []].append(chainKey)
                    if isCounted(key) { units[unit]?.all += 1 }
                    if closed[chainKey] == nil, graph.isLeftBehind(first) {
                        left.append((chainKey, graph.isSpared(first) ? .notNeeded : .leftBehind))
                    }
                }
            }
        }
        batches = fresh
        for (key, standing) in left { close(key, standing) }
    }

    /// What an earlier process has done.
    private mutating func recall(_ records: [StepRecord]) {
        guard let graph else { return }
        let done = Set(
            records.filter { $0.state == .succeeded || $0.state == .skipped }.compactMap { indices[$0.step] })
        guard !done.isEmpty else { return }
        let recorded = Dictionary(records.lazy.map { ($0.step, $0.recorded) }) { _, last in last }
        for (unit, state) in StepMachine.states(graph, recorded: recorded).indexed where state == .succeeded {
            units[unit]?.result = .succeeded
        }
        for key in chains.values.joined() where closed[key] == nil {
            guard let chain = chain(key, in: graph), chain.allSteps.allSatisfy(done.contains) else { continue }
            close(key, .done)
        }
        for key in batches.keys where batches[key]?.ended == batches[key]?.all { batches[key]?.isReported = true }
    }

    mutating func start(_ step: Step, _ attempt: Int, isResumed: Bool, _ now: Timestamp) -> [Report] {
        guard let graph, let index = indices[step.id] else { return [] }
        let place = graph.places[index]
        running[index] = Running(since: now, attempt: attempt)
        if units[place.unit]?.began == nil { units[place.unit]?.began = now }
        if let stage = units[place.unit]?.stage, place.stage > stage { units[place.unit]?.stage = place.stage }
        if let key = chainKey(place), batches[key.batch] != nil {
            if batches[key.batch]?.began == nil { batches[key.batch]?.began = now }
            if chainBegan[key] == nil { chainBegan[key] = now }
            // A new attempt.
            reopen(key)
        }
        guard tells(.step) else { return [] }
        if isResumed {
            return [
                Report(.step, "↻", "\(step.id)  begun before the interruption; asking what became of it", .warning)
            ]
        }
        return [Report(.step, "▸", "\(step.id)\(attempt > 1 ? "  attempt \(attempt)" : "")", .faint)]
    }

    mutating func end(
        _ step: Step, _ outcome: StepMachine.Outcome, _ detail: String?, _ milliseconds: Int64, _ now: Timestamp
    ) -> [Report] {
        guard let graph, let index = indices[step.id] else { return [] }
        running[index] = nil
        let seconds = durationText(milliseconds: milliseconds)
        let text = detail.map { escaped(Recap.firstLine($0)) }
        let key = chainKey(graph.places[index])
        var reports =
            tells(.step) ? [stepReport(step, outcome, [seconds, text].compactMap { $0 }.joined(separator: ": "))] : []
        switch outcome {
        case .interrupted:
            if let text { reports.append(Report(.notice, "open", "\(step.id): \(text)", .warning)) }
            return reports
        case .succeeded:
            forecast.note(step, milliseconds: milliseconds)
            reports += succeeded(step, index, seconds, key, text, now)
        case .failed, .unreachable, .unknown, .stale:
            var time = seconds
            if case .gate = step.task {
                time = "\((gates.removeValue(forKey: index)?.tries ?? 0) + 1) tries, \(seconds)"
            }
            let report = Report(
                .failure, outcome.word, "\(step.id) after \(time)" + (text.map { ": \($0)" } ?? ""), .bad)
            let word = outcome == .failed ? "" : " \(outcome.word)"
            pin("\(step.id)\(word)\(text.map { ": \($0)" } ?? "")")
            reports.append(report)
            if let key { reports += close(key, Self.standing(outcome), now) }
        }
        return reports
    }

    private mutating func pin(_ text: String) {
        failures += 1
        pinned.append(text)
        if pinned.count > Self.pinnedLimit { pinned.removeFirst() }
    }

    private mutating func succeeded(
        _ step: Step, _ index: StepIndex, _ seconds: String, _ key: ChainKey?, _ detail: String?, _ now: Timestamp
    ) -> [Report] {
        switch step.task {
        case .gate:
            let tries = (gates.removeValue(forKey: index)?.tries ?? 0) + 1
            if tries == 1, isFolded(gate: index) { return [] }
            return [
                Report(
                    .gate, "gate",
                    "\(Self.place(step)) passed after \(tries) \(tries == 1 ? "try" : "tries") (\(seconds))",
                    .good)
            ]
        case .bake: return [Report(.gate, "bake", "\(Self.place(step)) passed (\(seconds))", .good)]
        case .hook:
            let reports = tells(.hook) ? [Report(.hook, "hook", "\(step.id) succeeded (\(seconds))", .good)] : []
            return reports + closeIfLast(index, step, key, isTold: false, now)
        // Such as a service that was not started, since it runs already.
        case .target: return closeIfLast(index, step, key, isTold: true, detail: detail, now)
        case .push, .remove, .shell, .boot, .reboot: return closeIfLast(index, step, key, isTold: true, now)
        case .order, .promote, .complete, .pause: return []
        }
    }

    /// Closes the chain of a step that was its last one, if no promote follows.
    private mutating func closeIfLast(
        _ index: StepIndex, _ step: Step, _ key: ChainKey?, isTold: Bool, detail: String? = nil, _ now: Timestamp
    ) -> [Report] {
        guard let graph, let key, closed[key] == nil, let chain = chain(key, in: graph), chain.promote == nil,
            chain.allSteps.last == index
        else { return [] }
        var reports: [Report] = []
        if tells(.allocation), isTold || chain.steps.count > 1 {
            let note = detail.map { ", \($0)" } ?? ""
            reports.append(allocation(key, step, "\(step.task.rules.verb) done\(note)", now))
        }
        return reports + close(key, .done, now)
    }

    mutating func promote(_ allocations: [AllocationID], _ version: String, _ now: Timestamp) -> [Report] {
        guard let graph else { return [] }
        var reports: [Report] = []
        for id in allocations {
            for key in chains[.allocation(id)] ?? [] where closed[key] != .done {
                guard let chain = chain(key, in: graph), let promote = chain.promote else { continue }
                guard tells(.allocation) else {
                    reports += close(key, .done, now)
                    continue
                }
                var what = "promoted to \(escaped(version))"
                for step in chain.steps {
                    if case .target(let target) = graph.steps[step].task { what = "\(target.name), \(what)" }
                }
                reports.append(allocation(key, graph.steps[promote], what, now))
                reports += close(key, .done, now)
            }
        }
        return reports
    }

    /// The line of an allocation: push, target and promote are one.
    private func allocation(_ key: ChainKey, _ step: Step, _ what: String, _ now: Timestamp) -> Report {
        let seconds = chainBegan[key].map { " (\(durationText(milliseconds: now.milliseconds - $0.milliseconds)))" }
        let head = step.allocation == nil ? "worker" : "allocation"
        return Report(.allocation, head, "\(step.subject): \(what)\(seconds ?? "")", .good)
    }

    private func stepReport(_ step: Step, _ outcome: StepMachine.Outcome, _ text: String) -> Report {
        let (mark, tone): (String, StyledLine.Tone) =
            switch outcome {
            case .succeeded: ("✓", .good)
            case .failed, .unreachable: ("✗", .bad)
            case .unknown: ("?", .bad)
            case .stale: ("≠", .bad)
            case .interrupted: ("…", .warning)
            }
        return Report(.step, mark, "\(step.id)  \(text)", tone)
    }

    /// A step's id without its last part.
    static func place(_ step: Step) -> String {
        step.id.text.split(separator: "/").dropLast().joined(separator: "/")
    }

    private static func standing(_ outcome: StepMachine.Outcome) -> Standing {
        switch outcome {
        case .succeeded: .done
        case .unreachable: .unreachable
        case .unknown: .unknown
        case .failed, .stale, .interrupted: .failed
        }
    }
}

extension StepMachine.Outcome {
    /// The first word of a line about it.
    fileprivate var word: String {
        switch self {
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .unreachable: "unreachable"
        case .unknown: "unknown"
        case .stale: "stale"
        case .interrupted: "interrupted"
        }
    }
}
