internal import Model

/// Builds the units of a plan's step graph. How a job's unit is built depends on the kind of the plan; each kind has a file.
struct GraphBuilder {
    let plan: Plan
    private(set) var steps: Table<StepIndex, Step> = []
    /// Steps of a unit that is built again, by id.
    private var known: [StepID: StepIndex] = [:]

    init(_ plan: Plan) { self.plan = plan }

    /// - Parameter unit: the steps of the unit that is built again; those that it keeps keep their indices.
    init(_ plan: Plan, steps: Table<StepIndex, Step>, of unit: [StepIndex]) {
        self.plan = plan
        self.steps = steps
        for step in unit { known[steps[step].id] = step }
    }

    /// All units of the plan, with the orders that hooks have set.
    mutating func units(_ orders: [JobName: [WorkerName]]) -> Table<UnitIndex, StepGraph.Unit> {
        var units: Table<UnitIndex, StepGraph.Unit> = []
        switch plan.work {
        case .deploy, .jobCommand, .operation: break
        case .runCommand(let command): return [commandUnit(command)]
        case .reboot(let reboot): return [rebootUnit(reboot)]
        }
        if !plan.reconcile.isEmpty, !plan.stopsAreLast { units.append(stops(level: -1)) }
        for (level, wave) in plan.waves.enumerated() {
            for job in wave.jobs {
                units.append(unit(of: JobWork(job, isRollback: plan.origin != nil), level: level, orders[job.job]))
            }
        }
        if !plan.reconcile.isEmpty, plan.stopsAreLast { units.append(stops(level: plan.waves.count)) }
        return units
    }

    /// The unit of one job.
    ///
    /// - Parameter order: the one that hooks have set; nil for the plan's.
    mutating func unit(of work: JobWork, level: Int, _ order: [WorkerName]?) -> StepGraph.Unit {
        var unit = StepGraph.Unit(
            .job(work), level: level, demands: demands(of: work.job), maxFailures: work.job.batching.maxFailures)
        switch plan.work {
        case .deploy: addDeploy(of: work, order, to: &unit)
        case .jobCommand(let command): addHooks(command.event, of: work, order, to: &unit)
        case .operation(let operation): add(operation, of: work, to: &unit)
        // They have no units of jobs.
        case .runCommand, .reboot: break
        }
        return unit
    }

    private func demands(of job: Plan.Job) -> [JobName] {
        guard plan.isReversed else { return job.demands }
        return plan.waves.flatMap(\.jobs).filter { $0.demands.contains(job.job) }.map(\.job)
    }

    /// What the ids of steps begin with that take back the run of which they are a part.
    static let rollbackPrefix = "\(WayBack.reservedName)/"

    /// Adds a step, unless the unit that is built again has it.
    mutating func add(_ task: StepTask, _ prefix: String, _ subject: Subject) -> StepIndex {
        let id = StepID("\(plan.isPartOfRun ? Self.rollbackPrefix : "")\(prefix)/\(task.rules.verb)")
        if let known = known[id] {
            // By another order a batch has another first allocation.
            steps[known] = Step(id: id, subject: subject, task: task)
            return known
        }
        return steps.append(Step(id: id, subject: subject, task: task))
    }

    /// A stage for each command of an event: it runs for every active allocation, and for disabled ones, side by side; before
    /// planning for one after the other, as in Maand.
    mutating func addHooks(
        _ event: HookEvent, of work: JobWork, _ order: [WorkerName]?, to unit: inout StepGraph.Unit
    ) {
        let job = work.job
        for hook in work.hooks[event] ?? [] {
            let chains = ((order ?? job.active) + job.disabled).map { worker in
                StepGraph.Chain(
                    steps: [
                        add(
                            .hook(HookTask(work: hook, purpose: .job(work, worker))),
                            "\(job.job)/\(event.rawValue)/\(worker)",
                            .allocation(AllocationID(job: job.job, worker: worker)))
                    ], promote: nil)
            }
            let stages = event == .postBuild ? chains.map { [$0] } : chains.isEmpty ? [] : [chains]
            for chains in stages { unit.stages.append(.batch(.init(chains: Table(chains), position: nil))) }
        }
    }

    // MARK: Stops

    /// Consecutive stops of one job are carried out in parallel; another job's stops wait for them, since the planner lists
    /// dependents before what they demand. After the waves nothing is stopped before every job has succeeded, since what is
    /// stopped may still be asked by them.
    private mutating func stops(level: Int) -> StepGraph.Unit {
        var unit = StepGraph.Unit(.stops, level: level, demands: level < 0 ? [] : plan.waves.flatMap(\.jobs).map(\.job))
        var rest = plan.reconcile[...]
        while let job = rest.first?.allocation.job {
            let stops = rest.prefix { $0.allocation.job == job }
            rest = rest.dropFirst(stops.count)
            let works = works(of: stops, job)
            let prefix = "\(job)/stop/1"
            let lead = addLead(works.map { .stop($0) }, prefix)
            let chains = works.map { work in
                let before = addBefore(.stop(work), prefix)
                return chain(of: work).led(by: before)
            }
            let stage = unit.stages.append(
                .batch(.init(lead: lead, chains: Table(chains), position: .init(phase: nil, index: 0, count: 1))))
            var around = HooksAround()
            for (index, work) in works.enumerated() { around.note(.stop(work), stage, ChainIndex(index), prefix) }
            addAfter(&around, gate: nil, to: &unit)
        }
        return unit
    }

    /// The stops of one job, with the hooks that all of them have in common.
    private func works(of stops: ArraySlice<Plan.Stop>, _ job: JobName) -> [StopWork] {
        let staying =
            plan.waves.lazy.flatMap(\.jobs).first { $0.job == job && $0.gateFirst == .afterStops }?.active ?? []
        guard let hooks = plan.stopHooks(of: job) else { return stops.map { StopWork($0, [], staying: staying) } }
        func works(_ event: HookEvent) -> [HookWork] {
            hooks[event].map { HookWork(event, $0, modules: hooks.modules, timeout: hooks.timeout) }
        }
        let around = Dictionary(uniqueKeysWithValues: Plan.StopHooks.events.map { ($0, works($0)) })
        let stopped = works(.afterAllocationStopped)
        return stops.map { StopWork($0, stopped, around: around, staying: staying) }
    }

    /// A removed allocation keeps its files until its hooks have seen it stopped.
    private mutating func chain(of work: StopWork) -> StepGraph.Chain {
        let allocation = work.stop.allocation
        let prefix = "\(allocation.job)/stop/1/\(allocation.worker)"
        let subject = Subject.allocation(allocation)
        var steps = [add(.target(Target(purpose: .stop(work))), prefix, subject)]
        for hook in work.hooks {
            let task = HookTask(work: hook, purpose: .stop(work))
            steps.append(add(.hook(task), "\(prefix)/\(hook.event.rawValue)", subject))
        }
        if work.stop.end == .removed { steps.append(add(.remove(Remove(work: work)), prefix, subject)) }
        return StepGraph.Chain(steps: steps, promote: nil)
    }
}
