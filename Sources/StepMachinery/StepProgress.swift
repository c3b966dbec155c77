internal import Model
internal import Plans

/// The state of every step in this process. Changed by its transitions alone. A pure value.
struct StepProgress: Sendable {
    /// The state of one step.
    enum State {
        case pending
        /// Recorded as started by an earlier process.
        case interrupted
        /// Left to the next process.
        case left
        case inFlight
        case ended(StepMachine.Outcome)
    }

    private var states: Table<StepIndex, State>
    private var attempts: Table<StepIndex, Int>
    /// Steps in flight.
    private(set) var inFlight = 0

    /// - Parameters:
    ///   - recorded: the latest attempt of every step that was ever begun.
    ///   - retryFailed: makes a new attempt of what failed or was unreachable.
    init(_ graph: StepGraph, _ recorded: [StepID: StepMachine.Recorded], retryFailed: Bool) {
        states = []
        attempts = []
        states.reserveCapacity(graph.steps.count)
        attempts.reserveCapacity(graph.steps.count)
        for step in graph.steps {
            let row = recorded[step.id]
            attempts.append(row?.attempt ?? 0)
            switch row?.state {
            case nil, .pending, .blocked: states.append(.pending)
            case .started: states.append(.interrupted)
            case .succeeded, .skipped: states.append(.ended(.succeeded))
            case .failed: states.append(retryFailed || step.task.rules.isProbe ? .pending : .ended(.failed))
            case .unreachable:
                states.append(retryFailed || step.task.rules.isProbe ? .pending : .ended(.unreachable))
            case .unknown: states.append(.ended(.unknown))
            }
        }
        if retryFailed { prepareAgain(graph) }
    }

    /// Where the hooks that come last have ended for an allocation, its hooks of `before_allocation` come again before what
    /// is tried again.
    private mutating func prepareAgain(_ graph: StepGraph) {
        for unit in graph.units {
            for case .afterHooks(let hooks) in unit.stages {
                for last in hooks.chains where last.after.contains(where: hasSucceeded) {
                    guard case .batch(let batch) = unit.stages[last.batch] else { continue }
                    let chain = batch.chains[last.chain]
                    guard chain.allSteps.contains(where: { !hasBegun($0) && attempts[$0] > 0 }) else { continue }
                    for hook in chain.steps.prefix(chain.hooksBefore) { reopen(hook) }
                }
            }
        }
    }

    private func hasSucceeded(_ step: StepIndex) -> Bool {
        if case .ended(.succeeded) = states[step] { true } else { false }
    }

    subscript(step: StepIndex) -> State { states[step] }

    /// 0 before the first.
    func attempt(_ step: StepIndex) -> Int { attempts[step] }

    /// Whether anything of the step has begun, ever.
    func hasBegun(_ step: StepIndex) -> Bool {
        if case .pending = states[step] { false } else { true }
    }

    /// Whether anything of the stage has begun.
    func hasBegun(_ stage: StepGraph.Stage) -> Bool {
        switch stage {
        case .single(let step): hasBegun(step)
        case .batch(let batch):
            batch.lead.contains(where: hasBegun) || batch.chains.contains { $0.steps.first.map(hasBegun) ?? false }
        case .afterHooks(let hooks): hooks.chains.contains { $0.steps.contains(where: hasBegun) }
        }
    }

    /// Whether anything of the chains, promotes aside, is still to begin.
    func hasPending(_ chains: some Sequence<StepGraph.Chain>, _ graph: StepGraph) -> Bool {
        chains.contains { chain in
            (chain.steps + chain.hooks).contains { !hasBegun($0) && !graph.isLeftBehind($0) }
        }
    }

    /// How the allocation of a chain ended; nil while a step of it is open.
    func outcome(of chain: StepGraph.Chain) -> StepMachine.Outcome? {
        for step in chain.steps {
            guard case .ended(let outcome) = states[step] else { return nil }
            if outcome != .succeeded { return outcome }
        }
        return .succeeded
    }

    /// Steps that ended so, in the plan's order.
    func steps(with outcome: StepMachine.Outcome) -> [StepIndex] {
        states.indices.filter {
            if case .ended(let ended) = states[$0] { ended == outcome } else { false }
        }
    }

    // MARK: Transitions

    /// A new attempt begins. Returns its number.
    mutating func begin(_ step: StepIndex) -> Int {
        attempts[step] += 1
        resume(step)
        return attempts[step]
    }

    /// The attempt of an earlier process is taken up again.
    mutating func resume(_ step: StepIndex) {
        states[step] = .inFlight
        inFlight += 1
    }

    /// What was in flight has ended; false when it was not in flight.
    mutating func end(_ step: StepIndex, _ outcome: StepMachine.Outcome) -> Bool {
        guard case .inFlight = states[step] else { return false }
        states[step] = outcome == .interrupted ? .left : .ended(outcome)
        inFlight -= 1
        return true
    }

    /// What has succeeded is to be done again.
    mutating func reopen(_ step: StepIndex) {
        guard case .ended(.succeeded) = states[step] else { return }
        states[step] = .pending
        attempts[step] += 1
    }

    /// A failed probe stays failed, for a look at what is recorded.
    mutating func keepFailed(_ step: StepIndex) { states[step] = .ended(.failed) }

    /// The graph has got steps.
    mutating func extend(to graph: StepGraph) {
        let added = graph.steps.count - states.count
        states.append(contentsOf: repeatElement(.pending, count: added))
        attempts.append(contentsOf: repeatElement(0, count: added))
    }
}
