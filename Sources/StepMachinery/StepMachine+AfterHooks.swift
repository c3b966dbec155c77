internal import Model
internal import Plans

/// The hooks that come last for allocations, and what a job that has failed still does because of them.
extension StepMachine {
    /// The gate that has not passed is no obstacle: for whom it did not speak, there are only the hooks that come in any case.
    mutating func advanceAfterHooks(
        _ hooks: StepGraph.AfterHooks, unit: UnitIndex, into commands: inout [Command]
    ) -> Outcome? {
        if units[unit].batch == nil {
            enterAfterHooks(of: unit, chains: hooks.chains.count)
            for chain in hooks.chains { advance(chain, of: hooks, unit: unit, into: &commands) }
        }
        guard let batch = units[unit].batch, batch.open == 0 else { return nil }
        return batch.worst
    }

    /// Begins the next hook of an allocation, or counts its hooks as ended. They come also while the run parks: with them
    /// ends what has begun.
    mutating func advance(
        _ chain: StepGraph.AfterHooks.Chain, of hooks: StepGraph.AfterHooks, unit: UnitIndex,
        into commands: inout [Command]
    ) {
        guard let acted = actedChain(of: chain, unit), hasEndedOnItsOwn(acted) else {
            return closeAfterHooks(of: unit, .succeeded)
        }
        var worst = Outcome.succeeded
        let isWell = isWell(acted, by: hooks.gate, unit)
        for (part, mayBegin) in [(chain.healthy, isWell), (chain.after, true)] {
            guard let outcome = advance(part, mayBegin: mayBegin, into: &commands) else { return }
            // A person has to find out first what it did.
            if outcome == .unknown { return closeAfterHooks(of: unit, .unknown) }
            worst = .worse(worst, outcome)
        }
        closeAfterHooks(of: unit, worst)
    }

    /// Begins the next of these hooks. Returns what they came to, or nil while one is open.
    private mutating func advance(
        _ hooks: [StepIndex], mayBegin: Bool, into commands: inout [Command]
    ) -> Outcome? {
        for step in hooks {
            switch steps[step] {
            case .ended(.succeeded): continue
            case .ended(let outcome): return outcome
            case .inFlight, .left: return nil
            case .pending: if !mayBegin { return .succeeded }
            // What an earlier process began has to be learnt in any case.
            case .interrupted: break
            }
            begin(step, into: &commands)
            return nil
        }
        return .succeeded
    }

    /// Whether a failed job has allocations that hooks still come for. Not those of the stage that has failed itself.
    func mustGoOn(_ unit: UnitIndex) -> Bool {
        if units[unit].hasFailed { return true }
        let stage = units[unit].stage
        return graph.units[unit].stages[stage...].dropFirst().contains { later in
            guard case .afterHooks(let hooks) = later else { return false }
            return hooks.chains.contains { chain in actedChain(of: chain, unit).map(hasEndedOnItsOwn) ?? false }
        }
    }

    /// Whether a job that has failed still does this: the hooks that come last, and the gate for allocations that it may
    /// find well.
    func comesAfterFailure(_ stage: StepGraph.Stage, of unit: UnitIndex) -> Bool {
        switch stage {
        case .batch: return false
        case .afterHooks: return true
        case .single(let step):
            guard case .gate = graph.steps[step].task, !isParking || graph.mustGoOn(gate: step) else { return false }
            for later in graph.units[unit].stages[units[unit].stage...].dropFirst() {
                guard case .afterHooks(let hooks) = later else { continue }
                return hooks.gate == step
                    && hooks.chains.contains { chain in
                        !chain.healthy.isEmpty && actedChain(of: chain, unit).map(isDone) ?? false
                    }
            }
            return false
        }
    }

    private func actedChain(of chain: StepGraph.AfterHooks.Chain, _ unit: UnitIndex) -> StepGraph.Chain? {
        guard case .batch(let batch) = graph.units[unit].stages[chain.batch] else { return nil }
        return batch.chains[chain.chain]
    }

    /// Whether anything of the allocation has begun, and it is known what came of it.
    private func hasEndedOnItsOwn(_ chain: StepGraph.Chain) -> Bool {
        guard let first = chain.steps.first, steps.attempt(first) > 0, !graph.isLeftBehind(first) else { return false }
        switch steps.outcome(of: chain) {
        case .succeeded, .failed, .unreachable: break
        case .unknown, .stale, .interrupted, nil: return false
        }
        return chain.hooks.allSatisfy { hook in
            switch steps[hook] {
            case .pending, .ended: true
            case .interrupted, .left, .inFlight: false
            }
        }
    }

    /// Whether everything of the allocation itself has succeeded.
    private func isDone(_ chain: StepGraph.Chain) -> Bool {
        guard steps.outcome(of: chain) == .succeeded else { return false }
        return (chain.hooks + (chain.promote.map { [$0] } ?? [])).allSatisfy { step in
            if case .ended(.succeeded) = steps[step] { true } else { false }
        }
    }

    private func isWell(_ chain: StepGraph.Chain, by gate: StepIndex?, _ unit: UnitIndex) -> Bool {
        guard isDone(chain), let worker = chain.steps.first.flatMap({ graph.steps[$0].worker }) else { return false }
        guard let gate else { return true }
        switch steps[gate] {
        case .ended(.succeeded): return true
        case .ended(.failed): return units[unit].gateFailing?.contains(worker) == false
        case .ended, .pending, .interrupted, .left, .inFlight: return false
        }
    }
}
