/// What the plan says of a step.
extension Itinerary {
    /// The tree that an acting allocation ends with.
    public func tree(of worker: WorkerName, in job: JobName) -> Digest? {
        trees[AllocationID(job: job, worker: worker)]
    }

    /// The active allocations of a job, in the order in which it is rolled out.
    public func activeWorkers(of job: Plan.Job) -> [WorkerName] { orders[job.job] ?? job.active }

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

    /// The gate and the bake that come after a step's batch and before the next one; none for a step in no batch.
    public func probes(after step: Int) -> [Int] {
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
