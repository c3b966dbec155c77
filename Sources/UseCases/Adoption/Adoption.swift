internal import Catalog
internal import Executor
public import MaandBucket
public import Model
public import Plans
internal import ThisHost
internal import Workers

/// Takes over what Maand has deployed: asks the workers what lies there, and records it. Nothing on a worker changes.
public struct Adoption: Sendable {
    let context: ExecutionContext
    private var catalog: Catalog { context.catalog }
    private var store: ContentStore { context.store }

    public init(in context: ExecutionContext) { self.context = context }

    /// What becomes of one allocation.
    public struct Outcome: Sendable {
        public let allocation: AllocationID
        public let taking: Taking
    }

    /// What an adoption found.
    public struct Findings: Sendable {
        /// Sorted by allocation.
        public var outcomes: [Outcome] = []
        /// Allocations of which something was recorded before.
        public var known = 0
        /// Workers that did not answer, and why; nothing of them is recorded.
        public var silent: [(worker: WorkerName, reason: String)] = []
        /// The run under which all was recorded; nil where nothing was.
        public var run: RunID?

        /// Nothing was found.
        public init() {}
    }

    /// Compares what Maand has recorded with the workers, and records the allocations that nothing is recorded of yet.
    ///
    /// The caller holds the bucket's lock, and has put the content of `planned` into the store.
    ///
    /// - Parameters:
    ///   - workers: all that `records` name.
    ///   - planned: what planning makes of allocations; of those that are missing only the workers know the files.
    ///   - waves: jobs with nothing to do, for those who ask later what the checks of a job are.
    /// - Throws: `RolloutError.unfinishedRun`, `TransportFailure`, `CatalogError`, `StoreError`.
    public func take(
        _ records: MaandRecords, _ workers: [PlanWorker], planned: [AllocationID: Tree], waves: [Plan.Wave] = []
    ) async throws -> Findings {
        try endInterrupted()
        var findings = Findings()
        let recorded = try catalog.snapshot().allocations
        let rows = records.allocations.filter { recorded[$0.id] == nil }
        findings.known = records.allocations.count - rows.count
        let wanted = Set(rows.filter { $0.hash != nil || records.isLost }.map(\.id.worker))
        let asked = workers.filter { wanted.contains($0.worker) }
        var plan = Plan(
            fleet: context.configuration.fleet(asked),
            base: .init(catalogRevision: try catalog.snapshot().revision), policy: .init(), work: .deploy(Deploy()))
        let answers = asked.isEmpty ? [:] : try await surveys(rows, of: plan.fleet)
        var changes: [CatalogChange] = []
        var trees: [Digest: Tree] = [:]
        let sums = try hookSums(planned.values)
        let sources = try keepSources(rows)
        for row in rows {
            var found: [String: FoundFile]?
            var isEnabled: Bool?
            switch answers[row.id.worker] {
            case .failure: continue
            case .success(let survey)?:
                found = survey.jobs[row.id.job]?.mapValues(FoundFile.init)
                isEnabled = survey.enabled?.contains(row.id.job.text)
            case nil: break
            }
            let taking =
                records.isLost
                ? Taking(lost: row.targetVersion, found: found) : Taking(row, found: found, isEnabledThere: isEnabled)
            findings.outcomes.append(Outcome(allocation: row.id, taking: taking))
            let planned = Taking.Planned(
                tree: planned[row.id] ?? Tree([], keepsHooks: true), sources: sources, isSame: isSame,
                isHook: { sums[$0.digest] == $1 })
            changes += self.changes(taking, row, found ?? [:], planned, &trees)
        }
        for worker in asked.map(\.worker) {
            if case .failure(let error)? = answers[worker] { findings.silent.append((worker, error.message)) }
        }
        let ports = try portChanges(records)
        guard !changes.isEmpty || !ports.isEmpty else { return findings }
        // Every worker of a plan's jobs is one of its workers.
        let active = Set(waves.flatMap(\.jobs).flatMap(\.active))
        plan = Plan(
            fleet: context.configuration.fleet(
                workers.filter { wanted.contains($0.worker) || active.contains($0.worker) }),
            base: plan.base, policy: .init(), work: .deploy(Deploy(waves: waves)))
        try store.capture(trees.values.map { .init($0.digest, .bytes($0.text)) })
        findings.run = try await record(changes + ports, plan, findings)
        return findings
    }

    /// An adoption that was killed has recorded nothing, and this one does what it was to do.
    ///
    /// - Throws: `RolloutError.unfinishedRun` if there is another run.
    private func endInterrupted() throws {
        guard let run = try catalog.unfinishedRun() else { return }
        let plan = try? context.plan(of: run)
        guard plan?.waves.flatMap(\.jobs).allSatisfy(\.phases.isEmpty) == true, try !catalog.hasBegun(run) else {
            throw RolloutError.unfinishedRun(run)
        }
        try catalog.finish(
            run.id, state: .abandoned, detail: "an adoption that was interrupted", cause: .adoption,
            at: context.clock.now())
    }

    // MARK: Workers

    /// The id of a bucket of Maand whose database is lost: what its workers say.
    ///
    /// - Throws: `MaandProblem` if they say nothing, or several ids; `TransportFailure`.
    public func findBucket(on workers: [PlanWorker]) async throws -> String {
        let fleet = context.configuration.fleet(workers)
        let transport = try await context.transport(for: fleet)
        var found = Set<String>()
        var silent: [String] = []
        for worker in workers.map(\.worker.text) {
            do throws(TransportError) {
                found.formUnion(
                    try await WorkerSurvey.buckets(on: worker, workerRoot: fleet.workerRoot, over: transport))
            } catch {
                silent.append("\(worker): \(error.message)")
            }
        }
        await transport.close()
        guard found.count == 1, let id = found.first else { throw MaandProblem(found: found.sorted(), silent: silent) }
        return id
    }

    private func surveys(
        _ rows: [MaandRecords.Allocation], of fleet: Fleet
    ) async throws -> [WorkerName: Swift.Result<WorkerSurvey, TransportError>] {
        let transport = try await context.transport(for: fleet)
        let root = "\(fleet.workerRoot)/\(fleet.bucket)"
        let jobs = Dictionary(grouping: rows.map(\.id), by: \.worker).mapValues { $0.map(\.job) }
        let names = fleet.workers.map(\.worker)
        let answers = await names.sideBySide(width: WorkerPool.width) { worker in
            await Self.answer(of: worker, root, jobs[worker] ?? [], transport)
        }
        await transport.close()
        return Dictionary(zip(names, answers), uniquingKeysWith: { first, _ in first })
    }

    /// By itself: in a task's closure the optimizer of Swift 6.3 makes garbage of a result with a typed error.
    private static func answer(
        of worker: WorkerName, _ root: String, _ jobs: [JobName], _ transport: any Transport
    ) async -> Swift.Result<WorkerSurvey, TransportError> {
        do {
            return .success(try await WorkerSurvey.ask(worker.text, root: root, jobs: jobs, over: transport))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Records

    private func changes(
        _ taking: Taking, _ row: MaandRecords.Allocation, _ found: [String: FoundFile], _ planned: Taking.Planned,
        _ trees: inout [Digest: Tree]
    ) -> [CatalogChange] {
        if case .nothing = taking.standing { return [] }
        let promotedTree = taking.promotedTree(planned, found: found)
        let there = Taking.treeThere(pushed: row.hash?.currentFiles ?? taking.files, planned, found: found)
        for tree in [promotedTree, there] { trees[tree.digest] = tree }
        let promoted = CatalogChange.promoted(
            row.id, Release(version: taking.version, content: promotedTree.digest))
        let began = CatalogChange.began(row.id, Release(version: taking.targetVersion, content: there.digest))
        var changes: [CatalogChange]
        switch taking.standing {
        case .nothing: return []
        case .promoted: changes = [promoted]
        case .stopped: changes = [promoted, .stopped(row.id, removed: false)]
        case .unfinished: changes = [promoted, began, .incomplete(row.id.job, true)]
        case .begun: changes = [began, .incomplete(row.id.job, true)]
        }
        changes.append(.adopted(row.id))
        if taking.hasFailedGate {
            changes.append(.gateFailed(row.id.job, covered: [row.id.worker], failing: [row.id.worker]))
        }
        return changes
    }

    /// Whether a file on a worker has the bytes that an entry of a planned tree stands for.
    private func isSame(_ entry: TreeEntry, _ file: FoundFile) -> Bool {
        switch entry.kind {
        case .file, .executable: entry.digest == file.digest
        // What is recorded of it here tells later whether the worker still has it.
        case .sealed: (try? context.sealedFiles.sent(entry.digest))?.digest == file.digest
        case .symlink, .emptyDirectory: false
        }
    }

    /// The MD5 of each file of hooks, by digest.
    private func hookSums(_ trees: some Sequence<Tree>) throws -> [Digest: String] {
        var sums: [Digest: String] = [:]
        for entry in trees.flatMap(\.entries)
        where TreePath.isOfHooks(entry.path) && entry.kind.isFile && sums[entry.digest] == nil {
            // Of an allocation whose templates cannot be rendered nothing was kept.
            sums[entry.digest] = (try? store.read(entry.digest, limit: 64 << 20)).map { MaandDatabase.md5($0) } ?? ""
        }
        return sums
    }

    /// Puts files of the last build into the store, as far as they may be deployed: with them earlier releases can be shown, and
    /// put back.
    private func keepSources(_ rows: [MaandRecords.Allocation]) throws -> [String: (digest: Digest, size: Int)] {
        let wanted = rows.compactMap(\.hash).flatMap { Array($0.previousFiles) + Array($0.currentFiles) }
            .filter { !$0.key.hasSuffix(".tpl") }.map(\.value)
        var found: [String: (digest: Digest, size: Int)] = [:]
        try MaandDatabase.readSources(in: context.bucketFolder, Set(wanted)) { bytes, md5 in
            let digest = Digest.of(bytes)
            if !store.contains(digest) { try store.put(bytes) }
            found[md5] = (digest, bytes.count)
        }
        return found
    }

    private func portChanges(_ records: MaandRecords) throws -> [CatalogChange] {
        let known = try catalog.snapshot().jobs
        return records.ports.sorted { $0.key < $1.key }.compactMap { job, ports in
            known[job]?.assignedPorts.isEmpty ?? true ? .assignedPorts(job, ports) : nil
        }
    }

    private func record(_ changes: [CatalogChange], _ plan: Plan, _ findings: Findings) async throws -> RunID {
        let file = PlanFile(plan)
        try store.put(file.bytes)
        let run = try catalog.beginRun(
            plan: file.id, nonce: context.nonce(), at: context.clock.now(), by: context.who,
            workers: plan.fleet.workers.filter { worker in !findings.silent.contains { $0.worker == worker.worker } })
        try await catalog.commit(
            Checkpoint(
                run: run.id, at: context.clock.now(), changes: changes,
                decisions: [
                    context.decision(run.id, .adoption, "\(findings.outcomes.count) allocations as Maand left them")
                ],
                runState: .init(.succeeded, detail: "taken over from Maand", cause: .adoption)))
        return run.id
    }
}

extension FoundFile {
    fileprivate init(_ file: WorkerSurvey.File) {
        self.init(md5: file.md5, digest: file.digest, size: file.size, mode: file.mode)
    }
}
