public import Model

/// Decides what a run does next. A pure value: events go in, commands come out, and nothing else happens.
///
/// | state of a step | event | next |
/// |---|---|---|
/// | pending, nothing of its batch begun | the batch's turn comes | pending; `check` |
/// | pending | `checked`, or its turn comes | started; `perform` |
/// | started, of an earlier process | its turn comes | started; `settle` |
/// | started | `finished` | succeeded, failed, unreachable or unknown |
/// | started, a probe | `finished` as interrupted, while parking | started; the next process settles it |
/// | succeeded | none | final |
/// | failed, unreachable | a new process with `retryFailed`; for gates any new process | pending, next attempt |
/// | unknown | a person's `resolve`, outside the machine | succeeded or failed |
///
/// The rules that it keeps (DESIGN 5): the stages of a job follow each other; a job starts when every job of a lower
/// wave is complete; no batch of a job starts once more of its allocations failed than its `max_failures`, and none of
/// an unknown outcome or on stale facts is among those; the hooks of a batch come when its whole batch has ended, for the
/// allocations whose own steps succeeded, and these are promoted when no hook of the batch has failed; a job with any
/// failure is not complete, and never lets dependents run.
public struct StepMachine: Sendable {
    public private(set) var itinerary: Itinerary

    /// What the runner is to do.
    public enum Command: Equatable, Sendable {
        /// Find out whether the facts that a batch depends on still hold; nothing of it begins before the answer. Named
        /// are the first steps of its allocations.
        case check([Int])
        /// Find out whether a batch that an earlier process began everywhere may go on now; no file is asked about.
        case admit([Int])
        /// Record the intent as this attempt, then do it.
        case perform(Int, attempt: Int)
        /// The intent is recorded by an earlier process: find out what became of it, and finish it.
        case settle(Int, attempt: Int)
        /// Record these promotions in one transaction.
        case promote([Int])
    }

    /// How a step ended.
    public enum Outcome: Equatable, Sendable {
        case succeeded
        case failed
        case unreachable
        case unknown
        /// A fact that the plan was made on no longer holds; the step did nothing.
        case stale
        /// It was left because the run parks, or the window closed before it began; it is not recorded as ended, and the
        /// next process asks what became of it.
        case interrupted
    }

    /// How a run ended, for now.
    public enum Result: Equatable, Sendable {
        case succeeded
        case parked
        case failed
        case stale
        /// Steps whose outcome a person has to find out.
        case unknown
    }

    /// Where a unit stands, for showing.
    public enum Standing: Equatable, Sendable {
        case waiting
        case running
        case succeeded
        case failed
        case unknown
        case blocked
    }

    /// What a step's recorded rows say when a process begins.
    public struct Recorded: Sendable {
        public var state: StepState
        public var attempt: Int

        public init(state: StepState, attempt: Int) {
            self.state = state
            self.attempt = attempt
        }
    }

    private enum Progress {
        case pending
        /// Recorded as started by an earlier process.
        case interrupted
        /// Left to the next process.
        case left
        case inFlight
        case ended(Outcome)
    }

    private struct BatchProgress {
        /// 0 while the chains' own steps are done, then the round of hooks.
        var round = 0
        /// Chains that have something left to do in this round.
        var open: Int
        /// The facts of what has not begun are being checked.
        var isChecking = false
        /// They do not hold: only what an earlier process began is brought to its end.
        var isStale = false
        var worst = Outcome.succeeded
        /// Chains that did not succeed.
        var failures = 0
        /// What the hooks of the batch came to.
        var hooks = Outcome.succeeded
    }

    private var progress: [Progress]
    private var attempts: [Int]
    private var stageOfUnit: [Int]
    /// Of each unit's present batch; nil where that is not entered.
    private var batch: [BatchProgress?]
    /// Of each unit; written by `end` alone.
    private var ended: [Result?]
    private var admission: Admission
    /// Of each unit's batches that are behind it: allocations that failed, within what the job allows.
    private var failures: [Int]
    private var inFlight = 0
    private var isParking = false
    /// Units of which no batch begins in this process any more, since the window has no room for it.
    private var held = Set<Int>()
    /// The highest level that may start, from `--until`.
    private let lastLevel: Int
    private let width: Int

    /// - Parameters:
    ///   - recorded: the latest attempt of every step that was ever begun; unknown ids are ignored.
    ///   - retryFailed: makes a new attempt of what failed or was unreachable.
    ///   - lastWave: park after this index of `plan.waves`; nil to go to the end.
    public init(
        _ itinerary: Itinerary, recorded: [StepID: Recorded] = [:], retryFailed: Bool = false, lastWave: Int? = nil
    ) {
        self.itinerary = itinerary
        width = itinerary.plan.policy.jobParallelism
        lastLevel = lastWave ?? .max
        progress = []
        attempts = []
        progress.reserveCapacity(itinerary.steps.count)
        attempts.reserveCapacity(itinerary.steps.count)
        for step in itinerary.steps {
            let row = recorded[step.id]
            attempts.append(row?.attempt ?? 0)
            switch row?.state {
            case nil, .pending, .blocked: progress.append(.pending)
            case .started: progress.append(.interrupted)
            case .succeeded, .skipped: progress.append(.ended(.succeeded))
            case .failed: progress.append(retryFailed || step.kind.isProbe ? .pending : .ended(.failed))
            case .unreachable: progress.append(retryFailed || step.kind.isProbe ? .pending : .ended(.unreachable))
            case .unknown: progress.append(.ended(.unknown))
            }
        }
        stageOfUnit = Array(repeating: 0, count: itinerary.units.count)
        batch = Array(repeating: nil, count: itinerary.units.count)
        ended = Array(repeating: nil, count: itinerary.units.count)
        failures = Array(repeating: 0, count: itinerary.units.count)
        admission = Admission(itinerary)
        for unit in itinerary.units.indices { admission.note(unit, isRunning: hasBegun(unit)) }
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
    public mutating func checked(_ steps: [Int], isStale: Bool, isHeld: Bool = false) -> [Command] {
        guard let unit = steps.first.map({ itinerary.places[$0].unit }), batch[unit]?.isChecking == true,
            let stage = stage(of: unit), case .batch(let content) = stage
        else { return [] }
        batch[unit] = nil
        inFlight -= 1
        var commands: [Command] = []
        if isHeld { held.insert(unit) }
        if hasBegun(stage) || (!isStale && mayBeginStage(unit)) {
            open(content.chains, unit: unit, isStale: isStale, into: &commands)
        } else if isStale {
            end(unit, .stale)
        }
        advance(after: unit, into: &commands)
        if isHeld { advanceAll(into: &commands) }
        return commands
    }

    /// A commanded step has ended, and its outcome is recorded.
    public mutating func finished(_ step: Int, _ outcome: Outcome) -> [Command] {
        guard case .inFlight = progress[step] else { return [] }
        progress[step] = outcome == .interrupted ? .left : .ended(outcome)
        inFlight -= 1
        var commands: [Command] = []
        let place = itinerary.places[step]
        if let chain = place.chain, case .batch(let content)? = stage(of: place.unit) {
            // The other chains of the batch are not concerned, so that a batch of thousands costs no square of it.
            if place.round == 0 {
                advanceChain(content.chains[chain], unit: place.unit, into: &commands)
            } else if case .ended(let ended) = progress[step] {
                closeHook(place.unit, ended)
            }
            if batch[place.unit]?.open != 0 { return commands }
        }
        advance(after: place.unit, into: &commands)
        return commands
    }

    /// These promotions, all of one batch, are recorded.
    public mutating func promoted(_ steps: [Int]) -> [Command] {
        var commands: [Command] = []
        for step in steps {
            guard case .inFlight = progress[step] else { continue }
            progress[step] = .ended(.succeeded)
            inFlight -= 1
        }
        if let first = steps.first { advance(after: itinerary.places[first].unit, into: &commands) }
        return commands
    }

    /// Hooks have put another order in the place of the one by which the unit's batches are cut; to be told before
    /// `finished` of its step `order`, so that nothing of the batches has begun.
    public mutating func reorder(_ unit: Int, _ order: [WorkerName]) {
        itinerary.reorder(unit, order)
        let added = itinerary.steps.count - progress.count
        progress += Array(repeating: .pending, count: added)
        attempts += Array(repeating: 0, count: added)
    }

    /// From now on no worker is contacted for anything new; what is in flight ends and is recorded.
    public mutating func park() { isParking = true }

    // MARK: Answers

    /// How the run ended, or nil while something is in flight. Ask after the last event's commands are carried out.
    public var result: Result? {
        guard inFlight == 0 else { return nil }
        if ended.contains(.unknown) { return .unknown }
        if ended.contains(.stale) { return .stale }
        if ended.contains(.failed) { return .failed }
        return ended.allSatisfy { $0 == .succeeded } ? .succeeded : .parked
    }

    /// Where each of `itinerary.units` stands by what is recorded, while nothing runs.
    public static func standings(_ itinerary: Itinerary, recorded: [StepID: Recorded]) -> [Standing] {
        // Gates that failed count as pending for a process that would continue; here they are what they are.
        var machine = StepMachine(itinerary, recorded: recorded)
        for (index, step) in itinerary.steps.enumerated() where step.kind.isProbe {
            if recorded[step.id]?.state == .failed { machine.progress[index] = .ended(.failed) }
        }
        machine.isParking = true
        _ = machine.advance()
        return itinerary.units.indices.map(machine.standing)
    }

    /// Where one of `itinerary.units` stands.
    public func standing(of unit: Int) -> Standing {
        switch ended[unit] {
        case .succeeded: .succeeded
        case .failed, .stale: .failed
        case .unknown: .unknown
        case .parked, nil:
            if hasBegun(unit) {
                .running
            } else {
                admission.isBlocked(unit) ? .blocked : .waiting
            }
        }
    }

    /// Steps that ended other than well, in the plan's order.
    public func steps(with outcome: Outcome) -> [Int] {
        progress.indices.filter {
            if case .ended(let ended) = progress[$0] { ended == outcome } else { false }
        }
    }

    // MARK: Rules

    /// Whether anything of the unit may be done now.
    private func mayRun(_ unit: Int) -> Bool {
        guard ended[unit] == nil else { return false }
        // What has begun is brought to its end, whatever happened elsewhere.
        if hasBegun(unit) { return true }
        let level = itinerary.units[unit].level
        return level <= lastLevel && !isParking && !held.contains(unit) && admission.admits(unit, width: width)
    }

    private mutating func end(_ unit: Int, _ result: Result) {
        ended[unit] = result
        admission.end(unit, isSuccess: result == .succeeded)
    }

    private func hasBegun(_ unit: Int) -> Bool {
        if stageOfUnit[unit] > 0 || batch[unit] != nil { return true }
        guard let first = itinerary.units[unit].stages.first else { return false }
        return hasBegun(first)
    }

    private func hasBegun(_ stage: Itinerary.Stage) -> Bool {
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
    private func mayBeginStage(_ unit: Int) -> Bool {
        if isParking || held.contains(unit) { return false }
        switch itinerary.plan.policy.onFailure {
        case .stop: return !admission.hasFailure
        case .continue: return true
        }
    }

    private func maxFailures(of unit: Int) -> Int {
        itinerary.units[unit].steps.first.flatMap(itinerary.job(of:))?.batching.maxFailures ?? 0
    }

    private func stage(of unit: Int) -> Itinerary.Stage? {
        let stages = itinerary.units[unit].stages
        return stageOfUnit[unit] < stages.count ? stages[stageOfUnit[unit]] : nil
    }

    /// Where a unit has ended, others may have become possible, or impossible.
    private mutating func advance(after unit: Int, into commands: inout [Command]) {
        note(unit)
        if mayRun(unit) { advance(unit, into: &commands) }
        if ended[unit] != nil { advanceAll(into: &commands) }
    }

    private mutating func advanceAll(into commands: inout [Command]) {
        for unit in itinerary.units.indices where mayRun(unit) { advance(unit, into: &commands) }
    }

    private mutating func advance(_ unit: Int, into commands: inout [Command]) {
        carryOn(unit, into: &commands)
        note(unit)
    }

    private mutating func note(_ unit: Int) {
        admission.note(unit, isRunning: ended[unit] == nil && hasBegun(unit))
    }

    private mutating func carryOn(_ unit: Int, into commands: inout [Command]) {
        while let stage = stage(of: unit) {
            if failures[unit] > 0, stageOfUnit[unit] >= itinerary.units[unit].closing {
                return end(unit, .failed)
            }
            let outcome: Outcome?
            switch stage {
            case .single(let step): outcome = advanceSingle(step, unit: unit, into: &commands)
            case .batch(let content):
                if !hasBegun(stage), !mayBeginStage(unit) { return }
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
        guard case .batch(let content) = stage, content.cut != nil, let batch = batch[unit], batch.hooks == .succeeded
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
            let fresh = chains.compactMap(\.steps.first).filter { attempts[$0] == 0 }
            guard fresh.isEmpty || isParking else {
                batch[unit] = BatchProgress(open: chains.count, isChecking: true)
                inFlight += 1
                commands.append(.check(fresh))
                return nil
            }
            if itinerary.plan.window != nil, !isParking, hasPending(chains) {
                batch[unit] = BatchProgress(open: chains.count, isChecking: true)
                inFlight += 1
                commands.append(.admit(chains.compactMap(\.steps.first)))
                return nil
            }
            open(chains, unit: unit, isStale: false, into: &commands)
        }
        while let progress = batch[unit], progress.open == 0, !progress.isChecking {
            if progress.hooks != .succeeded { return Self.worse(progress.worst, progress.hooks) }
            guard progress.round < content.rounds else {
                return promote(chains, into: &commands) ? nil : progress.worst
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

    private mutating func closeHook(_ unit: Int, _ outcome: Outcome) {
        guard var state = batch[unit] else { return }
        state.open -= 1
        state.hooks = Self.worse(state.hooks, outcome)
        batch[unit] = state
    }

    private func hasPending(_ chains: [Itinerary.Chain]) -> Bool {
        chains.contains { chain in
            (chain.steps + chain.hooks).contains { if case .pending = progress[$0] { true } else { false } }
        }
    }

    private mutating func open(
        _ chains: [Itinerary.Chain], unit: Int, isStale: Bool, into commands: inout [Command]
    ) {
        batch[unit] = BatchProgress(open: chains.count, isStale: isStale)
        for chain in chains { advanceChain(chain, unit: unit, into: &commands) }
    }

    /// Commands the promotions of what succeeded in a batch that has ended; false where all are recorded.
    private mutating func promote(_ chains: [Itinerary.Chain], into commands: inout [Command]) -> Bool {
        var waiting: [Int] = []
        for chain in chains where outcome(of: chain) == .succeeded {
            guard let step = chain.promote else { continue }
            switch progress[step] {
            case .pending, .interrupted: waiting.append(step)
            case .inFlight, .left: return true
            case .ended: break
            }
        }
        guard !waiting.isEmpty else { return false }
        for step in waiting { progress[step] = .inFlight }
        inFlight += waiting.count
        commands.append(.promote(waiting))
        return true
    }

    /// Begins the chain's next step, or counts the chain as ended.
    private mutating func advanceChain(_ chain: Itinerary.Chain, unit: Int, into commands: inout [Command]) {
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
        guard var progress = batch[unit] else { return }
        progress.open -= 1
        progress.worst = Self.worse(progress.worst, outcome)
        if outcome != .succeeded { progress.failures += 1 }
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
            attempts[step] += 1
            commands.append(.perform(step, attempt: attempts[step]))
        }
        progress[step] = .inFlight
        inFlight += 1
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
