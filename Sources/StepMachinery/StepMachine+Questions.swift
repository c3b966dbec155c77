internal import Model
public import Plans

extension StepMachine {
    // MARK: Answers

    /// How the run ended, or nil while something is in flight. Ask after the last event's commands are carried out.
    public var result: Result? {
        guard steps.inFlight == 0, checks == 0 else { return nil }
        let results = units.lazy.map(\.ended)
        if results.contains(.unknown) { return .unknown }
        if results.contains(.stale) { return .stale }
        if results.contains(.failed) { return .failed }
        return results.allSatisfy { $0 == .succeeded } ? .succeeded : .parked
    }

    /// Whether a job has failed; stops are no part of a job's rollout.
    public var hasFailedJob: Bool {
        units.indexed.contains { index, unit in graph.units[index].job != nil && unit.ended == .failed }
    }

    /// The state of a unit.
    public func state(of unit: UnitIndex) -> UnitState {
        switch units[unit].ended {
        case .succeeded: .succeeded
        case .failed, .stale: .failed
        case .unknown: .unknown
        case .parked, nil: hasBegun(unit) ? .running : admission.isBlocked(unit) ? .blocked : .waiting
        }
    }

    /// How a unit has ended in this process; nil while it is open.
    package func result(of unit: UnitIndex) -> Result? { units[unit].ended }

    /// Steps that ended so, in the plan's order.
    public func steps(with outcome: Outcome) -> [StepIndex] { steps.steps(with: outcome) }

    /// Allocations of the unit's job that failed, and that the job has gone on without.
    package func toleratedFailures(of unit: UnitIndex) -> Int { units[unit].failures }

    // MARK: Rules

    func stage(of unit: UnitIndex) -> StepGraph.Stage? {
        graph.units[unit].stages[units[unit].stage...].first
    }

    /// Whether anything of the unit may be done now.
    func mayRun(_ unit: UnitIndex) -> Bool {
        guard units[unit].ended == nil, !admission.isAhead(unit) else { return false }
        // What has begun is finished, whatever happened elsewhere.
        if hasBegun(unit) { return true }
        return graph.units[unit].level <= lastLevel && !isParking && !units[unit].isHeld
            && admission.admits(unit, width: width)
    }

    func hasBegun(_ unit: UnitIndex) -> Bool {
        if units[unit].stage > StageIndex(0) || units[unit].batch != nil { return true }
        guard let first = graph.units[unit].stages.first(where: { !graph.isLeftBehind($0) }) else { return false }
        return steps.hasBegun(first)
    }

    /// Whether a stage that has not begun may begin: not while parking, and after a failure elsewhere only if
    /// `on_failure` lets independent jobs go on.
    func mayBeginStage(_ unit: UnitIndex) -> Bool {
        if isParking || units[unit].isHeld { return false }
        return graph.plan.policy.onFailure.goesOn || !admission.hasFailure
    }

    /// How many allocations of a batch failed, when that may be more than none. A hook looks at its job or its batch as a
    /// whole, so that nobody can say what goes on without it.
    func failuresToTolerate(of stage: StepGraph.Stage, _ unit: UnitIndex) -> Int {
        // Nothing healthy is touched before what is broken is well.
        guard case .batch(let content) = stage, let position = content.position, position.phase != .recover,
            let batch = units[unit].batch, batch.hooks == .succeeded
        else { return 0 }
        return batch.failures
    }
}
