internal import Catalog
internal import Executor
public import Model
public import Plans
internal import ThisHost
internal import Workers

/// Brings the catalog to what the workers say, for one that was lost or put back from an old copy.
public struct RefreshCatalog: Sendable {
    let context: ExecutionContext
    private var catalog: Catalog { context.catalog }
    private var store: ContentStore { context.store }

    public init(in context: ExecutionContext) { self.context = context }

    /// What a refresh found.
    public struct Findings: Sendable {
        /// An allocation of which the catalog and its worker say different things.
        public struct Difference: Sendable, Equatable {
            public let allocation: AllocationID
            public let recorded: AllocationRecord
            /// What is recorded from now on.
            public let found: AllocationRecord
        }

        /// Allocations in which the catalog and the workers agree.
        public var agreeing = 0
        public var differences: [Difference] = []
        /// Workers that could not be asked, and why; what is recorded of them stays.
        public var silent: [(worker: WorkerName, reason: String)] = []
        /// The run under which the differences were recorded; nil where nothing was.
        public var run: RunID?
    }

    /// Asks the workers what is deployed on them, compares, and records what differs. The caller holds the bucket's lock.
    ///
    /// What the worker knows to have ended well with the files that are there counts as promoted; everything else that is
    /// there counts as unfinished, so that the next plan acts on it. A job of which anything is recorded has its gate and
    /// its completion before it.
    ///
    /// - Parameters:
    ///   - planned: what planning makes of allocations. Hooks are on no worker: where nothing is recorded of an allocation, they
    ///     count as deployed as they are there.
    ///   - isDryRun: only compare.
    /// - Throws: `RolloutError.unfinishedRun`: its own command asks the workers about what it began.
    public func refresh(
        _ workers: [PlanWorker], planned: [AllocationID: Tree], isDryRun: Bool
    ) async throws -> Findings {
        try context.endInterrupted("a refresh that was interrupted", .refreshInterrupted, isDryRun: isDryRun) {
            $0.isEmpty
        }
        // A plan of nothing: it stands in the history for the refresh.
        let plan = Plan(
            fleet: context.configuration.fleet(workers),
            base: .init(catalogRevision: try catalog.snapshot().revision), policy: .init(), work: .deploy(Deploy()))
        let answers = try await inventories(of: plan.fleet)

        var refresh = Findings()
        var inventories: [(worker: WorkerName, WorkerInventory)] = []
        var seen = 0
        var isStrange = false
        let recorded = try catalog.snapshot().allocations
        let adopted = try catalog.adopted()
        let lineage = try catalog.lineage()
        let last = try catalog.runs(limit: 1).first?.id.number ?? 0
        for worker in workers.map(\.worker) {
            switch answers[worker] {
            case .failure(let error)?: refresh.silent.append((worker, error.message))
            case .success(let inventory)?:
                var inventory = inventory
                for index in inventory.jobs.indices {
                    let id = AllocationID(job: inventory.jobs[index].job, worker: worker)
                    try settle(&inventory.jobs[index], recorded[id] ?? .none, planned[id])
                }
                if let flaw = inventory.flaw(to: context.controller, after: last) {
                    refresh.silent.append((worker, "the worker's answer is invalid: \(flaw.reason)"))
                    continue
                }
                if let owner = inventory.owner, owner.controller == context.controller,
                    owner.sequence < Owner.implausible
                {
                    seen = max(seen, owner.sequence)
                    isStrange = isStrange || lineage?.knows(owner) == false
                }
                inventories.append((worker, inventory))
            case nil: continue
            }
        }
        let trees = inventories.flatMap { $0.1.jobs.map(\.tree) }
        let there = Set(trees.map(\.digest))
        for (worker, inventory) in inventories {
            refresh.compare(inventory, worker, recorded, listless: adopted) {
                there.contains($0) || (try? store.tree($0)) != nil
            }
        }
        // Also where the catalog is right: the store may have lost what planning compares with.
        if !isDryRun { try keep(trees) }
        // Workers that have seen later runs than the catalog, or other ones, would refuse the next one.
        let isBehind = seen > last
        if isDryRun || !(isBehind || isStrange || !refresh.differences.isEmpty) { return refresh }
        refresh.run = try await record(refresh, plan, after: seen)
        return refresh
    }

    /// Makes of a job's files on a worker what is kept of them.
    private func settle(_ job: inout WorkerInventory.Job, _ record: AllocationRecord, _ planned: Tree?) throws {
        showPushedManifest(&job)
        let known = [record.promoted, record.unfinished].compactMap { release in
            release.flatMap { try? store.tree($0.content) }
        }
        let kept = try context.sealedFiles.kept(job.tree, recorded: known)
        job.tree = kept.tree
        let hooks = (known.first ?? planned).flatMap { $0.keepsHooks ? $0.entries : nil } ?? []
        if !job.tree.entries.contains(where: { TreePath.isOfHooks($0.path) }) {
            job.tree = Tree(
                job.tree.entries + hooks.filter { TreePath.isOfHooks($0.path) }, keepsHooks: true)
        }
        // Nobody can say what it is, so it counts as unfinished.
        if !kept.isKnown { job.isAltered = true }
    }

    /// Where a target has changed the manifest, the one that was pushed says the version, as long as it is at hand.
    private func showPushedManifest(_ job: inout WorkerInventory.Job) {
        guard let pushed = job.tree.entries.first(where: { $0.path == "manifest.json" }),
            pushed.digest != Digest.of(job.manifest), let bytes = try? store.read(pushed.digest, limit: 1 << 16)
        else { return }
        job.manifest = bytes
    }

    private func keep(_ trees: [Tree]) throws {
        var kept = Set<Digest>()
        for tree in trees where kept.insert(tree.digest).inserted && (try? store.tree(tree.digest)) == nil {
            try store.discard(tree.digest)
            try store.put(tree)
        }
    }

    private func inventories(
        of fleet: Fleet
    ) async throws -> [WorkerName: Swift.Result<WorkerInventory, TransportError>] {
        // Asking for what is there needs no ownership.
        let owner = Owner(controller: context.controller, sequence: 0, run: "-")
        return try await context.answers(of: fleet) { worker, transport throws(TransportError) in
            try await WorkerSession(worker, of: fleet, owner: owner, transport: transport).inventory()
        }
    }

    private func record(_ refresh: Findings, _ plan: Plan, after seen: Int) async throws -> RunID {
        var changes: [CatalogChange] = []
        for difference in refresh.differences {
            changes += difference.changes
            guard difference.found.state == .active else { continue }
            changes += [.incomplete(difference.allocation.job, true), .gateOwed([difference.allocation])]
        }
        return try await context.record(
            .init(
                changes: changes, decision: .refresh,
                reason: "\(refresh.differences.count) allocations as their workers say", detail: "catalog refresh",
                cause: .refresh),
            by: plan, reached: plan.fleet.workers, after: seen)
    }
}
