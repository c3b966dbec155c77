public import Model
public import Plans

/// Decides what a run does next. A pure value: events go in, commands come out, and nothing else happens.
///
/// | state of a step | event | next |
/// |---|---|---|
/// | pending, nothing of its batch begun | the batch's turn comes | pending; `check` |
/// | pending | `checked`, or its turn comes | started; `perform` |
/// | started, of an earlier process | its turn comes | started; `settle` |
/// | started | `finished` | succeeded, failed, unreachable or unknown |
/// | started, a probe | `finished` as interrupted, while parking | started; the next process settles it |
/// | succeeded, anything else | none | final |
/// | failed, unreachable | a new process with `retryFailed`; for gates any new process | pending, next attempt |
/// | succeeded, the gate or bake of a batch | a new attempt of a step in the batch | pending, after the next attempt |
/// | succeeded, a hook that comes last for an allocation | an attempt of a step that comes before it | pending, after the next attempt |
/// | succeeded, a hook of `before_allocation` | a new process with `retryFailed`, if the hooks that come last have ended | pending, after the next attempt |
/// | pending, of an allocation that is left behind | none | pending for good; the stages go on without it |
/// | unknown | a person's `resolve`, outside the machine | succeeded or failed |
///
/// The rules that it keeps: the stages of a job follow each other; a job starts when every job of a lower
/// wave is complete; no batch of a job starts once more of its allocations failed than its `max_failures`, and none of
/// an unknown outcome or with drift is among those; the hooks of a batch come when its whole batch has ended, for the
/// allocations whose own steps succeeded, and these are promoted when no hook of the batch has failed and their workers
/// prove that they did the work; a job with any failure is not complete, and never lets dependents run.
///
/// For hooks around allocations: nothing of a batch begins before its `before_batch` hooks have succeeded, and nothing of
/// an allocation before its own hooks have. `after_allocation_healthy` runs only for an allocation that was promoted and that
/// the gate behind it found well, in this process or by its recorded success. `after_allocation` comes last for every
/// allocation of which anything has begun, also after a failure: a job that has failed goes on to these hooks, past its
/// other batches, with the gate for those that are still to be found well. Until then it has not ended, but nothing else
/// begins, as after any failure. While an outcome of the batch is unknown or stale, all of this waits for a person.
///
/// ```swift
/// var machine = StepMachine(StepGraph(plan))
/// var commands = machine.advance()  // carry these out, then tell the machine: checked, finished, promoted
/// ```
public struct StepMachine: Sendable {
    public private(set) var graph: StepGraph
    private(set) var steps: StepProgress
    private(set) var units: Table<UnitIndex, UnitProgress>
    private(set) var admission: Admission
    private(set) var isParking = false
    /// Batches whose facts are being checked.
    private(set) var checks = 0
    /// The highest level that may start, from `--until`.
    let lastLevel: Int
    let width: Int

    /// - Parameters:
    ///   - recorded: the latest attempt of every step that was ever begun; unknown ids are ignored.
    ///   - retryFailed: makes a new attempt of what failed or was unreachable.
    ///   - lastWave: park after this index of `plan.waves`; nil to go to the end.
    public init(
        _ graph: StepGraph, recorded: [StepID: Recorded] = [:], retryFailed: Bool = false, lastWave: Int? = nil
    ) {
        self.graph = graph
        width = graph.plan.policy.jobParallelism
        lastLevel = lastWave ?? .max
        steps = StepProgress(graph, recorded, retryFailed: retryFailed)
        units = Table(repeating: UnitProgress(), count: graph.units.count)
        admission = Admission(graph)
        for unit in units.indices { admission.note(unit, isRunning: hasBegun(unit)) }
    }

    /// A machine that shows what is recorded. Gates that failed count as pending for a process that would continue; here they
    /// are what they are.
    init(whileNothingRuns graph: StepGraph, recorded: [StepID: Recorded]) {
        self.init(graph, recorded: recorded)
        for (index, step) in graph.steps.indexed where recorded[step.id]?.state == .failed {
            if step.task.rules.isProbe { steps.keepFailed(index) }
        }
        isParking = true
        _ = advance()
    }

    // MARK: Events

    /// The first commands of a process.
    public mutating func advance() -> [Command] {
        var commands: [Command] = []
        advanceAll(into: &commands)
        return commands
    }

    /// The facts that these steps of one batch depend on hold, or not: then none of them begins.
    ///
    /// - Parameter isHeld: the window has no room for the batch, nor for any further one of the job.
    public mutating func checked(_ asked: [StepIndex], isStale: Bool, isHeld: Bool = false) -> [Command] {
        guard let unit = asked.first.map({ graph.places[$0].unit }), units[unit].batch?.isChecking == true,
            let stage = stage(of: unit), case .batch(let content) = stage
        else { return [] }
        units[unit].endCheck()
        checks -= 1
        var commands: [Command] = []
        if isHeld { units[unit].hold() }
        if steps.hasBegun(stage) || (!isStale && mayBeginStage(unit)) {
            enter(content, unit: unit, isStale: isStale, into: &commands)
        } else if isStale {
            end(unit, .stale)
        }
        advance(after: unit, into: &commands)
        if isHeld { advanceAll(into: &commands) }
        return commands
    }

    /// A commanded step has ended, and its outcome is recorded.
    ///
    /// - Parameter failing: of a gate that failed, the workers on which it did not pass.
    public mutating func finished(
        _ step: StepIndex, _ outcome: Outcome, failing: [WorkerName] = []
    ) -> [Command] {
        guard steps.end(step, outcome) else { return [] }
        var commands: [Command] = []
        let place = graph.places[step]
        // The other chains of the batch are not concerned, so that a batch of thousands costs no square of it.
        switch (stage(of: place.unit), place.chain) {
        case (.batch(let content)?, let chain?):
            if place.round == 0 {
                advance(content.chains[chain], unit: place.unit, into: &commands)
            } else if case .ended(let ended) = steps[step] {
                units[place.unit].closeHook(ended)
            }
            if units[place.unit].batch?.open != 0 { return commands }
        case (.batch(let content)?, nil):
            advanceLead(content, unit: place.unit, into: &commands)
            if units[place.unit].batch?.open != 0 { return commands }
        case (.afterHooks(let hooks)?, let chain?):
            advance(hooks.chains[chain], of: hooks, unit: place.unit, into: &commands)
            if units[place.unit].batch?.open != 0 { return commands }
        case (.single?, _): units[place.unit].noteGate(failing: failing)
        case (.afterHooks?, nil), (nil, _): break
        }
        advance(after: place.unit, into: &commands)
        return commands
    }

    /// These promotions, all of one batch, are recorded.
    ///
    /// - Parameter refused: what else than a success is recorded of those whose workers did not prove that they did the work.
    public mutating func promoted(_ promotes: [StepIndex], refused: [StepIndex: Outcome] = [:]) -> [Command] {
        var commands: [Command] = []
        for step in promotes { _ = steps.end(step, refused[step] ?? .succeeded) }
        if let first = promotes.first { advance(after: graph.places[first].unit, into: &commands) }
        return commands
    }

    /// Hooks have set another order than the one by which the unit's batches are made; to be called before `finished` of its
    /// step `order`, so that nothing of the batches has begun.
    public mutating func reorder(_ unit: UnitIndex, _ order: [WorkerName]) {
        graph.reorder(unit, order)
        steps.extend(to: graph)
    }

    /// The run goes on without these, as it is recorded; to be called before `checked` or `finished` of the steps that found
    /// out. Nothing of them has begun.
    public mutating func leave(_ subjects: Set<Subject>) { graph.leave(subjects) }

    /// This worker needs nothing more, as it is recorded; to be called before `finished` of the step that found out.
    public mutating func spare(_ worker: WorkerName) { graph.spare(worker) }

    /// From now on no worker is contacted for anything new; what is in flight ends and is recorded.
    public mutating func park() { isParking = true }

    // MARK: Rules

    mutating func enterAfterHooks(of unit: UnitIndex, chains: Int) {
        units[unit].enterBatch(chains: chains, isStale: false)
    }

    mutating func closeAfterHooks(of unit: UnitIndex, _ outcome: Outcome) { units[unit].closeChain(outcome) }

    private mutating func end(_ unit: UnitIndex, _ result: Result) {
        units[unit].end(result)
        admission.end(unit, isSuccess: result == .succeeded)
    }

    /// When a unit has ended, others may have become possible, or impossible.
    private mutating func advance(after unit: UnitIndex, into commands: inout [Command]) {
        note(unit)
        if mayRun(unit) { advance(unit, into: &commands) }
        if units[unit].ended != nil { advanceAll(into: &commands) }
    }

    private mutating func advanceAll(into commands: inout [Command]) {
        for unit in graph.units.indices where mayRun(unit) { advance(unit, into: &commands) }
    }

    private mutating func advance(_ unit: UnitIndex, into commands: inout [Command]) {
        advanceStages(unit, into: &commands)
        note(unit)
    }

    private mutating func note(_ unit: UnitIndex) {
        admission.note(unit, isRunning: units[unit].ended == nil && hasBegun(unit))
    }

    private mutating func advanceStages(_ unit: UnitIndex, into commands: inout [Command]) {
        while let stage = stage(of: unit) {
            if units[unit].failures > 0, units[unit].stage >= graph.units[unit].closing {
                return end(unit, .failed)
            }
            if units[unit].hasFailed, !comesAfterFailure(stage, of: unit) {
                units[unit].finishStage()
                continue
            }
            let outcome: Outcome?
            switch stage {
            case .single(let step): outcome = advanceSingle(step, unit: unit, into: &commands)
            case .batch(let content):
                if !steps.hasBegun(stage), !mayBeginStage(unit), !graph.isLeftBehind(stage) { return }
                outcome = advanceBatch(content, unit: unit, into: &commands)
            case .afterHooks(let hooks): outcome = advanceAfterHooks(hooks, unit: unit, into: &commands)
            }
            guard let outcome else { return }
            let failed = failuresToTolerate(of: stage, unit)
            units[unit].leaveBatch()
            switch outcome {
            case .succeeded: units[unit].finishStage()
            case .failed, .unreachable:
                if failed > 0, units[unit].failures + failed <= maxFailures(of: unit) {
                    units[unit].finishStage(failures: failed)
                } else if mustGoOn(unit) {
                    units[unit].fail()
                    admission.noteFailure()
                } else {
                    return end(unit, .failed)
                }
            case .stale: return end(unit, .stale)
            case .unknown: return end(unit, .unknown)
            // A probe that was left is asked for again by the next process.
            case .interrupted: return
            }
        }
        end(unit, units[unit].hasFailed || units[unit].failures > 0 ? .failed : .succeeded)
    }

    /// A gate belongs to the batch before it and the completion to the job, so both run also after a failure elsewhere;
    /// a gate that leads a job begins it.
    private mutating func advanceSingle(
        _ step: StepIndex, unit: UnitIndex, into commands: inout [Command]
    ) -> Outcome? {
        switch steps[step] {
        case .ended(let outcome): return outcome
        case .inFlight, .left: return nil
        case .pending, .interrupted:
            if case .pause = graph.steps[step].task, graph.isLeftBehind(step) { return .succeeded }
            let isFirst = units[unit].stage == StageIndex(0)
            let mayProbe = isFirst ? mayBeginStage(unit) : !isParking || graph.mustGoOn(gate: step)
            if graph.rules(step).isProbe, !mayProbe { return nil }
            begin(step, into: &commands)
            return nil
        }
    }

    private mutating func advanceBatch(
        _ content: StepGraph.Batch, unit: UnitIndex, into commands: inout [Command]
    ) -> Outcome? {
        let chains = content.chains
        if units[unit].batch == nil {
            // What an earlier process began has changed its facts itself; the rest may have waited for days.
            let first = chains.compactMap(\.steps.first).filter { !graph.isLeftBehind($0) }
            let fresh = isParking ? [] : first.filter { steps.attempt($0) == 0 }
            let mustBeAdmitted = graph.plan.window != nil && !isParking && steps.hasPending(chains, graph)
            guard fresh.isEmpty, !mustBeAdmitted else {
                units[unit].beginCheck(chains: chains.count)
                checks += 1
                commands.append(fresh.isEmpty ? .admit(first) : .check(fresh))
                return nil
            }
            enter(content, unit: unit, isStale: false, into: &commands)
        }
        while let batch = units[unit].batch, batch.open == 0, !batch.isChecking {
            if batch.hooks != .succeeded { return .worse(batch.worst, batch.hooks) }
            guard batch.round < content.rounds else {
                return promote(chains, unit: unit, into: &commands) ? nil : units[unit].batch?.worst
            }
            beginHooks(chains, unit: unit, into: &commands)
        }
        return nil
    }

    private mutating func enter(
        _ content: StepGraph.Batch, unit: UnitIndex, isStale: Bool, into commands: inout [Command]
    ) {
        units[unit].enterBatch(chains: content.chains.count, isStale: isStale)
        advanceLead(content, unit: unit, into: &commands)
    }

    /// Begins the next of the hooks that come before the whole batch, or then its chains.
    private mutating func advanceLead(
        _ content: StepGraph.Batch, unit: UnitIndex, into commands: inout [Command]
    ) {
        for step in content.lead {
            switch steps[step] {
            // What an earlier process began has to be learnt, also if its allocation was left behind since.
            case .pending where graph.isLeftBehind(step), .ended(.succeeded): continue
            case .ended(let outcome): return units[unit].refuse(outcome)
            case .inFlight, .left: return
            case .interrupted: return begin(step, into: &commands)
            case .pending:
                // Then nothing of the batch begins either.
                if units[unit].batch?.isStale == true { continue }
                if !isParking, !units[unit].isHeld { begin(step, into: &commands) }
                return
            }
        }
        for chain in content.chains { advance(chain, unit: unit, into: &commands) }
    }

    /// Whether an earlier process began the step, and nobody knows what became of it.
    private func isInterrupted(_ step: StepIndex) -> Bool {
        if case .interrupted = steps[step] { true } else { false }
    }

    /// Begins the chain's next step, or counts the chain as ended.
    private mutating func advance(
        _ chain: StepGraph.Chain, unit: UnitIndex, into commands: inout [Command]
    ) {
        // Its steps stay pending, so that no hook runs for it and nothing of it is promoted.
        if let first = chain.steps.first, graph.isLeftBehind(first), !isInterrupted(first) {
            return units[unit].closeChain(.succeeded)
        }
        for step in chain.steps {
            switch steps[step] {
            case .ended(.succeeded): continue
            case .ended(let outcome): return units[unit].closeChain(outcome)
            case .inFlight, .left: return
            // Also while parking: what an earlier process began is in flight, and its outcome has to be learnt.
            case .interrupted: return begin(step, into: &commands)
            case .pending:
                let isFirst = steps.attempt(step) == 0 && step == chain.steps.first
                if isFirst, units[unit].batch?.isStale == true { return units[unit].closeChain(.stale) }
                if graph.isLeftBehind(step) { return units[unit].closeChain(.succeeded) }
                let isUnderWay = chain.isWhole && chain.steps.first.map(steps.hasBegun) == true
                if isUnderWay || (!isParking && !units[unit].isHeld) { begin(step, into: &commands) }
                return
            }
        }
        units[unit].closeChain(.succeeded)
    }

    /// The next round of a batch's hooks, for the allocations whose own steps succeeded.
    private mutating func beginHooks(
        _ chains: Table<ChainIndex, StepGraph.Chain>, unit: UnitIndex, into commands: inout [Command]
    ) {
        units[unit].beginRound()
        guard let round = units[unit].batch?.round else { return }
        for chain in chains where chain.hooks.count >= round && steps.outcome(of: chain) == .succeeded {
            let hook = chain.hooks[round - 1]
            units[unit].openHook()
            switch steps[hook] {
            case .ended(let outcome): units[unit].closeHook(outcome)
            case .inFlight, .left: break
            case .interrupted: begin(hook, into: &commands)
            case .pending: if chain.isWhole || (!isParking && !units[unit].isHeld) { begin(hook, into: &commands) }
            }
        }
    }

    /// Commands the promotions of what succeeded in a batch that has ended; false when all are recorded. Then those that
    /// were refused count as what failed in the batch.
    private mutating func promote(
        _ chains: Table<ChainIndex, StepGraph.Chain>, unit: UnitIndex, into commands: inout [Command]
    ) -> Bool {
        var waiting: [StepIndex] = []
        var refused: [Outcome] = []
        for chain in chains where steps.outcome(of: chain) == .succeeded {
            guard let step = chain.promote else { continue }
            switch steps[step] {
            case .pending, .interrupted: waiting.append(step)
            case .inFlight, .left: return true
            case .ended(.succeeded): break
            case .ended(let outcome): refused.append(outcome)
            }
        }
        guard !waiting.isEmpty else {
            for outcome in refused { units[unit].count(outcome) }
            return false
        }
        for step in waiting where steps.attempt(step) > 0 { reopen(after: step) }
        commands.append(.promote(waiting.map { Attempt($0, steps.begin($0)) }))
        return true
    }

    mutating func begin(_ step: StepIndex, into commands: inout [Command]) {
        if case .interrupted = steps[step] {
            commands.append(.settle(step, attempt: steps.attempt(step)))
            steps.resume(step)
        } else {
            if steps.attempt(step) > 0 || graph.isTakenIn(step) || graph.comesLast(step) { reopen(after: step) }
            commands.append(.perform(step, attempt: steps.begin(step)))
        }
    }

    /// A batch passes again what it passed without this allocation, as `StepWrite.reopen` records it.
    private mutating func reopen(after step: StepIndex) {
        for later in graph.reopened(by: step) { steps.reopen(later) }
    }
}
