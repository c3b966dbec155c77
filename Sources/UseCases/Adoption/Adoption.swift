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

    /// What is taken over.
    public struct Request {
        public var records: MaandRecords
        /// The folder with Maand's database.
        public var source: String
        /// All workers that `records` name.
        public var workers: [PlanWorker]
        /// What planning makes of allocations; of those that are missing only the workers know the files.
        public var planned: [AllocationID: Tree]
        /// Jobs with nothing to do, for those who ask later what the checks of a job are.
        public var waves: [Plan.Wave]
        /// The ports that jobs have from now on; those of other jobs stay.
        public var ports: [JobName: [String: Int]]
        /// As the catalog is now.
        public var snapshot: CatalogSnapshot

        public init(
            _ records: MaandRecords, from source: String, _ workers: [PlanWorker], planned: [AllocationID: Tree],
            waves: [Plan.Wave], ports: [JobName: [String: Int]], snapshot: CatalogSnapshot
        ) {
            self.records = records
            self.source = source
            self.workers = workers
            self.planned = planned
            self.waves = waves
            self.ports = ports
            self.snapshot = snapshot
        }
    }

    /// What becomes of one allocation.
    public struct Outcome: Sendable {
        public let allocation: AllocationID
        public let taking: Taking
        /// It was recorded before, and Maand has deployed it since.
        public let isAgain: Bool
    }

    /// What an adoption found.
    public struct Findings: Sendable {
        /// Sorted by allocation.
        public var outcomes: [Outcome] = []
        /// Allocations of which something was recorded before, and that stay as they are.
        public var known = 0
        /// Those of them that Maand has deployed since, and these programs, too.
        public var disputed: [AllocationID] = []
        /// Files that workers have as they were deployed, and of which nothing is kept.
        public var unkept = 0
        /// Workers that did not answer, and why; nothing of them is recorded.
        public var silent: [(worker: WorkerName, reason: String)] = []
        /// The run under which all was recorded; nil where nothing was.
        public var run: RunID?

        /// Nothing was found.
        public init() {}
    }

    /// Compares what Maand has recorded with the workers, and records the allocations that nothing is recorded of yet, and
    /// those that only Maand has deployed since they were recorded.
    ///
    /// The caller holds the bucket's lock, and has put the content of the planned trees into the store.
    ///
    /// - Throws: `RolloutError.unfinishedRun`, `TransportFailure`, `MaandProblem`, `CatalogError`, `StoreError`.
    public func take(_ request: Request) async throws -> Findings {
        try endInterrupted()
        let records = request.records
        let choice = try Choice(records, request.snapshot.allocations, catalog)
        var findings = Findings()
        findings.known = records.allocations.count - choice.rows.count
        findings.disputed = choice.disputed
        let wanted = Set(choice.rows.filter { $0.hash != nil || records.isLost }.map(\.id.worker))
        let asked = request.workers.filter { wanted.contains($0.worker) }
        let fleet = context.configuration.fleet(asked)
        let answers = try await surveys(choice.rows, of: fleet, planned: request.planned)
        for worker in asked.map(\.worker) {
            if case .failure(let error)? = answers[worker] { findings.silent.append((worker, error.message)) }
        }
        let surveys = answers.compactMapValues { try? $0.get() }
        // A worker that should have been asked and is not there is silent, and nothing of it is recorded.
        let rows = choice.rows.filter { surveys[$0.id.worker] != nil || !wanted.contains($0.id.worker) }
        var found: [AllocationID: [String: FoundFile]] = [:]
        for row in rows { found[row.id] = surveys[row.id.worker]?.jobs[row.id.job] }
        for row in rows {
            let enabled = surveys[row.id.worker]?.enabled?.contains(row.id.job.text)
            let taking =
                records.isLost
                ? Taking(lost: row.targetVersion, found: found[row.id])
                : Taking(row, found: found[row.id], isEnabledThere: enabled)
            findings.outcomes.append(
                Outcome(allocation: row.id, taking: taking, isAgain: choice.again.contains(row.id)))
        }
        var writing = AdoptedChanges(choice, request.snapshot.allocations)
        let compared = try await compare(request, rows, found, of: fleet)
        findings.unkept = compared.unkept
        for (row, outcome) in zip(rows, findings.outcomes) {
            writing.add(outcome, row, found[row.id] ?? [:], compared.planned(row.id))
        }
        let changes = writing.all + request.ports.sorted { $0.key < $1.key }.map { .assignedPorts($0.key, $0.value) }
        if changes.isEmpty { return findings }
        try store.capture(writing.trees.values.map { .init($0.digest, .bytes($0.text)) })
        findings.run = try await record(changes, request, wanted, findings)
        return findings
    }

    /// An adoption has no steps, and its jobs have nothing to do.
    private func endInterrupted() throws {
        try context.endInterrupted("an adoption that was interrupted", .adoption) {
            $0.waves.flatMap(\.jobs).allSatisfy(\.phases.isEmpty)
        }
    }

    private func record(
        _ changes: [CatalogChange], _ request: Request, _ asked: Set<WorkerName>, _ findings: Findings
    ) async throws -> RunID {
        // Every worker of a plan's jobs is one of its workers.
        let active = Set(request.waves.flatMap(\.jobs).flatMap(\.active))
        let plan = Plan(
            fleet: context.configuration.fleet(
                request.workers.filter { asked.contains($0.worker) || active.contains($0.worker) }),
            base: .init(catalogRevision: request.snapshot.revision), policy: .init(),
            work: .deploy(Deploy(waves: request.waves)))
        let silent = Set(findings.silent.map(\.worker))
        return try await context.record(
            .init(
                changes: changes, decision: .adoption,
                reason: "\(findings.outcomes.count) allocations as Maand left them", detail: "taken over from Maand",
                cause: .adoption),
            by: plan, reached: plan.fleet.workers.filter { asked.contains($0.worker) && !silent.contains($0.worker) })
    }

    // MARK: Files

    /// How files are compared with the workspace.
    private struct Comparison {
        var planned: (AllocationID) -> Taking.Planned
        var unkept: Int
    }

    private func compare(
        _ request: Request, _ rows: [MaandRecords.Allocation], _ found: [AllocationID: [String: FoundFile]],
        of fleet: Fleet
    ) async throws -> Comparison {
        let sums = try hookSums(request.planned.values)
        let entries = request.planned.mapValues { tree in
            Dictionary(tree.entries.map { ($0.path, $0) }) { first, _ in first }
        }
        var files = AdoptedFiles(context, folder: request.source)
        try files.keepSources(of: rows)
        try await files.fetch(rows, found: found, from: fleet) { allocation, path, file in
            entries[allocation]?[path].map { isSame($0, file) } ?? false
        }
        let kept = files.kept
        return Comparison(
            planned: { allocation in
                Taking.Planned(
                    tree: request.planned[allocation] ?? Tree([], keepsHooks: true), kept: kept,
                    isSame: isSame, isHook: { isHook($0, $1, entries[allocation] ?? [:], sums) })
            }, unkept: files.left)
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

    /// Whether an entry of hooks stands for a file with this MD5. Maand takes for a link what it leads to.
    private func isHook(
        _ entry: TreeEntry, _ md5: String, _ entries: [String: TreeEntry], _ sums: [Digest: String]
    ) -> Bool {
        guard entry.kind == .symlink else { return sums[entry.digest] == md5 }
        guard let text = try? store.read(entry.digest, limit: 4096),
            let target = TreePath.target(ofLink: text, at: entry.path), let file = entries[target], file.kind.isFile
        else { return false }
        return sums[file.digest] == md5
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
}
