internal import Catalog
public import Model
internal import Workers

/// Brings the catalog to what the workers say, for one that was lost or put back from an old copy.
extension Rollout {
    /// What a refresh found.
    public struct Refresh: Sendable {
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
    /// - Parameter isDryRun: only compare.
    /// - Throws: `RolloutError.unfinishedRun`: its own command asks the workers about what it began.
    public func refresh(_ workers: [PlanWorker], isDryRun: Bool) async throws -> Refresh {
        if let run = try catalog.unfinishedRun() {
            // One of nothing is that of a refresh that was killed, and would only do this.
            guard (try? plan(of: run))?.isEmpty == true else { throw RolloutError.unfinishedRun(run) }
            if !isDryRun {
                try catalog.finish(run.id, state: .abandoned, detail: "a refresh that was interrupted", at: clock.now())
            }
        }
        let plan = emptyPlan(workers, revision: try catalog.snapshot().revision)
        let transport = try await transport(for: plan, acceptsNewHosts: false)
        let answers = await inventories(of: workers, over: transport)
        await transport.close()

        var refresh = Refresh()
        var inventories: [(worker: WorkerName, WorkerInventory)] = []
        var seen = 0
        var isStrange = false
        let recorded = try catalog.snapshot().allocations
        let lineage = try catalog.lineage()
        let last = try catalog.runs(limit: 1).first?.id.number ?? 0
        for worker in workers.map(\.worker) {
            switch answers[worker] {
            case .failure(let error)?: refresh.silent.append((worker, error.message))
            case .success(let inventory)?:
                var inventory = inventory
                for index in inventory.jobs.indices { showPushedManifest(&inventory.jobs[index]) }
                if let flaw = inventory.flaw(to: controller, after: last) {
                    refresh.silent.append((worker, "the worker's answer is invalid: \(flaw.reason)"))
                    continue
                }
                if let owner = inventory.owner, owner.controller == controller, owner.sequence < Owner.implausible {
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
            refresh.compare(inventory, worker, recorded) { there.contains($0) || (try? store.tree($0)) != nil }
        }
        // Also where the catalog is right: the store may have lost what planning compares with.
        if !isDryRun { try keep(trees) }
        // Workers that have seen later runs than the catalog, or other ones, would refuse the next one.
        let isBehind = seen > last
        if isDryRun || !(isBehind || isStrange || !refresh.differences.isEmpty) { return refresh }
        refresh.run = try await record(refresh, plan, after: seen)
        return refresh
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

    /// A plan of nothing: stands in the history for what a refresh recorded, and says how workers are reached.
    func emptyPlan(_ workers: [PlanWorker], revision: Int) -> Plan {
        Plan(
            fleet: configuration.fleet(workers), base: .init(catalogRevision: revision), policy: .init(),
            work: .deploy(Deploy()))
    }

    private func inventories(
        of workers: [PlanWorker], over transport: any Transport
    ) async -> [WorkerName: Swift.Result<WorkerInventory, TransportError>] {
        let names = workers.map(\.worker)
        // Asking for what is there needs no ownership.
        let owner = Owner(controller: controller, sequence: 0, run: "-")
        let answers = await names.sideBySide(width: WorkerPool.width) { [configuration] worker in
            await Self.answer(
                of: WorkerSession(
                    worker: worker.text, bucket: configuration.bucketID, workerRoot: configuration.workerRoot,
                    owner: owner, transport: transport))
        }
        return Dictionary(zip(names, answers), uniquingKeysWith: { first, _ in first })
    }

    /// By itself: in a task's closure the optimizer of Swift 6.3 makes garbage of a result with a typed error.
    private static func answer(of session: WorkerSession) async -> Swift.Result<WorkerInventory, TransportError> {
        do {
            return .success(try await session.inventory())
        } catch {
            return .failure(error)
        }
    }

    private func record(_ refresh: Refresh, _ plan: Plan, after seen: Int) async throws -> RunID {
        let file = PlanFile(plan)
        try store.put(file.bytes)
        let run = try catalog.beginRun(
            plan: file.id, nonce: nonce(), at: clock.now(), by: who, workers: plan.fleet.workers, after: seen)
        var changes: [CatalogChange] = []
        for difference in refresh.differences {
            changes += difference.changes
            guard difference.found.standing == .active else { continue }
            changes += [.incomplete(difference.allocation.job, true), .gateOwed([difference.allocation])]
        }
        try await catalog.commit(
            Checkpoint(
                run: run.id, at: clock.now(), changes: changes,
                decisions: [
                    decision(run.id, .refresh, "\(refresh.differences.count) allocations as their workers say")
                ],
                runState: .init(.succeeded, detail: "catalog refresh", cause: .refresh)))
        return run.id
    }
}

extension Rollout.Refresh {
    fileprivate mutating func compare(
        _ inventory: WorkerInventory, _ worker: WorkerName, _ recorded: [AllocationID: AllocationRecord],
        isKnown: (Digest) -> Bool
    ) {
        var there = Set<JobName>()
        for job in inventory.jobs {
            there.insert(job.job)
            add(AllocationID(job: job.job, worker: worker), recorded, found: job, isKnown: isKnown)
        }
        for allocation in recorded.keys.sorted() where allocation.worker == worker && !there.contains(allocation.job) {
            add(allocation, recorded, found: nil, isKnown: isKnown)
        }
    }

    private mutating func add(
        _ allocation: AllocationID, _ recorded: [AllocationID: AllocationRecord], found job: WorkerInventory.Job?,
        isKnown: (Digest) -> Bool
    ) {
        let record = recorded[allocation] ?? .none
        var found = record.contradicted(by: job) ?? record
        // What was there before something was begun no worker has any more: where the store has lost it, too, no plan can
        // say what changes.
        if found.unfinished != nil, let promoted = found.promoted, !isKnown(promoted.content) { found.promoted = nil }
        if found != record {
            differences.append(Difference(allocation: allocation, recorded: record, found: found))
        } else {
            agreeing += 1
        }
    }
}

extension AllocationRecord {
    /// What to record in place of this, or nil where the worker does not contradict it.
    ///
    /// A worker remembers only the last thing that was done with a job. Where that proves nothing, the catalog is
    /// believed as long as the files are its own.
    func contradicted(by job: WorkerInventory.Job?) -> AllocationRecord? {
        guard let job else {
            let isThere = standing != .removed && (promoted != nil || unfinished != nil)
            return isThere ? AllocationRecord(standing: .removed) : nil
        }
        let release = Release(
            version: Version.text(inManifest: job.manifest) ?? Version.none.text, content: job.tree.digest)
        let isOwn = !job.isAltered && standing != .removed
        switch job.last {
        case .succeeded(let target) where !job.isAltered:
            if target == LifecycleAction.stop.target {
                let found = AllocationRecord(promoted: release, standing: .stopped)
                // A stop that was begun is part of a removal, or of one that its own plan goes on with.
                return self == found || (isOwn && unfinished?.content == release.content) ? nil : found
            }
            // No worker knows of gates.
            let found = AllocationRecord(promoted: release, owesGate: owesGate, failedGate: failedGate)
            return self == found || (isOwn && unfinished?.content == release.content) ? nil : found
        case .unknown where isOwn && (unfinished ?? promoted)?.content == release.content: return nil
        case .failed where isOwn && unfinished?.content == release.content: return nil
        case .succeeded, .unknown, .failed:
            if isOwn, unfinished?.content == release.content { return nil }
            return AllocationRecord(
                promoted: promoted, unfinished: release, owesGate: owesGate, failedGate: failedGate)
        }
    }
}

extension WorkerInventory {
    /// How many runs a catalog that was put back may lack: one run a minute for two months.
    private static let largestGap = 100_000

    /// What no worker of this controller can have, so that nothing of it is recorded; nil where there is nothing.
    ///
    /// - Parameter last: the last run that the catalog knows.
    fileprivate func flaw(to controller: String, after last: Int) -> InvalidAnswer? {
        if let owner, owner.controller == controller, owner.sequence - last > Self.largestGap {
            return InvalidAnswer(
                "the worker belongs to run \(owner.sequence), and run \(last) is the last that is known here. Where many runs "
                    + "are missing from the catalog, bring back a newer copy of it; otherwise `--take-over` of the next rollout "
                    + "takes the worker")
        }
        for job in jobs where Version.text(inManifest: job.manifest) == nil {
            return InvalidAnswer("the manifest of \(job.job) there has no version that a job can have")
        }
        return nil
    }
}

extension Rollout.Refresh.Difference {
    fileprivate var changes: [CatalogChange] {
        switch (found.standing, found.unfinished, found.promoted) {
        case (.removed, _, _): [.stopped(allocation, removed: true)]
        case (.stopped, _, let release?): [.promoted(allocation, release), .stopped(allocation, removed: false)]
        // A removal forgets what was promoted.
        case (_, let release?, nil) where recorded.promoted != nil:
            [.stopped(allocation, removed: true), .began(allocation, release)]
        case (_, let release?, _): [.began(allocation, release)]
        case (_, nil, let release?): [.promoted(allocation, release)]
        case (.stopped, _, nil), (.active, nil, nil): []
        }
    }
}
