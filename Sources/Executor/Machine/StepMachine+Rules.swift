internal import Model

/// What may be done now, and what follows from what has ended.
extension StepMachine {
    /// Whether anything of the unit may be done now.
    func mayRun(_ unit: Int) -> Bool {
        guard ended[unit] == nil else { return false }
        if admission.isAhead(unit) { return false }
        // What has begun is brought to its end, whatever happened elsewhere.
        if hasBegun(unit) { return true }
        let level = itinerary.units[unit].level
        return level <= lastLevel && !isParking && !held.contains(unit) && admission.admits(unit, width: width)
    }

    mutating func end(_ unit: Int, _ result: Result) {
        ended[unit] = result
        admission.end(unit, isSuccess: result == .succeeded)
    }

    func hasBegun(_ unit: Int) -> Bool {
        if stageOfUnit[unit] > 0 || batch[unit] != nil { return true }
        guard let first = itinerary.units[unit].stages.first(where: { !isLeftBehind($0) }) else { return false }
        return hasBegun(first)
    }

    func hasBegun(_ stage: Itinerary.Stage) -> Bool {
        func begun(_ step: Int) -> Bool {
            switch progress[step] {
            case .pending: false
            case .interrupted, .left, .inFlight, .ended: true
            }
        }
        switch stage {
        case .single(let step): return begun(step)
        case .batch(let batch): return batch.chains.contains { $0.steps.first.map(begun) ?? false }
        }
    }

    /// Whether a stage that has not begun may begin: not while parking, and after a failure elsewhere only where
    /// `on_failure` lets independent jobs go on.
    func mayBeginStage(_ unit: Int) -> Bool {
        if isParking || held.contains(unit) { return false }
        switch itinerary.plan.policy.onFailure {
        case .stop: return !admission.hasFailure
        case .continue: return true
        }
    }

    /// Whether the run goes on without the whole batch, so that nothing of it will ever begin.
    private func isLeftBehind(_ stage: Itinerary.Stage) -> Bool {
        guard case .batch(let batch) = stage, !itinerary.leftBehind.isEmpty else { return false }
        return batch.chains.allSatisfy { chain in chain.steps.first.map(itinerary.isLeftBehind) ?? false }
    }

    func maxFailures(of unit: Int) -> Int {
        itinerary.units[unit].steps.first.flatMap(itinerary.job(of:))?.batching.maxFailures ?? 0
    }

    func stage(of unit: Int) -> Itinerary.Stage? {
        let stages = itinerary.units[unit].stages
        return stageOfUnit[unit] < stages.count ? stages[stageOfUnit[unit]] : nil
    }

    /// Where a unit has ended, others may have become possible, or impossible.
    mutating func advance(after unit: Int, into commands: inout [Command]) {
        note(unit)
        if mayRun(unit) { advance(unit, into: &commands) }
        if ended[unit] != nil { advanceAll(into: &commands) }
    }

    mutating func advanceAll(into commands: inout [Command]) {
        for unit in itinerary.units.indices where mayRun(unit) { advance(unit, into: &commands) }
    }

    mutating func advance(_ unit: Int, into commands: inout [Command]) {
        carryOn(unit, into: &commands)
        note(unit)
    }

    mutating func note(_ unit: Int) {
        admission.note(unit, isRunning: ended[unit] == nil && hasBegun(unit))
    }

    mutating func carryOn(_ unit: Int, into commands: inout [Command]) {
        while let stage = stage(of: unit) {
            if failures[unit] > 0, stageOfUnit[unit] >= itinerary.units[unit].closing {
                return end(unit, .failed)
            }
            let outcome: Outcome?
            switch stage {
            case .single(let step): outcome = advanceSingle(step, unit: unit, into: &commands)
            case .batch(let content):
                if !hasBegun(stage), !mayBeginStage(unit), !isLeftBehind(stage) { return }
                outcome = advanceBatch(content, unit: unit, into: &commands)
            }
            guard let outcome else { return }
            let failed = toleratedFailures(of: stage, unit)
            batch[unit] = nil
            switch outcome {
            case .succeeded: stageOfUnit[unit] += 1
            case .failed, .unreachable:
                if failed > 0, failures[unit] + failed <= maxFailures(of: unit) {
                    failures[unit] += failed
                    stageOfUnit[unit] += 1
                } else {
                    return end(unit, .failed)
                }
            case .stale: return end(unit, .stale)
            case .unknown: return end(unit, .unknown)
            // A probe that was left is asked for again by the next process.
            case .interrupted: return
            }
        }
        end(unit, .succeeded)
    }

    /// How many allocations of a batch failed, where that may be more than none. A hook looks at its job or its batch as a
    /// whole, so that nobody can say what goes on without it.
    private func toleratedFailures(of stage: Itinerary.Stage, _ unit: Int) -> Int {
        // Nothing healthy is touched before what is broken is well.
        guard case .batch(let content) = stage, let cut = content.cut, cut.phase != .recover, let batch = batch[unit],
            batch.hooks == .succeeded
        else { return 0 }
        return batch.failures
    }

    /// A gate belongs to the batch before it and the completion to the job, so both run also after a failure elsewhere;
    /// a gate that leads a job begins it.
    private mutating func advanceSingle(_ step: Int, unit: Int, into commands: inout [Command]) -> Outcome? {
        switch progress[step] {
        case .ended(let outcome): return outcome
        case .inFlight, .left: return nil
        case .pending, .interrupted:
            let touchesWorkers = itinerary.steps[step].kind.isProbe
            if touchesWorkers, isParking || (stageOfUnit[unit] == 0 && !mayBeginStage(unit)) { return nil }
            begin(step, into: &commands)
            return nil
        }
    }

    private mutating func advanceBatch(
        _ content: Itinerary.Batch, unit: Int, into commands: inout [Command]
    ) -> Outcome? {
        let chains = content.chains
        if batch[unit] == nil {
            // What an earlier process began has changed its facts itself; the rest may have waited for days.
            let first = chains.compactMap(\.steps.first).filter { !itinerary.isLeftBehind($0) }
            let fresh = first.filter { attempts[$0] == 0 }
            guard fresh.isEmpty || isParking else {
                batch[unit] = BatchProgress(open: chains.count, isChecking: true)
                inFlight += 1
                commands.append(.check(fresh))
                return nil
            }
            if itinerary.plan.window != nil, !isParking, hasPending(chains) {
                batch[unit] = BatchProgress(open: chains.count, isChecking: true)
                inFlight += 1
                commands.append(.admit(first))
                return nil
            }
            open(chains, unit: unit, isStale: false, into: &commands)
        }
        while let progress = batch[unit], progress.open == 0, !progress.isChecking {
            if progress.hooks != .succeeded { return Self.worse(progress.worst, progress.hooks) }
            guard progress.round < content.rounds else {
                return promote(chains, unit: unit, into: &commands) ? nil : batch[unit]?.worst
            }
            beginHooks(chains, unit: unit, into: &commands)
        }
        return nil
    }

    /// The next round of a batch's hooks, for the allocations whose own steps succeeded.
    private mutating func beginHooks(
        _ chains: [Itinerary.Chain], unit: Int, into commands: inout [Command]
    ) {
        guard var state = batch[unit] else { return }
        state.round += 1
        batch[unit] = state
        for chain in chains where chain.hooks.count >= state.round && outcome(of: chain) == .succeeded {
            let hook = chain.hooks[state.round - 1]
            batch[unit]?.open += 1
            switch progress[hook] {
            case .ended(let outcome): closeHook(unit, outcome)
            case .inFlight, .left: break
            case .interrupted: begin(hook, into: &commands)
            case .pending: if !isParking, !held.contains(unit) { begin(hook, into: &commands) }
            }
        }
    }

    mutating func closeHook(_ unit: Int, _ outcome: Outcome) {
        guard var state = batch[unit] else { return }
        state.open -= 1
        state.hooks = Self.worse(state.hooks, outcome)
        batch[unit] = state
    }

    private func hasPending(_ chains: [Itinerary.Chain]) -> Bool {
        chains.contains { chain in
            (chain.steps + chain.hooks).contains { step in
                if case .pending = progress[step] { !itinerary.isLeftBehind(step) } else { false }
            }
        }
    }

    mutating func open(
        _ chains: [Itinerary.Chain], unit: Int, isStale: Bool, into commands: inout [Command]
    ) {
        batch[unit] = BatchProgress(open: chains.count, isStale: isStale)
        for chain in chains { advanceChain(chain, unit: unit, into: &commands) }
    }

    /// Commands the promotions of what succeeded in a batch that has ended; false where all are recorded. Then those that
    /// were refused count as what failed in the batch.
    private mutating func promote(
        _ chains: [Itinerary.Chain], unit: Int, into commands: inout [Command]
    ) -> Bool {
        var waiting: [Int] = []
        var refused: [Outcome] = []
        for chain in chains where outcome(of: chain) == .succeeded {
            guard let step = chain.promote else { continue }
            switch progress[step] {
            case .pending, .interrupted: waiting.append(step)
            case .inFlight, .left: return true
            case .ended(.succeeded): break
            case .ended(let outcome): refused.append(outcome)
            }
        }
        guard !waiting.isEmpty else {
            for outcome in refused { count(outcome, in: unit) }
            return false
        }
        for step in waiting {
            if attempts[step] > 0 { reopen(after: step) }
            attempts[step] += 1
            progress[step] = .inFlight
        }
        inFlight += waiting.count
        commands.append(.promote(waiting.map { Attempt($0, attempts[$0]) }))
        return true
    }

    /// Begins the chain's next step, or counts the chain as ended.
    mutating func advanceChain(_ chain: Itinerary.Chain, unit: Int, into commands: inout [Command]) {
        // Its steps stay pending, so that no hook runs for it and nothing of it is promoted.
        if let first = chain.steps.first, itinerary.isLeftBehind(first) { return close(unit, .succeeded) }
        for step in chain.steps {
            switch progress[step] {
            case .ended(.succeeded): continue
            case .ended(let outcome): return close(unit, outcome)
            case .inFlight, .left: return
            // Also while parking: what an earlier process began is in flight, and its outcome has to be learnt.
            case .interrupted: return begin(step, into: &commands)
            case .pending:
                if attempts[step] == 0, step == chain.steps.first, batch[unit]?.isStale == true {
                    return close(unit, .stale)
                }
                if !isParking, !held.contains(unit) { begin(step, into: &commands) }
                return
            }
        }
        close(unit, .succeeded)
    }

    private mutating func close(_ unit: Int, _ outcome: Outcome) {
        batch[unit]?.open -= 1
        count(outcome, in: unit)
    }

    /// What came of one allocation of a batch.
    private mutating func count(_ outcome: Outcome, in unit: Int) {
        guard outcome != .succeeded, var progress = batch[unit] else { return }
        progress.worst = Self.worse(progress.worst, outcome)
        progress.failures += 1
        batch[unit] = progress
    }

    private func outcome(of chain: Itinerary.Chain) -> Outcome? {
        for step in chain.steps {
            guard case .ended(let outcome) = progress[step] else { return nil }
            if outcome != .succeeded { return outcome }
        }
        return .succeeded
    }

    private mutating func begin(_ step: Int, into commands: inout [Command]) {
        if case .interrupted = progress[step] {
            commands.append(.settle(step, attempt: attempts[step]))
        } else {
            if attempts[step] > 0 || itinerary.isTakenIn(step) { reopen(after: step) }
            attempts[step] += 1
            commands.append(.perform(step, attempt: attempts[step]))
        }
        progress[step] = .inFlight
        inFlight += 1
    }

    /// What a batch has passed without an allocation that is tried again or taken in, it has to pass again, as
    /// `StepWrite.reopen` records it.
    private mutating func reopen(after step: Int) {
        for later in itinerary.reopened(by: step) {
            guard case .ended(.succeeded) = progress[later] else { continue }
            progress[later] = .pending
            attempts[later] += 1
        }
    }

    /// What decides about a batch in which several things went wrong.
    private static func worse(_ a: Outcome, _ b: Outcome) -> Outcome {
        func weight(_ outcome: Outcome) -> Int {
            switch outcome {
            case .succeeded: 0
            case .interrupted: 1
            case .unreachable: 2
            case .failed: 3
            case .stale: 4
            case .unknown: 5
            }
        }
        return weight(a) >= weight(b) ? a : b
    }
}
