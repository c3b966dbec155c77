internal import Model
internal import Plans

/// Which units of a graph may begin: what the others' ends decide for those that have not begun.
///
/// Kept up with each change instead of computed again, so that thousands of jobs cost no square of their number. A pure
/// value.
struct Admission: Sendable {
    private enum State {
        case waiting
        case running
        case blocked
        case ended
    }

    private struct Level {
        /// Units that wait or run.
        var open = 0
        var running = 0
    }

    private let onFailure: FailurePolicy
    private let levelOfUnit: Table<UnitIndex, Int>
    /// The units of higher levels that demand a unit's job.
    private let dependents: Table<UnitIndex, [UnitIndex]>
    private var states: Table<UnitIndex, State>
    private var levels: [Int: Level] = [:]
    /// The lowest level of which a unit is open.
    private var lowest: Int?
    /// Whether a unit has ended other than well.
    private(set) var hasFailure = false

    /// Every unit waits.
    init(_ graph: StepGraph) {
        onFailure = graph.plan.policy.onFailure
        let units = graph.units
        levelOfUnit = Table(units.map(\.level))
        var unitsOfJob: [JobName: [UnitIndex]] = [:]
        for (index, unit) in units.indexed {
            if let job = unit.job { unitsOfJob[job, default: []].append(index) }
        }
        var dependents = Table<UnitIndex, [UnitIndex]>(repeating: [], count: units.count)
        for (index, unit) in units.indexed {
            for demanded in unit.demands.lazy.flatMap({ unitsOfJob[$0] ?? [] }) where units[demanded].level < unit.level
            {
                dependents[demanded].append(index)
            }
        }
        self.dependents = dependents
        states = Table(repeating: .waiting, count: units.count)
        for level in levelOfUnit { levels[level, default: Level()].open += 1 }
        lowest = levelOfUnit.min()
    }

    /// Whether a unit that waits may begin beside at most `width - 1` others of its level.
    func admits(_ unit: UnitIndex, width: Int) -> Bool {
        !isBlocked(unit) && levelOfUnit[unit] == lowest && (levels[levelOfUnit[unit]]?.running ?? 0) < width
    }

    /// Whether a unit of a lower level is open, so that this one waits, whatever of it has begun: something of that one was
    /// taken in again.
    func isAhead(_ unit: UnitIndex) -> Bool { lowest.map { $0 < levelOfUnit[unit] } ?? false }

    /// Whether a failure keeps a unit that has not begun from ever running in this process.
    func isBlocked(_ unit: UnitIndex) -> Bool {
        switch states[unit] {
        case .blocked: true
        case .waiting: hasFailure && !onFailure.goesOn
        case .running, .ended: false
        }
    }

    /// Records whether something of a unit has begun. One that has ended stays ended.
    mutating func note(_ unit: UnitIndex, isRunning: Bool) {
        switch (states[unit], isRunning) {
        case (.waiting, true):
            states[unit] = .running
            levels[levelOfUnit[unit]]?.running += 1
        case (.running, false):
            states[unit] = .waiting
            levels[levelOfUnit[unit]]?.running -= 1
        case (.waiting, false), (.running, true), (.blocked, _), (.ended, _): break
        }
    }

    /// Records that a unit has failed, and is about to end.
    mutating func noteFailure() { hasFailure = true }

    /// Records that a unit has ended. Where that was not well, what demands it and has not begun is blocked.
    mutating func end(_ unit: UnitIndex, isSuccess: Bool) {
        note(unit, isRunning: false)
        leave(unit, as: .ended)
        guard !isSuccess else { return }
        hasFailure = true
        switch onFailure {
        // Everything that waits is blocked now, so that no level has to be waited for any more.
        case .stop, .rollback: break
        case .continue:
            var failed = [unit]
            while let next = failed.popLast() {
                for dependent in dependents[next] where states[dependent] == .waiting {
                    leave(dependent, as: .blocked)
                    failed.append(dependent)
                }
            }
        }
    }

    /// Takes a unit from those that are waited for.
    private mutating func leave(_ unit: UnitIndex, as state: State) {
        switch states[unit] {
        case .blocked, .ended: break
        case .waiting, .running:
            let level = levelOfUnit[unit]
            levels[level]?.open -= 1
            if levels[level]?.open == 0 {
                levels[level] = nil
                if level == lowest { lowest = levels.keys.min() }
            }
        }
        states[unit] = state
    }
}
