internal import JobFiles
public import Model
public import Plans

extension Planner {
    /// Plans to run one target on allocations that are deployed.
    ///
    /// Batches and their order are those of an upgrade. What has to be promoted is: an allocation that never was, or that is
    /// unfinished, is refused, and so is one that is disabled and was named.
    ///
    /// - Parameters:
    ///   - trees: content that was promoted earlier, by the digest that the catalog has. Asked only for jobs with hooks, or
    ///     with files that their service rewrites.
    ///   - hostKeys: see `plan`.
    /// - Throws: `PlanningError`, and what `trees` throws.
    public static func planOperation(
        _ verb: Operation.Verb, options: Operation.Options, _ workspace: Workspace,
        _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot,
        trees: (Digest) throws -> Tree, hostKeys: HostKeys = { _, _, _ in [] }
    ) throws -> PlanningResult {
        let known = workspace.jobs.map(\.name)
        let unknown = options.jobs.filter { !known.contains($0) }
        if !unknown.isEmpty { throw PlanningError.unknownJobs(unknown, known: known.sorted()) }
        let choice = try WorkerChoice(options.selection, workspace, catalog)
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        var waves: [Int: [Plan.Job]] = [:]
        var stopped: [Plan.Named<[WorkerName]>] = []
        var warnings = workspace.warnings
        var content: [JobName: (all: [Tree], generated: [Digest: [UInt8]])] = [:]
        for job in workspace.jobs where options.jobs.contains(job.name) {
            let planner = OperationPlanner(
                job, verb: verb, options: options, workers: workspace.workers, records: catalog.allocations,
                choice: choice)
            let outcome = try planner.plan(ports[job.name] ?? [:], catalog.jobs[job.name] ?? JobRecord())
            if let stale = outcome.staleOrder { warnings.append(job.warning(stale, workspace)) }
            if !outcome.stopped.isEmpty { stopped.append(.init(job.name.text, outcome.stopped)) }
            guard var plan = outcome.plan else { continue }
            try complete(&plan, of: job, trees)
            waves[job.deploymentSequence, default: []].append(plan)
            if plan.hooks != nil { content[job.name] = ([job.hooks.modules], [:]) }
        }
        let ordered = waves.keys.sorted(by: verb == .stop ? (>) : (<)).map {
            Plan.Wave(deploymentSequence: $0, jobs: waves[$0] ?? [])
        }
        var plan = Plan(
            fleet: configuration.fleet(
                workers([], [], ordered, workspace, configuration, catalog, hostKeys)),
            base: .init(catalogRevision: catalog.revision), policy: configuration.policy.withoutWayBack,
            work: .operation(Operation(verb, options: options, stopped: stopped, waves: ordered)))
        plan.facts = facts(for: plan, workspace, ports, catalog)
        let (capture, kept) = self.content(workspace, content)
        return PlanningResult(plan: plan, capture: capture, trees: kept, warnings: warnings)
    }
}

/// Plans what is done to one job by an operation.
private struct OperationPlanner {
    let job: Workspace.Job
    let verb: Operation.Verb
    let options: Operation.Options
    let workers: [Workspace.Worker]
    let records: [AllocationID: AllocationRecord]
    let choice: WorkerChoice

    init(
        _ job: Workspace.Job, verb: Operation.Verb, options: Operation.Options, workers: [Workspace.Worker],
        records: [AllocationID: AllocationRecord], choice: WorkerChoice
    ) {
        self.job = job
        self.verb = verb
        self.options = options
        self.workers = workers
        self.records = records
        self.choice = choice
    }

    struct Outcome {
        /// Nil if nothing is to be done.
        var plan: Plan.Job?
        /// Allocations that a person has stopped, and that stay so.
        var stopped: [WorkerName] = []
        var staleOrder: RolloutOrder.Stale?
    }

    /// An allocation that acts.
    private struct Actor {
        var worker: WorkerName
        var from: FromState
        var tag: String?
    }

    func plan(_ ports: [String: Int], _ record: JobRecord) throws(PlanningError) -> Outcome {
        var outcome = Outcome()
        var active: [WorkerName] = []
        var actors: [Actor] = []
        var refused = Refusals()
        // What does not run, and is not brought to run: no gate asks it.
        var idle = Set<WorkerName>()
        for allocation in job.allocations {
            let worker = workers[allocation.worker]
            let id = AllocationID(job: job.name, worker: worker.name)
            let isSelected = choice.contains(worker.name)
            if allocation.isDisabled {
                if options.selection.workers.contains(worker.name) { refused.disabled.append(id) }
                continue
            }
            active.append(worker.name)
            let record = records[id] ?? .none
            let state = record.fromState
            // Files that somebody has changed are no reason where they may be so.
            var isUnfinished = options.allowsDrift ? record.unfinished != nil : state.unfinished != nil
            // A target by itself that did not end leaves the promoted files, and maybe nothing that runs.
            if verb == .start, state.isInterrupted { isUnfinished = false }
            let isDeployed = state.content != nil && !state.stopped
            if state.stoppedByHand, !isSelected || verb != .start {
                outcome.stopped.append(worker.name)
                idle.insert(worker.name)
            } else if !isSelected {
                if !isDeployed { idle.insert(worker.name) }
            } else if isUnfinished {
                refused.unfinished.append(id)
            } else if !isDeployed {
                refused.absent.append(id)
            } else {
                actors.append(
                    Actor(worker: worker.name, from: state, tag: job.manifest.spread.flatMap { worker.tags[$0] }))
            }
        }
        try refused.check()
        try checkNames()
        var source = OrderSource.workers
        if let text = job.rolloutOrder(record) {
            switch RolloutOrder.resolve(text, active: active) {
            case .success(let order):
                source = .keyValue
                let ranks = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($0.element, $0.offset) })
                active = order
                actors.sort { ranks[$0.worker] ?? 0 < ranks[$1.worker] ?? 0 }
            case .failure(let stale): outcome.staleOrder = stale
            }
        }
        active.removeAll { idle.contains($0) }
        if !actors.isEmpty { outcome.plan = part(active, source, actors, ports) }
        return outcome
    }

    /// An allocation that is named, and that the job does not have, would be left out without a word.
    private func checkNames() throws(PlanningError) {
        guard !options.selection.workers.isEmpty, options.jobs.count == 1 else { return }
        let own = Set(job.allocations.map { workers[$0.worker].name })
        let others = options.selection.workers.filter { !own.contains($0) }
        if !others.isEmpty { throw .notOfJob(others, job.name, known: own.sorted()) }
    }

    private func part(
        _ active: [WorkerName], _ source: OrderSource, _ actors: [Actor], _ ports: [String: Int]
    ) -> Plan.Job {
        var batching = job.manifest.batching(active: active.count)
        if let limit = options.maxUnreachable { batching.maxUnreachable = limit.resolved(of: active.count) }
        if let batch = options.batch {
            batching.upgrades = max(batch.resolved(of: active.count), 1)
            batching.first = []
        }
        let hasGate = options.hasGate && verb != .stop && job.hasHealthCheck
        if !hasGate { batching.bakeSeconds = 0 }
        var names = StateNames(count: actors.count)
        var from: [Plan.Named<FromState>] = []
        var places: [FromState: Int] = [:]
        let batches = batching.batches(of: actors, in: .operation, tag: \.tag).map { batch in
            batch.map { actor in
                let place = places[actor.from] ?? places.count
                places[actor.from] = place
                let (name, isFirst) = names.name(of: place, actor.from)
                if isFirst { from.append(.init(name, actor.from)) }
                return Plan.Entry(worker: actor.worker, action: verb.action, reason: .requested, from: name)
            }
        }
        var events = [HookEvent.jobControl] + HookEvent.around.filter { verb != .stop || $0 != .afterAllocationHealthy }
        if hasGate { events.append(.healthCheck) }
        return .operated(
            Plan.Job(
                job: job.name, version: "", demands: job.demands, active: active, from: from, content: [], changes: [],
                hooks: job.hooks.hooks(of: events), rolloutOrder: source, batching: batching,
                repeatable: job.manifest.repeatable.filter { $0 == verb.action },
                changedByService: [], timeouts: job.manifest.timeouts, gateFirst: nil,
                phases: [.init(kind: .operation, batches: batches, gate: hasGate ? .afterEachBatch : .none)],
                healthCheck: hasGate ? job.healthCheck(ports) : nil))
    }
}

/// Allocations on which a target cannot run.
private struct Refusals {
    var disabled: [AllocationID] = []
    var unfinished: [AllocationID] = []
    var absent: [AllocationID] = []

    func check() throws(PlanningError) {
        if !disabled.isEmpty { throw .disabled(disabled) }
        if !unfinished.isEmpty { throw .unfinished(unfinished) }
        if !absent.isEmpty { throw .notDeployed(absent) }
    }
}
