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
/// | succeeded, anything else | none | final |
/// | failed, unreachable | a new process with `retryFailed`; for gates any new process | pending, next attempt |
/// | succeeded, the gate or bake of a batch | a new attempt of a step in the batch | pending, after the next attempt |
/// | pending, of an allocation that is left behind | none | pending for good; the stages go on without it |
/// | unknown | a person's `resolve`, outside the machine | succeeded or failed |
///
/// The rules that it keeps: the stages of a job follow each other; a job starts when every job of a lower
/// wave is complete; no batch of a job starts once more of its allocations failed than its `max_failures`, and none of
/// an unknown outcome or on stale facts is among those; the hooks of a batch come when its whole batch has ended, for the
/// allocations whose own steps succeeded, and these are promoted when no hook of the batch has failed and their workers
/// prove that they are those that acted; a job with any failure is not complete, and never lets dependents run.
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
        /// Ask the workers of one batch whether they still are those that acted, and record the promotions of those that
        /// are in one transaction.
        case promote([Attempt])
    }

    /// One try of a step.
    public struct Attempt: Equatable, Sendable {
        public var step: Int
        /// 1, 2, 3 ... within the run.
        public var number: Int

        public init(_ step: Int, _ number: Int) {
            self.step = step
            self.number = number
        }
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

    enum Progress {
        case pending
        /// Recorded as started by an earlier process.
        case interrupted
        /// Left to the next process.
        case left
        case inFlight
        case ended(Outcome)
    }

    struct BatchProgress {
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

    // MARK: State, for the rules alone (`StepMachine+Rules.swift`)

    var progress: [Progress]
    var attempts: [Int]
    var stageOfUnit: [Int]
    /// Of each unit's present batch; nil where that is not entered.
    var batch: [BatchProgress?]
    /// Of each unit; written by `end` alone.
    var ended: [Result?]
    var admission: Admission
    /// Of each unit's batches that are behind it: allocations that failed, within what the job allows.
    var failures: [Int]
    var inFlight = 0
    var isParking = false
    /// Units of which no batch begins in this process any more, since the window has no room for it.
    var held = Set<Int>()
    /// The highest level that may start, from `--until`.
    let lastLevel: Int
    let width: Int

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
    ///
    /// - Parameter refused: what else than a success is recorded of those whose workers did not prove that they acted.
    public mutating func promoted(_ steps: [Int], refused: [Int: Outcome] = [:]) -> [Command] {
        var commands: [Command] = []
        for step in steps {
            guard case .inFlight = progress[step] else { continue }
            let outcome = refused[step] ?? .succeeded
            progress[step] = outcome == .interrupted ? .left : .ended(outcome)
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

    /// The run goes on without these allocations, as it is recorded; to be told before `checked` or `finished` of the steps
    /// that found out. Nothing of them has begun.
    public mutating func leave(_ allocations: Set<AllocationID>) { itinerary.leave(allocations) }

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
}
