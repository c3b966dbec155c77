internal import JobFiles
public import Model
public import Plans

extension Planner {
    /// Plans to run a command once on each selected worker.
    ///
    /// - Parameter hostKeys: see `plan`.
    /// - Throws: `PlanningError`.
    public static func planRunCommand(
        _ command: WorkerCommand, options: RunCommand.Options, _ workspace: Workspace,
        _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot, hostKeys: HostKeys = { _, _, _ in [] }
    ) throws -> PlanningResult {
        let selected = try selectedWorkers(options.selection, workspace, catalog)
        let batches = batches(of: selected, options.concurrency, spread: nil)
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        let names = Set(selected.map(\.name))
        var waves: [Int: [Plan.Job]] = [:]
        for job in workspace.jobs where options.hasGates && job.hasHealthCheck {
            let active = running(job, workspace, catalog)
            guard active.contains(where: names.contains) else { continue }
            waves[job.deploymentSequence, default: []].append(
                gated(job, active, ports[job.name] ?? [:], hooks: [.healthCheck]))
        }
        let work = RunCommand(
            command, options: options,
            workers: WorkerBatches(
                batches, maxUnreachable: options.maxUnreachable?.resolved(of: selected.count) ?? 0),
            gates: inOrder(waves))
        return result(.runCommand(work), names, workspace, configuration, catalog, ports, hostKeys)
    }

    /// Plans to reboot the selected workers, with their jobs stopped before and started after it.
    ///
    /// - Parameters:
    ///   - trees: content that was promoted earlier, by the digest that the catalog has. Asked only for jobs with hooks, or
    ///     with files that their service rewrites.
    ///   - hostKeys: see `plan`.
    /// - Throws: `PlanningError`, and what `trees` throws.
    public static func planReboot(
        _ rules: Reboot.Rules, options: Reboot.Options, _ workspace: Workspace, _ configuration: BucketConfiguration,
        _ catalog: CatalogSnapshot, trees: (Digest) throws -> Tree, hostKeys: HostKeys = { _, _, _ in [] }
    ) throws -> PlanningResult {
        let selected = try selectedWorkers(options.selection, workspace, catalog)
        try checkLeftovers(Set(selected.map(\.name)), workspace, catalog)
        let batches = batches(of: selected, options.concurrency, spread: options.spread)
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        var drain = Drain(order: batches.flatMap(\.self))
        for job in workspace.jobs { try drain.add(job, workspace, catalog, ports[job.name] ?? [:], trees) }
        if !drain.unfinished.isEmpty { throw PlanningError.unfinished(drain.unfinished) }
        for job in drain.waves.values.joined() { try checkBudget(of: job, batches, drain.unavailable[job.job] ?? []) }
        let work = Reboot(
            rules, options: options,
            workers: WorkerBatches(
                batches, maxUnreachable: options.maxUnreachable?.resolved(of: selected.count) ?? 0),
            stopped: drain.stopped, waves: inOrder(drain.waves))
        return result(.reboot(work), Set(batches.joined()), workspace, configuration, catalog, ports, hostKeys)
    }

    // MARK: Workers

    /// In the order of `workers.json`.
    private static func selectedWorkers(
        _ selection: Plan.Selection, _ workspace: Workspace, _ catalog: CatalogSnapshot
    ) throws(PlanningError) -> [Workspace.Worker] {
        let choice = try WorkerChoice(selection, workspace, catalog)
        let there = Set(workspace.workers.map(\.name))
        let gone = selection.workers.filter { !there.contains($0) }
        if !gone.isEmpty { throw .unknownWorkers(gone, known: there.sorted()) }
        return workspace.workers.filter { choice.contains($0.name) }
    }

    private static func batches(
        of workers: [Workspace.Worker], _ concurrency: HostCount?, spread: String?
    ) -> [[WorkerName]] {
        let size = max(concurrency?.resolved(of: workers.count) ?? 1, 1)
        return Plan.Batching(starts: 0, upgrades: size, spread: spread)
            .batches(of: workers, in: .operation, tag: { worker in spread.flatMap { worker.tags[$0] } })
            .map { $0.map(\.name) }
    }

    /// What still runs on workers although the workspace has it no more: nobody would start it again.
    private static func checkLeftovers(
        _ workers: Set<WorkerName>, _ workspace: Workspace, _ catalog: CatalogSnapshot
    ) throws(PlanningError) {
        var wanted = Set<AllocationID>()
        for job in workspace.jobs {
            for allocation in job.allocations where !allocation.isDisabled {
                wanted.insert(AllocationID(job: job.name, worker: workspace.workers[allocation.worker].name))
            }
        }
        let left = catalog.allocations.filter {
            $0.value.isRunning && workers.contains($0.key.worker) && !wanted.contains($0.key)
        }.keys.sorted()
        if !left.isEmpty { throw .runsUnwanted(left) }
    }

    // MARK: Jobs

    /// The allocations of the job that are meant to run, as far as they are deployed.
    fileprivate static func running(
        _ job: Workspace.Job, _ workspace: Workspace, _ catalog: CatalogSnapshot
    ) -> [WorkerName] {
        job.allocations.lazy.filter { !$0.isDisabled }.map { workspace.workers[$0.worker].name }.filter { worker in
            catalog.allocations[AllocationID(job: job.name, worker: worker)]?.isRunning == true
        }
    }

    /// A job that gates ask about.
    fileprivate static func gated(
        _ job: Workspace.Job, _ active: [WorkerName], _ ports: [String: Int], hooks: [HookEvent]
    ) -> Plan.Job {
        Plan.Job(
            job: job.name, version: "", active: active, from: [], content: [], changes: [],
            hooks: job.hooks.hooks(of: job.hasHealthCheck ? hooks : hooks.filter { $0 != .healthCheck }),
            rolloutOrder: .workers, batching: .init(starts: 0, upgrades: 1), repeatable: [],
            timeouts: job.manifest.timeouts, gateFirst: nil, phases: [], healthCheck: job.healthCheck(ports))
    }

    private static func inOrder(_ waves: [Int: [Plan.Job]]) -> [Plan.Wave] {
        waves.keys.sorted().map { Plan.Wave(deploymentSequence: $0, jobs: waves[$0] ?? []) }
    }

    /// Refuses a batch that would make more of the job unavailable than its manifest allows.
    private static func checkBudget(
        of job: Plan.Job, _ batches: [[WorkerName]], _ unavailable: [WorkerName]
    ) throws(PlanningError) {
        guard let budget = job.maxUnavailable else { return }
        let own = Set(job.entries.map(\.worker))
        for (index, batch) in batches.enumerated() {
            // What is unavailable already takes nothing more, so that a repair is never refused.
            let acting = batch.filter { own.contains($0) && !unavailable.contains($0) }
            let others = unavailable.filter { !batch.contains($0) }
            guard !acting.isEmpty, acting.count + others.count > budget else { continue }
            throw .budgetExceeded(job.job, batch: index + 1, acting: acting, unavailable: others, limit: budget)
        }
    }

    private static func result(
        _ work: Work, _ acting: Set<WorkerName>, _ workspace: Workspace, _ configuration: BucketConfiguration,
        _ catalog: CatalogSnapshot, _ ports: [JobName: [String: Int]], _ hostKeys: HostKeys
    ) -> PlanningResult {
        var needed = acting
        for job in work.waves.lazy.flatMap(\.jobs) { needed.formUnion(job.active) }
        var plan = Plan(
            fleet: configuration.fleet(workers(needed, workspace, configuration, catalog, hostKeys)),
            base: .init(catalogRevision: catalog.revision), policy: configuration.policy.withoutWayBack, work: work)
        plan.facts = facts(for: plan, workspace, ports, catalog)
        let hooked = Set(plan.modules.map(\.job))
        let modules = workspace.jobs.filter { hooked.contains($0.name) }.map {
            ($0.name, (all: [$0.hooks.modules], generated: [Digest: [UInt8]]()))
        }
        let (capture, kept) = content(workspace, Dictionary(modules) { first, _ in first })
        return PlanningResult(plan: plan, capture: capture, trees: kept, warnings: workspace.warnings)
    }
}

/// What is stopped and started for reboots.
private struct Drain {
    /// The workers, in the order in which they are rebooted.
    let order: [WorkerName]
    var waves: [Int: [Plan.Job]] = [:]
    var stopped: [Plan.Named<[WorkerName]>] = []
    var unfinished: [AllocationID] = []
    /// Allocations that count as unavailable before anything is stopped.
    var unavailable: [JobName: [WorkerName]] = [:]

    mutating func add(
        _ job: Workspace.Job, _ workspace: Workspace, _ catalog: CatalogSnapshot, _ ports: [String: Int],
        _ trees: (Digest) throws -> Tree
    ) throws {
        let own = Set(job.allocations.lazy.filter { !$0.isDisabled }.map { workspace.workers[$0.worker].name })
        var names = StateNames(count: order.count)
        var places: [FromState: Int] = [:]
        var entries: [Plan.Entry] = []
        var byHand: [WorkerName] = []
        var from: [Plan.Named<FromState>] = []
        for worker in order where own.contains(worker) {
            let id = AllocationID(job: job.name, worker: worker)
            let record = catalog.allocations[id] ?? .none
            let state = record.fromState
            if state.unfinished != nil { unfinished.append(id) }
            if state.stoppedByHand { byHand.append(worker) }
            guard record.isRunning, state.content != nil, state.unfinished == nil else { continue }
            let place = places[state] ?? places.count
            places[state] = place
            let (name, isFirst) = names.name(of: place, state)
            if isFirst { from.append(.init(name, state)) }
            entries.append(Plan.Entry(worker: worker, action: .run, reason: .requested, from: name))
        }
        if !byHand.isEmpty { stopped.append(.init(job.name.text, byHand)) }
        unavailable[job.name] = own.filter { worker in
            let record = catalog.allocations[AllocationID(job: job.name, worker: worker)] ?? .none
            return record.state == .stoppedByHand || record.unfinished != nil || record.failedGate
        }.sorted()
        if entries.isEmpty { return }
        let active = Planner.running(job, workspace, catalog)
        var plan = Planner.gated(job, active, ports, hooks: [.healthCheck, .jobControl])
        plan.demands = job.demands
        plan.from = from
        plan.phases = [.init(kind: .operation, batches: [entries], gate: .none)]
        plan.maxUnavailable = job.manifest.maxUnavailable?.resolved(of: active.count)
        plan = .operated(plan)
        try Planner.complete(&plan, of: job, trees)
        waves[job.deploymentSequence, default: []].append(plan)
    }
}

extension Planner {
    /// Adds what follows from the files that are deployed.
    ///
    /// - Throws: `PlanningError.otherHooks` if the job's hooks were changed since; and what `trees` throws.
    static func complete(
        _ plan: inout Plan.Job, of job: Workspace.Job, _ trees: (Digest) throws -> Tree
    ) throws {
        let globs = job.manifest.changedByService
        if plan.hooks == nil, globs.isEmpty { return }
        let own = Set(job.hooks.modules.entries)
        var paths = Set<PathBytes>()
        for content in plan.content {
            let tree = try trees(content.tree)
            if plan.hooks != nil, !own.isSubset(of: tree.entries) { throw PlanningError.otherHooks(job.name) }
            for entry in tree.entries
            where entry.kind != .emptyDirectory && globs.contains(where: { $0.matches(entry.path) }) {
                paths.insert(PathBytes(entry.path))
            }
        }
        plan.changedByService = paths.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.map(\.text)
    }
}
