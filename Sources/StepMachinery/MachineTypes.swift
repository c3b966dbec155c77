public import Model
public import Plans

extension StepMachine {
    /// What the runner is to do.
    public enum Command: Equatable, Sendable {
        /// Find out whether the facts that a batch depends on still hold; nothing of it begins before the answer. Named
        /// are the first steps of its allocations.
        case check([StepIndex])
        /// Find out whether a batch that an earlier process began everywhere may go on now; no file is asked about.
        case admit([StepIndex])
        /// Record the intent as this attempt, then do it.
        case perform(StepIndex, attempt: Int)
        /// The intent is recorded by an earlier process: find out what became of it, and finish it.
        case settle(StepIndex, attempt: Int)
        /// Ask the workers of one batch whether they still are those that did its work, and record the promotions of those
        /// that are in one transaction.
        case promote([Attempt])
    }

    /// One try of a step.
    public struct Attempt: Equatable, Sendable {
        public var step: StepIndex
        /// 1, 2, 3 ... within the run.
        public var number: Int

        public init(_ step: StepIndex, _ number: Int) {
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

        /// What decides about a batch in which several things went wrong.
        static func worse(_ a: Self, _ b: Self) -> Self { a.weight >= b.weight ? a : b }

        private var weight: Int {
            switch self {
            case .succeeded: 0
            case .interrupted: 1
            case .unreachable: 2
            case .failed: 3
            case .stale: 4
            case .unknown: 5
            }
        }
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

    /// The state of a unit, for showing.
    public enum UnitState: Equatable, Sendable {
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

    /// The state of each of the graph's units by what is recorded, while nothing runs.
    public static func states(
        _ graph: StepGraph, recorded: [StepID: Recorded]
    ) -> Table<UnitIndex, UnitState> {
        let machine = StepMachine(whileNothingRuns: graph, recorded: recorded)
        return Table(graph.units.indices.map(machine.state))
    }

    /// Steps that are recorded as ended so, in the plan's order, while nothing runs.
    public static func steps(
        _ graph: StepGraph, recorded: [StepID: Recorded], with outcome: Outcome
    ) -> [StepIndex] {
        StepMachine(whileNothingRuns: graph, recorded: recorded).steps(with: outcome)
    }

    /// The allocations of the unit's job that may fail.
    package func maxFailures(of unit: UnitIndex) -> Int { graph.units[unit].maxFailures }

    /// Whether a chain is under way that goes on to its end while the run parks.
    package var isMidChain: Bool {
        graph.steps.indices.contains { step in
            guard case .inFlight = steps[step] else { return false }
            return graph.mustGoOn(gate: step) || graph.chain(of: step)?.isWhole == true
        }
    }

    /// What this process would do if everything succeeded and no window were in the way, in the plan's order.
    package func predicted() -> [StepIndex] {
        var machine = self
        var found: [StepIndex] = []
        var commands = machine.advance()[...]
        while let command = commands.popFirst() {
            switch command {
            case .check(let steps), .admit(let steps): commands += machine.checked(steps, isStale: false)
            case .perform(let step, _), .settle(let step, _):
                found.append(step)
                commands += machine.finished(step, .succeeded)
            case .promote(let attempts):
                let steps = attempts.map(\.step)
                found += steps
                commands += machine.promoted(steps)
            }
        }
        return found.sorted()
    }
}
