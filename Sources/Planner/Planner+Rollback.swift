public import Model
public import Plans
internal import Templates

/// A run that is to be taken back, as it is recorded.
public struct PastRun: Sendable {
    public var id: RunID
    /// What it executed.
    public var plan: Plan
    /// Allocations of which it has begun anything.
    public var begun: Set<AllocationID>
    /// The run that last changed what is recorded of each allocation.
    public var lastRuns: [AllocationID: RunID]
    /// Numbers that the jobs' ports had before it.
    public var earlierPorts: [JobName: [String: Int]]

    public init(
        id: RunID, plan: Plan, begun: Set<AllocationID>, lastRuns: [AllocationID: RunID] = [:],
        earlierPorts: [JobName: [String: Int]] = [:]
    ) {
        self.id = id
        self.plan = plan
        self.begun = begun
        self.lastRuns = lastRuns
        self.earlierPorts = earlierPorts
    }
}

extension Planner {
    /// Plans to take a run back: what it has begun or promoted goes back to what it was before.
    ///
    /// - Parameters:
    ///   - jobs: only these; empty means all.
    ///   - trees: content that was deployed before and by the run, by digest.
    ///   - files: files of such content.
    /// - Throws: `PlanningError`, and what `trees` and `files` throw.
    public static func planRollback(
        of run: PastRun, jobs: [JobName], _ workspace: Workspace, _ configuration: BucketConfiguration,
        _ catalog: CatalogSnapshot, trees: @escaping (Digest) throws -> Tree,
        files: @escaping (Digest) throws -> [UInt8], hostKeys: HostKeys = { _, _, _ in [] }
    ) throws -> PlanningResult {
        guard case .deploy(var forth) = run.plan.work else {
            throw PlanningError.notTakenBack(
                run.id, "its plan is of the kind \(run.plan.kind.rawValue), and only deploys are rolled back")
        }
        let known = forth.waves.flatMap(\.jobs).map(\.job)
        let unknown = jobs.filter { !known.contains($0) }
        if !unknown.isEmpty { throw PlanningError.unknownJobs(unknown, known: known.sorted()) }
        let isSelected: (JobName) -> Bool = { jobs.isEmpty || jobs.contains($0) }
        forth.keepJobs(isSelected)
        // What was stopped or removed since runs nothing that could be taken back.
        let begun = run.begun.filter { isSelected($0.job) && catalog.allocations[$0]?.state == .active }
        forth.keepActive(known: Set(workspace.workers.map(\.name)), begun, catalog)
        try check(begun, of: run, forth, catalog) { content in
            // Whatever values the secrets in it had.
            let same = try? RenewedTree(of: trees(content), content: files) { _ in
                SecretFingerprint(hex: String(repeating: "0", count: 64))
            }
            return same?.tree.digest ?? content
        }
        var back = WayBackPlanner(
            forth, workspace, EarlierContent(tree: trees, file: files), ports: { run.earlierPorts[$0] ?? [:] },
            fingerprint: { catalog.fingerprint(of: $0, workspace.provided) })
        let tags = Dictionary(workspace.workers.map { ($0.name, $0.tags) }) { first, _ in first }
        let part = try back.plan().deploy(
            .init(rollback: run.id), options: .init(jobs: jobs),
            from: catalog.allocations.filter { begun.contains($0.key) }
        ) { tag, worker in tags[worker]?[tag] }
        var deploy = try back.exact(part)
        deploy.nameCertificates(catalog)
        try checkTrust(of: deploy.waves, catalog)
        try checkWorkers(of: deploy, run, workspace)
        var plan = Plan(
            fleet: configuration.fleet(
                workers([], deploy.reconcile, deploy.waves, workspace, configuration, catalog, hostKeys)),
            base: .init(catalogRevision: catalog.revision), policy: configuration.policy.withoutWayBack,
            work: .deploy(deploy))
        plan.facts = facts(
            for: plan, workspace, try PortAssignment(workspace, catalog: catalog).ports, catalog)
        plan.takeCertificatesOfFiles()
        var modules: [JobName: (all: [Tree], generated: [Digest: [UInt8]])] = [:]
        for job in workspace.jobs where plan.stopHooks(of: job.name) != nil {
            modules[job.name] = ([job.hooks.modules], [:])
        }
        let (capture, kept) = content(workspace, modules)
        return PlanningResult(
            plan: plan, capture: capture + back.kept.capture, trees: kept + back.modules + back.kept.trees,
            warnings: workspace.warnings)
    }

    /// Refuses what a later run has brought elsewhere: it would be taken back, too.
    ///
    /// - Parameter files: two contents have the same if only values of secrets differ: a way back has brought those of its time.
    private static func check(
        _ begun: Set<AllocationID>, of run: PastRun, _ forth: Deploy, _ catalog: CatalogSnapshot,
        files: (Digest) -> Digest
    ) throws(PlanningError) {
        var others: [RunID?: [AllocationID]] = [:]
        for job in forth.waves.lazy.flatMap(\.jobs) {
            let work = JobWork(job)
            for entry in job.entries {
                let id = AllocationID(job: job.job, worker: entry.worker)
                guard begun.contains(id), let before = work.from(of: entry) else { continue }
                let record = catalog.allocations[id] ?? .none
                let isBack = record.isBack(to: before)
                // A way back of it may have begun, and then found no end.
                let known = [work.tree(of: entry.worker), before.content].compactMap { $0 }
                let now = record.unfinished?.content ?? record.promoted?.content
                if isBack || (record.state == .active && now.map(known.contains) == true) { continue }
                if record.state == .active, let now, known.contains(where: { files($0) == files(now) }) { continue }
                others[run.lastRuns[id], default: []].append(id)
            }
        }
        guard !others.isEmpty else { return }
        let lines = others.sorted { ($0.key?.number ?? 0) < ($1.key?.number ?? 0) }.map { later, allocations in
            "\(later.map { "run \($0)" } ?? "something") has changed \(allocations.sorted().map(\.description).listed(first: 20))"
        }
        throw .notTakenBack(
            run.id,
            lines.joined(separator: "; ") + " since. Take that run back first, or leave these jobs out with --jobs")
    }

    /// On a worker that has left the workspace nothing is deployed any more.
    private static func checkWorkers(
        of deploy: Deploy, _ run: PastRun, _ workspace: Workspace
    ) throws(PlanningError) {
        let known = Set(workspace.workers.map(\.name))
        let gone = Set(deploy.waves.lazy.flatMap(\.jobs).flatMap(\.active)).subtracting(known).sorted()
        guard gone.isEmpty else {
            throw .notTakenBack(
                run.id,
                "workers.json does not have these workers any more: \(gone.map(\.text).listed(first: 20)). Put them "
                    + "back for the time being, or leave their jobs out with --jobs")
        }
    }
}

extension AllocationRecord {
    /// Whether a way back has brought it to what it was.
    fileprivate func isBack(to before: FromState) -> Bool {
        switch state {
        case .active: fromState == before
        case .stopped: before.stopped
        case .stoppedByHand: before.stoppedByHand
        case .removed: before.content == nil
        }
    }
}

extension Deploy {
    /// Leaves out of gates and hooks what runs no more: it was stopped, or its worker is gone.
    fileprivate mutating func keepActive(
        known: Set<WorkerName>, _ begun: Set<AllocationID>, _ catalog: CatalogSnapshot
    ) {
        for wave in waves.indices {
            for index in waves[wave].jobs.indices {
                let job = waves[wave].jobs[index].job
                waves[wave].jobs[index].active.removeAll { worker in
                    let id = AllocationID(job: job, worker: worker)
                    return !begun.contains(id)
                        && (!known.contains(worker) || catalog.allocations[id]?.state != .active)
                }
            }
        }
    }

    /// Leaves other jobs out.
    fileprivate mutating func keepJobs(_ isSelected: (JobName) -> Bool) {
        for wave in waves.indices { waves[wave].jobs.removeAll { !isSelected($0.job) } }
        waves.removeAll { $0.jobs.isEmpty }
        reconcile.removeAll { !isSelected($0.allocation.job) }
        stopHooks.removeAll { !isSelected($0.job) }
    }
}
