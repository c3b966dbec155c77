public import Model

extension StepGraph {
    /// What a step's task says of itself.
    public func rules(_ step: StepIndex) -> any TaskRules { steps[step].task.rules }

    /// The indices of all steps by their ids.
    public var indices: [StepID: StepIndex] {
        Dictionary(steps.indexed.lazy.map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The active allocations of a job, in the order in which it is rolled out.
    public func allWorkers(of job: Plan.Job) -> [WorkerName] { orders[job.job] ?? job.active }

    /// The active allocations of a job that the run has not left behind, in the order in which it is rolled out.
    public func activeWorkers(of job: Plan.Job) -> [WorkerName] {
        let all = allWorkers(of: job)
        if leftBehind.isEmpty { return all }
        return all.filter {
            !leftBehind.contains(.allocation(AllocationID(job: job.job, worker: $0)))
                && !leftBehind.contains(.worker($0))
        }
    }

    /// Whether the run goes on without the step's allocation or worker.
    public func isLeftBehind(_ step: StepIndex) -> Bool {
        if case .pause(let pause) = steps[step].task { return pause.workers.allSatisfy(isLeftAlone) }
        if !leftBehind.isEmpty {
            if leftBehind.contains(steps[step].subject) || leftBehind.contains(leaving(step)) { return true }
            if let batch = batch(ledBy: step) { return isLeftBehind(batch) }
        }
        return !notNeeded.isEmpty && isSpared(step)
    }

    /// Whether nothing is done for a worker as a whole: it cannot be used, or needs no reboot.
    private func isLeftAlone(_ worker: WorkerName) -> Bool {
        notNeeded.contains(worker) || leftBehind.contains(.worker(worker))
    }

    /// What the run goes on without, if the step's worker cannot be used: the allocation, or the worker as a whole if that is
    /// what the plan acts on.
    public func leaving(_ step: StepIndex) -> Subject {
        let subject = steps[step].subject
        guard plan.work.workerBatches != nil, let worker = subject.worker else { return subject }
        return .worker(worker)
    }

    /// Whether the step is of a worker that needs no reboot; the one that asked is not.
    public func isSpared(_ step: StepIndex) -> Bool {
        guard let worker = steps[step].worker, notNeeded.contains(worker) else { return false }
        if case .shell = steps[step].task { return false }
        return true
    }

    /// Whether the run goes on without the whole batch, so that nothing of it will ever begin.
    public func isLeftBehind(_ stage: Stage) -> Bool {
        guard case .batch(let batch) = stage, !leftBehind.isEmpty else { return false }
        return isLeftBehind(batch)
    }

    private func isLeftBehind(_ batch: Batch) -> Bool {
        batch.chains.allSatisfy { $0.steps.first.map(isLeftBehind) ?? false }
    }

    /// The batch before which a hook comes as a whole.
    private func batch(ledBy step: StepIndex) -> Batch? {
        guard case .hook(let hook) = steps[step].task, hook.event == .beforeBatch else { return nil }
        return batch(of: step)
    }

    /// Whether the step's allocation or worker was left behind once and is a part of the run again.
    public func isTakenIn(_ step: StepIndex) -> Bool {
        if takenIn.isEmpty { return false }
        return takenIn.contains(steps[step].subject) || takenIn.contains(leaving(step))
    }

    /// The batch that a step is part of; of hooks that come last that of their allocation.
    public func batch(of step: StepIndex) -> Batch? {
        let place = places[step]
        switch units[place.unit].stages[place.stage] {
        case .batch(let batch): return batch
        case .single: return nil
        case .afterHooks(let hooks):
            guard let chain = place.chain,
                case .batch(let batch) = units[place.unit].stages[hooks.chains[chain].batch]
            else { return nil }
            return batch
        }
    }

    /// The steps of the same allocation in the same batch.
    public func chain(of step: StepIndex) -> Chain? {
        guard let chain = places[step].chain, let batch = batch(of: step) else { return nil }
        return batch.chains[afterHooks(at: places[step])?.chains[chain].chain ?? chain]
    }

    /// The hooks that come last, if the place is among them.
    private func afterHooks(at place: Place) -> AfterHooks? {
        switch units[place.unit].stages[place.stage] {
        case .afterHooks(let hooks): hooks
        case .batch, .single: nil
        }
    }

    /// Whether a step is one of the hooks that come last for an allocation.
    public func comesLast(_ step: StepIndex) -> Bool { afterHooks(at: places[step]) != nil }

    /// Whether a step is a hook that comes before anything of its allocation is touched.
    public func comesFirst(_ step: StepIndex) -> Bool {
        if case .hook(let hook) = steps[step].task { hook.event == .beforeAllocation } else { false }
    }

    /// The push of a chain, if it has one: its first step, but for hooks.
    public func push(of chain: Chain) -> (step: StepIndex, task: Push)? {
        for step in chain.steps {
            if case .push(let push) = steps[step].task { return (step, push) }
        }
        return nil
    }

    /// Whether a step is the rest of a chain that goes on to its end once it has begun, whatever a window says.
    public func mustGoOn(_ step: StepIndex) -> Bool {
        guard let chain = chain(of: step) else { return false }
        return comesLast(step) || chain.isWhole && chain.steps.first != step
    }

    /// Whether a gate goes on while the run parks, since prepared allocations wait for it.
    public func mustGoOn(gate: StepIndex) -> Bool {
        guard case .gate = steps[gate].task else { return false }
        for stage in units[places[gate].unit].stages[places[gate].stage...].dropFirst() {
            switch stage {
            case .afterHooks(let hooks): return hooks.isWhole && hooks.gate == gate
            case .single: continue
            case .batch: return false
            }
        }
        return false
    }

    /// The steps of a chain whose facts have to hold before its first one begins: that one, and those with preconditions.
    public func checked(before first: StepIndex) -> [StepIndex] {
        guard let chain = chain(of: first) else { return [first] }
        return chain.steps.filter { $0 == first || rules($0).precondition != nil }
    }

    /// The allocations that a gate or a bake asks about: what runs at that moment. A later batch still starts or repairs
    /// the others.
    public func coverage(of probe: StepIndex) -> [WorkerName] {
        let task = rules(probe)
        guard let scope = task.probeScope, let job = task.job else { return [] }
        let place = places[probe]
        let stages = units[place.unit].stages
        if scope == .batch {
            let before = stages[..<place.stage].reversed().lazy.compactMap { stage -> Batch? in
                if case .batch(let batch) = stage { batch } else { nil }
            }
            return workers(of: before.first).filter {
                !leftBehind.contains(.allocation(AllocationID(job: job.job, worker: $0)))
            }
        }
        var later = Set<WorkerName>()
        for case .batch(let batch) in stages[place.stage...].dropFirst() {
            switch batch.position?.phase {
            case .recover: later.formUnion(workers(of: batch))
            case .start, .upgrade, .jobControl:
                // What an upgrade has not reached yet runs as it did; what starts does not run at all.
                for push in batch.chains.lazy.compactMap({ push(of: $0)?.task })
                where push.deployment.entry.action == .start {
                    later.insert(push.deployment.entry.worker)
                }
            case .operation:
                if plan.kind == .start { later.formUnion(workers(of: batch)) }
            case nil: break
            }
        }
        let active = activeWorkers(of: job)
        return later.isEmpty ? active : active.filter { !later.contains($0) }
    }

    private func workers(of batch: Batch?) -> [WorkerName] {
        batch?.chains.compactMap { chain in chain.steps.first.flatMap { steps[$0].worker } } ?? []
    }

    /// The allocations of the batches that a probe follows: back to the probe before it.
    public func allocations(before probe: StepIndex) -> [AllocationID] {
        let place = places[probe]
        var found: [AllocationID] = []
        for stage in units[place.unit].stages[..<place.stage].reversed() {
            switch stage {
            case .single(let step): if !found.isEmpty || !rules(step).isProbe { return found }
            case .batch(let batch):
                guard batch.position != nil else { return found }
                found += batch.chains.compactMap { $0.steps.first.flatMap { steps[$0].allocation } }
            case .afterHooks: continue
            }
        }
        return found
    }

    /// What has to be passed again because of a new attempt of a step: the gate and the bake that come after its batch and
    /// before the next one, and the hooks that come last for its allocation. For an allocation that was taken in, all that
    /// follows for the job as a whole, since it may have been passed without it.
    public func reopened(by step: StepIndex) -> [StepIndex] {
        let place = places[step]
        let later = units[place.unit].stages[place.stage...].dropFirst()
        if let hooks = afterHooks(at: place) { return reopened(by: step, in: hooks, place) }
        guard isTakenIn(step) else {
            return place.chain == nil ? [] : probes(at: later) + hooks(at: later, after: place)
        }
        return later.compactMap { stage in
            guard case .single(let next) = stage else { return nil }
            switch steps[next].task {
            case .gate, .bake, .complete: return next
            case .push, .target, .hook, .order, .promote, .remove, .shell, .boot, .reboot, .pause: return nil
            }
        }
    }

    /// What comes after a hook for a well allocation comes after it also if it had come before.
    private func reopened(by step: StepIndex, in hooks: AfterHooks, _ place: Place) -> [StepIndex] {
        guard let chain = place.chain, hooks.chains[chain].healthy.contains(step) else { return [] }
        return hooks.chains[chain].after
    }

    /// The hooks that come last for the allocation of a place.
    private func hooks(at stages: some Sequence<Stage>, after place: Place) -> [StepIndex] {
        for case .afterHooks(let hooks) in stages {
            return hooks.chains.first { $0.batch == place.stage && $0.chain == place.chain }?.steps ?? []
        }
        return []
    }

    /// The probes that come before the next batch.
    private func probes(at stages: some Sequence<Stage>) -> [StepIndex] {
        var probes: [StepIndex] = []
        for stage in stages {
            switch stage {
            case .single(let next):
                guard rules(next).isProbe else { return probes }
                probes.append(next)
            case .afterHooks: continue
            case .batch: return probes
            }
        }
        return probes
    }
}

extension StepGraph.Unit {
    /// What people are shown for it; stops and workers as a whole have names that no job has.
    public var name: String {
        switch kind {
        case .stops: "stops"
        case .job(let work): work.job.job.text
        case .workers: "workers"
        }
    }
}
