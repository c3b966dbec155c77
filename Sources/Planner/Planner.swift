internal import JobFiles
public import Model
public import Plans
public import YAML

/// What planning gives: the plan, and what has to be kept so that it can be applied later.
public struct PlanningResult: Sendable {
    public var plan: Plan
    /// Files and texts of links that the plan pushes; each digest once.
    public var capture: [Capture]
    /// The trees that the plan ends with.
    public var trees: [Tree]
    /// Things about the workspace that are accepted and probably not meant.
    public var warnings: [Diagnostic]

    /// One object of content, and where it is now.
    public struct Capture: Sendable {
        public var digest: Digest
        public var source: Source

        public init(digest: Digest, source: Source) {
            self.digest = digest
            self.source = source
        }

        public enum Source: Sendable {
            case bytes([UInt8])
            /// Path of a regular file.
            case file(String)
        }
    }
}

/// Makes plans.
///
/// Planning is pure: the same workspace, configuration, catalog and options give the same plan. There is no clock, no
/// randomness, no network, no write, and nothing of the workspace is run.
///
/// ```swift
/// let workspace = try Workspace.read("workspace", configuration)
/// let result = try Planner.plan(workspace, configuration, catalog, trees: store.tree)
/// let file = PlanFile(result.plan)
/// ```
public enum Planner {
    /// Fingerprints (`SHA256:...`) of the host keys that are known for an address, a port and a user.
    public typealias HostKeys = (_ address: String, _ port: Int, _ user: String) -> [String]

    /// Plans a rollout.
    ///
    /// - Parameters:
    ///   - trees: content that was promoted or begun earlier, by the digest that the catalog has. Asked only where an
    ///     allocation does not have the workspace's content, or is stopped.
    ///   - files: files of such content, by digest. Asked only if the plan has a way back, for manifests and for what is kept
    ///     of files with secrets.
    ///   - hostKeys: what is known of the host keys of workers that are reached over ssh.
    ///   - options: order and repetition of `jobs` mean nothing.
    /// - Throws: `PlanningError`, and what `trees` and `files` throw.
    public static func plan(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot,
        trees oldTrees: @escaping (Digest) throws -> Tree,
        files: @escaping (Digest) throws -> [UInt8] = { throw PlanningError.contentMissing($0) },
        hostKeys: HostKeys = { _, _, _ in [] }, options: Plan.Options = .init()
    ) throws -> PlanningResult {
        var options = options
        options.jobs = Set(options.jobs).sorted()
        options.recover = Set(options.recover).sorted()
        try checkSelection(options.jobs, workspace, catalog)
        try checkRecovery(options, workspace)
        let found = Renames(workspace, configuration, catalog, hostKeys)
        guard found.blocked.isEmpty else { throw PlanningError.namesTaken(found.blocked) }
        let renames = found.all
        let catalog = catalog.renamed(renames)
        let choice = try WorkerChoice(options.selection, workspace, catalog)
        let isSelected: (JobName) -> Bool =
            options.jobs.isEmpty ? { _ in true } : { [jobs = Set(options.jobs)] in jobs.contains($0) }
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        var templates = TemplateInput(workspace, configuration, catalog, ports)
        try checkCertificates(workspace, catalog, choice, options, isSelected, &templates)
        var collected = Collected(workspace.warnings)
        collected.add(removals(workspace, catalog).filter { isSelected($0.allocation.job) }, choice)
        try collected.addJobs(of: workspace, catalog, choice, options, isSelected, ports, &templates, oldTrees)
        let waves = collected.ordered
        if options.syncOnly { try checkSyncOnly(waves) }
        allowMissingMakefiles(of: &collected.stops, trees: oldTrees)
        let reconcile = inOrder(collected.stops, workspace)
        var deploy = Deploy(
            options: options, unchanged: collected.unchanged, renames: renames, reconcile: reconcile,
            stopHooks: stopHooks(reconcile, workspace), waves: waves, stoppedByHand: collected.stopped,
            excluded: collected.leftOut)
        deploy.failedBefore = failedBefore(waves, catalog, collected.trees.values.flatMap(\.all), oldTrees)
        deploy.unmatched = workspace.unmatched(isSelected)
        deploy.drained = drained(waves, workspace.jobs.filter { isSelected($0.name) }, workspace, catalog)
        var policy = configuration.policy
        policy.onFailure = options.onFailure ?? policy.onFailure
        if policy.onFailure == .rollback {
            deploy.wayBack = try collected.wayBack(
                of: deploy, workspace, EarlierContent(tree: oldTrees, file: files), catalog)
        }
        deploy.nameCertificates(catalog)
        try checkTrust(of: deploy.wayBack?.waves ?? [], catalog)
        for due in try dueBuilds(workspace, catalog) where isSelected(due.job) {
            collected.warnings.append(due.warning(workspace))
        }
        var plan = Plan(
            fleet: configuration.fleet(
                workers(renames, reconcile, waves, workspace, configuration, catalog, hostKeys)),
            base: .init(catalogRevision: catalog.revision), policy: policy, work: .deploy(deploy))
        collected.keepStopHooks(of: plan, workspace)
        plan.facts = facts(for: plan, workspace, ports, catalog)
        return collected.result(plan, workspace)
    }

    // MARK: Checks

    private static func checkSelection(
        _ selected: [JobName], _ workspace: Workspace, _ catalog: CatalogSnapshot
    ) throws(PlanningError) {
        if selected.isEmpty { return }
        // A removed job that still has to be stopped can be selected, too.
        let there = catalog.allocations.lazy.filter { $0.value.isThere }.map { $0.key.job }
        let known = Set(workspace.jobs.map(\.name)).union(there)
        let unknown = selected.filter { !known.contains($0) }
        if !unknown.isEmpty { throw .unknownJobs(unknown, known: known.sorted()) }
    }

    private static func checkRecovery(_ options: Plan.Options, _ workspace: Workspace) throws(PlanningError) {
        let known = Set(workspace.jobs.map(\.name))
        let unknown = options.recover.filter { !known.contains($0) }
        if !unknown.isEmpty { throw .unknownJobs(unknown, known: known.sorted()) }
        let left = options.recover.filter { !options.jobs.isEmpty && !options.jobs.contains($0) }
        if !left.isEmpty { throw .recoversOthers(left) }
    }

    private static func checkSyncOnly(_ waves: [Plan.Wave]) throws(PlanningError) {
        var starts: [AllocationID] = []
        for job in waves.lazy.flatMap(\.jobs) {
            for entry in job.entries where entry.action == .start {
                starts.append(AllocationID(job: job.job, worker: entry.worker))
            }
        }
        if !starts.isEmpty { throw .startsNeeded(starts) }
    }

    // MARK: Stops

    /// Stops of what is on workers and no longer in the workspace.
    private static func removals(_ workspace: Workspace, _ catalog: CatalogSnapshot) -> [Plan.Stop] {
        let jobs = Dictionary(uniqueKeysWithValues: workspace.jobs.map { ($0.name, $0) })
        var wanted: [JobName: Set<WorkerName>] = [:]
        for job in workspace.jobs {
            wanted[job.name] = Set(job.allocations.map { workspace.workers[$0.worker].name })
        }
        let unmatched = Set(workspace.unmatched { _ in true }.map(\.job))
        return catalog.allocations.compactMap { id, record in
            guard record.isThere, wanted[id.job]?.contains(id.worker) != true else { return nil }
            return jobs[id.job]?.stop(id, unmatched.contains(id.job) ? .noWorkerMatches : .removed, record)
                ?? Plan.Stop(
                    allocation: id, reason: .removed, from: record.fromState, timeout: Plan.Timeouts().action)
        }
    }

    /// What was rolled out by a `job_control` command may have been without a Makefile. The workspace may not have the job
    /// any more, or another one of its name; what is deployed says so.
    private static func allowMissingMakefiles(
        of stops: inout [Plan.Stop], trees: (Digest) throws -> Tree
    ) {
        var known: [Digest: Bool] = [:]
        for index in stops.indices where !stops[index].isMakefileOptional {
            // Stopped already, or begun and not ended: an interrupted run may have removed the files, or not pushed any.
            let from = stops[index].from
            if from.stopped || from.content == nil || from.unfinished != nil {
                stops[index].isMakefileOptional = true
                continue
            }
            guard let content = stops[index].from.content ?? stops[index].from.unfinished else { continue }
            // Where the tree is not known any more, the worker will say what it has.
            let isMissing =
                known[content] ?? (try? trees(content)).map { $0.entries.allSatisfy { $0.path != "Makefile" } } ?? false
            known[content] = isMissing
            stops[index].isMakefileOptional = isMissing
        }
    }

    /// Dependents before what they demand. Jobs that left the workspace come first: nothing in it demands them.
    private static func inOrder(_ stops: [Plan.Stop], _ workspace: Workspace) -> [Plan.Stop] {
        if stops.isEmpty { return [] }
        let levels = Dictionary(uniqueKeysWithValues: workspace.jobs.map { ($0.name, $0.deploymentSequence) })
        let places = Dictionary(
            uniqueKeysWithValues: workspace.workers.enumerated().map { ($0.element.name, $0.offset) })
        return stops.sorted { a, b in
            let (left, right) = (levels[a.allocation.job] ?? Int.max, levels[b.allocation.job] ?? Int.max)
            if left != right { return left > right }
            if a.allocation.job != b.allocation.job { return a.allocation.job < b.allocation.job }
            let first = places[a.allocation.worker] ?? Int.max
            let second = places[b.allocation.worker] ?? Int.max
            return first == second ? a.allocation.worker < b.allocation.worker : first < second
        }
    }

    /// What runs around stops and when allocations were stopped, for each job of the workspace with such hooks, in the order of the stops.
    private static func stopHooks(_ stops: [Plan.Stop], _ workspace: Workspace) -> [Plan.StopHooks] {
        let jobs = Dictionary(uniqueKeysWithValues: workspace.jobs.map { ($0.name, $0) })
        var seen = Set<JobName>()
        return stops.lazy.map(\.allocation.job).filter { seen.insert($0).inserted }.compactMap { name in
            jobs[name]?.stopHooks
        }
    }

    // MARK: Workers and content

    static func workers(
        _ renames: [Plan.Rename], _ reconcile: [Plan.Stop], _ waves: [Plan.Wave], _ workspace: Workspace,
        _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot, _ hostKeys: HostKeys
    ) -> [PlanWorker] {
        var needed = Set(renames.map(\.to) + reconcile.map(\.allocation.worker))
        for job in waves.lazy.flatMap(\.jobs) { needed.formUnion(job.active) }
        return workers(needed, workspace, configuration, catalog, hostKeys)
    }

    /// Every worker of the workspace, those beside it on which something is recorded, and others.
    public static func workers(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot,
        and others: Set<WorkerName> = [], hostKeys: HostKeys
    ) -> [PlanWorker] {
        let there = catalog.allocations.lazy.filter { $0.value.isThere }.map { $0.key.worker }
        return workers(
            Set(workspace.workers.map(\.name)).union(there).union(others), workspace, configuration, catalog, hostKeys)
    }

    /// Those of the workspace first, in its order.
    static func workers(
        _ names: Set<WorkerName>, _ workspace: Workspace, _ configuration: BucketConfiguration,
        _ catalog: CatalogSnapshot, _ hostKeys: HostKeys
    ) -> [PlanWorker] {
        var needed = names
        var workers: [PlanWorker] = []
        for worker in workspace.workers where needed.remove(worker.name) != nil {
            var known = PlanWorker(
                worker: worker.name, address: worker.address,
                ssh: identity(port: worker.port, user: worker.user, configuration), zone: worker.tags["zone"])
            known.tags = worker.tags.filter { $0.key != "zone" }
            workers.append(known)
        }
        for name in needed.sorted() {
            // As it was last reached; where that is not known, as a worker without settings of its own.
            var worker = catalog.workers[name] ?? PlanWorker(worker: name, address: name.text)
            switch configuration.transport {
            case .local: worker.ssh = nil
            case .ssh: worker.ssh = worker.ssh ?? identity(port: nil, user: nil, configuration)
            }
            // A plan may have named it otherwise since, and not come so far as to see it.
            if let machine = catalog.machines[name] { worker.place(as: machine) }
            // What it was tagged with is the catalog's, and not the plan's.
            worker.tags = [:]
            worker.isRemoved = true
            workers.append(worker)
        }
        for (index, worker) in workers.enumerated() {
            guard let ssh = worker.ssh else { continue }
            let known = hostKeys(worker.address, ssh.port, ssh.user)
            if !known.isEmpty { workers[index].ssh?.hostKeys = known }
        }
        return workers
    }

    private static func identity(
        port: Int?, user: String?, _ configuration: BucketConfiguration
    ) -> PlanWorker.SSHIdentity? {
        switch configuration.transport {
        case .local: nil
        case .ssh: .init(port: port ?? configuration.sshPort, user: user ?? configuration.sshUser, hostKeys: [])
        }
    }

    /// What the plan's jobs push.
    static func content(
        _ workspace: Workspace, _ contents: [JobName: (all: [Tree], generated: [Digest: [UInt8]])]
    ) -> ([PlanningResult.Capture], [Tree]) {
        var capture: [PlanningResult.Capture] = []
        var trees: [Tree] = []
        var seen = Set<Digest>()
        for job in workspace.jobs {
            guard let content = contents[job.name] else { continue }
            for tree in content.all where seen.insert(tree.digest).inserted {
                trees.append(tree)
                for entry in tree.entries where entry.kind != .emptyDirectory && seen.insert(entry.digest).inserted {
                    let source: PlanningResult.Capture.Source =
                        if let bytes = content.generated[entry.digest] {
                            .bytes(bytes)
                        } else if entry.kind == .symlink, let text = job.content.links[entry.path] {
                            .bytes(text)
                        } else {
                            .file("\(workspace.folder)/jobs/\(job.name)/\(job.content.source(of: entry))")
                        }
                    capture.append(.init(digest: entry.digest, source: source))
                }
            }
        }
        return (capture, trees)
    }
}
