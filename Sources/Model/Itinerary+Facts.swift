/// What the plan says of a step.
extension Itinerary {
    /// The tree that an acting allocation ends with.
    public func tree(of worker: WorkerName, in job: JobName) -> Digest? {
        trees[AllocationID(job: job, worker: worker)]
    }

    /// The active allocations of a job, in the order in which it is rolled out.
    public func allWorkers(of job: Plan.Job) -> [WorkerName] { orders[job.job] ?? job.active }

    /// The active allocations of a job that the run has not left behind, in the order in which it is rolled out.
    public func activeWorkers(of job: Plan.Job) -> [WorkerName] {
        let all = allWorkers(of: job)
        if leftBehind.isEmpty { return all }
        return all.filter { !leftBehind.contains(AllocationID(job: job.job, worker: $0)) }
    }

    /// Whether the run goes on without the step's allocation.
    public func isLeftBehind(_ step: Int) -> Bool {
        steps[step].allocation.map(leftBehind.contains) ?? false
    }

    /// The allocations that a gate or a bake asks about: what runs at that moment. A later batch still starts or repairs
    /// the others.
    public func coverage(of probe: Int) -> [WorkerName] {
        guard let job = job(of: probe) else { return [] }
        let place = places[probe]
        let stages = units[place.unit].stages
        if batchGates.contains(probe) {
            let before = stages[..<place.stage].reversed().lazy.compactMap { stage -> Batch? in
                if case .batch(let batch) = stage { batch } else { nil }
            }
            return workers(of: before.first).filter { !leftBehind.contains(AllocationID(job: job.job, worker: $0)) }
        }
        var later = Set<WorkerName>()
        for case .batch(let batch) in stages[(place.stage + 1)...] {
            switch batch.cut?.phase {
            case .recover: later.formUnion(workers(of: batch))
            case .start, .jobControl:
                for step in batch.chains.lazy.compactMap(\.steps.first) where entry(of: step)?.action == .start {
                    if let worker = steps[step].worker { later.insert(worker) }
                }
            // What an upgrade has not reached yet runs as it did.
            case .upgrade, nil: break
            }
        }
        let active = activeWorkers(of: job)
        return later.isEmpty ? active : active.filter { !later.contains($0) }
    }

    private func workers(of batch: Batch?) -> [WorkerName] {
        batch?.chains.compactMap { chain in chain.steps.first.flatMap { steps[$0].worker } } ?? []
    }

    /// The allocations of the batches that a probe follows: back to the probe before it.
    public func allocations(before probe: Int) -> [AllocationID] {
        let place = places[probe]
        var found: [AllocationID] = []
        for stage in units[place.unit].stages[..<place.stage].reversed() {
            switch stage {
            case .single(let step): if !found.isEmpty || !steps[step].kind.isProbe { return found }
            case .batch(let batch):
                guard batch.cut != nil else { return found }
                found += batch.chains.compactMap { $0.steps.first.flatMap { steps[$0].allocation } }
            }
        }
        return found
    }

    /// The job that a step belongs to; nil for stops, whose job may be gone from the workspace.
    public func job(of step: Int) -> Plan.Job? {
        switch jobSource(of: step) {
        case .job(let wave, let job): plan.waves[wave].jobs[job]
        case .stop, .entry: nil
        }
    }

    func entry(at position: EntryPosition) -> Plan.Entry {
        plan.waves[position.wave].jobs[position.job].phases[position.phase].batches[position.batch][position.entry]
    }

    /// The batch entry of a step of one allocation.
    public func entry(of step: Int) -> Plan.Entry? {
        switch sources[step] {
        case .stop, .job: nil
        case .entry(let position): entry(at: position)
        }
    }

    /// What the plan takes the step's allocation to run before it acts; nil for steps of a job as a whole.
    public func from(of step: Int) -> FromState? {
        if let stop = stop(of: step) { return stop.from }
        guard let entry = entry(of: step) else { return nil }
        return job(of: step)?.from.first { $0.name == entry.from }?.value
    }

    /// The stop that a step carries out.
    public func stop(of step: Int) -> Plan.Stop? {
        switch sources[step] {
        case .stop(let index): plan.reconcile[index]
        case .entry, .job: nil
        }
    }

    /// The batch that a step is part of.
    public func batch(of step: Int) -> Batch? {
        switch units[places[step].unit].stages[places[step].stage] {
        case .batch(let batch): batch
        case .single: nil
        }
    }

    /// Whether the step's allocation was left behind once and is a part of the run again.
    public func isTakenIn(_ step: Int) -> Bool { steps[step].allocation.map(takenIn.contains) ?? false }

    /// What has to be passed again because of a new attempt of a step: the gate and the bake that come after its batch and
    /// before the next one; of an allocation that was taken in all that follows for the job as a whole, since it may have
    /// been passed without it.
    public func reopened(by step: Int) -> [Int] {
        guard isTakenIn(step) else { return probes(after: step) }
        return units[places[step].unit].stages[(places[step].stage + 1)...].compactMap { stage in
            guard case .single(let later) = stage, steps[later].kind.isProbe || steps[later].kind == .complete else {
                return nil
            }
            return later
        }
    }

    private func probes(after step: Int) -> [Int] {
        let place = places[step]
        guard place.chain != nil else { return [] }
        var probes: [Int] = []
        for stage in units[place.unit].stages[(place.stage + 1)...] {
            guard case .single(let next) = stage, steps[next].kind.isProbe else { break }
            probes.append(next)
        }
        return probes
    }

    /// Seconds that a step of the kind `hook` may take.
    public func hookTimeout(of step: Int) -> Int {
        let ofStop = stop(of: step) == nil ? nil : plan.stopHooks(of: steps[step].job)?.timeout
        return ofStop ?? job(of: step)?.timeouts.hook ?? Plan.Timeouts().hook
    }

    /// What a step of the kind `hook` runs.
    public func hook(of step: Int) -> Plan.Hook? {
        guard case .hook(let event, let command) = steps[step].kind else { return nil }
        let hooks =
            if stop(of: step) != nil {
                plan.stopHooks(of: steps[step].job)?.commands ?? []
            } else {
                job(of: step)?.hooks(event) ?? []
            }
        return hooks.first { $0.command == command }
    }
}
