internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import StepMachinery

/// Reads from the recorded steps of one graph what became of its jobs.
struct RecapReading {
    let graph: StepGraph
    /// The latest attempts.
    let latest: [StepID: StepRecord]

    var jobs: [Recap.Job] {
        let states = StepMachine.states(graph, recorded: latest.mapValues(\.recorded))
        let undone = Set(zip(graph.units, states).lazy.compactMap { $1 == .succeeded ? nil : $0.job })
        let isWayBack = graph.plan.origin?.isPartOfRun == true
        return zip(graph.units.indexed, states).map { indexed, state in
            let (index, unit) = indexed
            return Recap.Job(
                name: unit.name, job: unit.job, isWayBack: isWayBack, state: state,
                blockedBy: state == .blocked ? unit.demands.filter(undone.contains).map(\.text) : [],
                members: members(of: unit), gates: gates(of: unit), deed: graph.deed(of: index))
        }
    }

    private func state(_ step: StepIndex) -> StepState {
        guard let record = latest[graph.steps[step].id], !record.isReopened else { return .pending }
        return record.state
    }

    private func gates(of unit: StepGraph.Unit) -> Recap.Gates {
        var gates = Recap.Gates()
        for step in unit.steps {
            guard case .gate = graph.steps[step].task else { continue }
            gates.all += 1
            switch state(step) {
            case .succeeded: gates.passed += 1
            case .failed: gates.failed += 1
            case .pending, .started, .unreachable, .unknown, .skipped, .blocked: break
            }
        }
        return gates
    }

    // MARK: Allocations

    private func members(of unit: StepGraph.Unit) -> [Recap.Member] {
        let last = lastHooks(of: unit)
        var members: [Recap.Member] = []
        var places: [Subject: Int] = [:]
        for (stage, content) in unit.stages.indexed {
            guard case .batch(let batch) = content, batch.position != nil || graph.plan.kind == .jobCommand else {
                continue
            }
            for (chain, content) in batch.chains.indexed {
                guard let first = content.steps.first else { continue }
                let subject = graph.leaving(first)
                let hooks = last[Place(stage: stage, chain: chain)] ?? []
                let standing = standing(of: content, hooks, first) { probes(after: stage, in: unit, of: content) }
                if let place = places[subject] {
                    members[place].standing = .worse(members[place].standing, standing)
                } else {
                    places[subject] = members.count
                    members.append(Recap.Member(subject: subject, standing: standing))
                }
            }
        }
        return members
    }

    private struct Place: Hashable {
        var stage: StageIndex
        var chain: ChainIndex
    }

    /// The hooks that come last for the chains of a unit.
    private func lastHooks(of unit: StepGraph.Unit) -> [Place: [StepIndex]] {
        var found: [Place: [StepIndex]] = [:]
        for case .afterHooks(let hooks) in unit.stages {
            for chain in hooks.chains {
                found[Place(stage: chain.batch, chain: chain.chain), default: []] += chain.steps
            }
        }
        return found
    }

    /// - Parameters:
    ///   - hooks: what comes last for the chain.
    ///   - probes: the gate and bake that it needs; asked for if everything of its own is done.
    private func standing(
        of chain: StepGraph.Chain, _ hooks: [StepIndex], _ first: StepIndex, probes: () -> [StepIndex]
    ) -> Standing {
        let own = chain.allSteps.map(state)
        let states = own + hooks.map(state)
        if states.contains(.unknown) { return .unknown }
        if states.contains(.failed) { return .failed }
        if states.contains(.unreachable) { return .unreachable }
        if states.contains(.started) { return .begun }
        if graph.isSpared(first) { return .notNeeded }
        if graph.leftBehind.contains(graph.leaving(first)) { return .leftBehind }
        guard own.allSatisfy({ $0 == .succeeded || $0 == .skipped }) else {
            return own.contains { $0 != .pending } ? .begun : .waiting
        }
        let gates = probes().map(state)
        if gates.contains(.failed) { return .gateFailed }
        return gates.allSatisfy { $0 == .succeeded || $0 == .skipped } ? .done : .ungated
    }

    /// The gate and the bake that come first after a batch: they say if what it did is well. None for files alone.
    private func probes(after stage: StageIndex, in unit: StepGraph.Unit, of chain: StepGraph.Chain) -> [StepIndex] {
        if let push = graph.push(of: chain)?.task.deployment, !push.work.job.runs(push.entry), push.entry.gate == nil {
            return []
        }
        var probes: [StepIndex] = []
        for later in unit.stages[stage...].dropFirst() {
            switch later {
            case .single(let step):
                if graph.rules(step).isProbe, isAbout(chain, step) {
                    probes.append(step)
                } else if !probes.isEmpty {
                    return probes
                }
            case .afterHooks: continue
            case .batch: if !probes.isEmpty { return probes }
            }
        }
        return probes
    }

    /// Whether a gate asks about what the chain has acted on: of a worker as a whole it is asked for each of its jobs.
    private func isAbout(_ chain: StepGraph.Chain, _ probe: StepIndex) -> Bool {
        guard let first = chain.steps.first, graph.plan.work.workerBatches != nil else { return true }
        guard let worker = graph.steps[first].worker, let job = graph.rules(probe).job else { return true }
        return job.active.contains(worker)
    }
}

extension StepGraph {
    /// What is done to an allocation or a worker of a unit, as a participle.
    func deed(of unit: UnitIndex) -> String {
        if case .stops = units[unit].kind { return "stopped" }
        switch plan.kind {
        case .deploy: return "promoted"
        case .restart: return "restarted"
        case .start: return "started"
        case .stop: return "stopped"
        case .reboot: return "rebooted"
        case .jobCommand, .runTarget, .runCommand: return "done"
        }
    }
}
