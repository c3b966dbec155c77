internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import Synchronization
internal import Workers

/// What was found on one worker.
struct WorkerDrift: Sendable {
    struct Allocation: Sendable {
        enum Outcome {
            case compared(AllocationComparison)
            case notCompared(DriftReport.NotCompared)
        }

        let allocation: AllocationID
        let outcome: Outcome
    }

    /// The last run that took the worker.
    let owner: Owner?
    /// Whether the script of this release lies there.
    let hasScript: Bool
    var allocations: [Allocation] = []

    /// What says that the catalog is not the one by which this worker was last changed; nil if nothing does.
    ///
    /// - Parameter last: the last run that the catalog knows.
    func strangeness(to controller: String, after last: Int, _ lineage: RunLineage?) -> String? {
        guard let owner else { return nil }
        if owner.controller != controller {
            return "another controller, \(owner.controller), has taken it with its run \(owner.sequence)"
        }
        if owner.sequence > last {
            return
                "it has seen run \(owner.sequence), and \(last) is the last one in the catalog: this may be an old copy of it"
        }
        return lineage?.knows(owner) == false
            ? "it has seen a run \(owner.sequence) that is not the one in the catalog" : nil
    }
}

extension FindDrift {
    /// Looks at all workers of a fleet, some side by side.
    ///
    /// - Parameter chosen: what is recorded of the allocations to compare; others of chosen jobs are not expected there.
    func look(
        at fleet: Fleet, over transport: any Transport, _ jobs: Set<JobName>,
        _ chosen: [AllocationID: AllocationRecord], _ progress: @escaping @Sendable (Int, Int) -> Void
    ) async -> [(worker: WorkerName, look: Swift.Result<WorkerDrift, TransportError>)] {
        let names = fleet.workers.map(\.worker)
        let recorded = Dictionary(grouping: chosen, by: \.key.worker)
            .mapValues { Dictionary($0.map { ($0.key.job, $0.value) }, uniquingKeysWith: { first, _ in first }) }
        let done = Mutex(0)
        let unreached = await unreached(names, over: transport)
        let adopted = (try? catalog.adopted()) ?? []
        let looks = await names.sideBySide(width: WorkerPool.width) { worker in
            let look: Swift.Result<WorkerDrift, TransportError>
            if let error = unreached[worker] {
                look = .failure(error)
            } else {
                look = await Self.result { () async throws(TransportError) in
                    try await drift(of: worker, recorded[worker] ?? [:], jobs, adopted, fleet, over: transport)
                }
            }
            progress(
                done.withLock { done in
                    done += 1
                    return done
                }, names.count)
            return look
        }
        return zip(names, looks).map { ($0, $1) }
    }

    /// Connects to all of them at the same time, so that those that do not answer cost one time-out together. Answers, which
    /// may be large, come from fewer at a time.
    private func unreached(
        _ names: [WorkerName], over transport: any Transport
    ) async -> [WorkerName: TransportError] {
        guard transport.reconnectWindow != nil else { return [:] }
        let answers = await names.sideBySide(width: WorkerPool.connectingWidth) { worker in
            await Self.result { () async throws(TransportError) in
                try await transport.run(WorkerCommand(["true"], timeout: transport.answerLimit), on: worker.text)
            }
        }
        var unreached: [WorkerName: TransportError] = [:]
        for (worker, answer) in zip(names, answers) {
            if case .failure(let error) = answer { unreached[worker] = error }
        }
        return unreached
    }

    /// By itself: in a task's closure the optimizer of Swift 6.3 makes garbage of a result with a typed error.
    private static func result<Value: Sendable>(
        _ body: () async throws(TransportError) -> Value
    ) async -> Swift.Result<Value, TransportError> {
        do { return .success(try await body()) } catch { return .failure(error) }
    }

    /// - Parameter recorded: by job.
    private func drift(
        of worker: WorkerName, _ recorded: [JobName: AllocationRecord], _ jobs: Set<JobName>,
        _ adopted: Set<AllocationID>, _ fleet: Fleet, over transport: any Transport
    ) async throws(TransportError) -> WorkerDrift {
        // Looking needs no ownership.
        let owner = Owner(controller: context.controller, sequence: 0, run: "-")
        let session = WorkerSession(worker, of: fleet, owner: owner, transport: transport)
        let look = try await session.look()
        var found: [JobName: AllocationComparison.Found] = [:]
        for job in look.inventory.jobs where jobs.isEmpty || jobs.contains(job.job) {
            found[job.job] = .init(entries: job.tree.entries, manifest: job.manifest, isListed: true)
        }
        var drift = WorkerDrift(owner: look.inventory.owner, hasScript: look.hasScript)
        // Of what was taken over from Maand no worker has a list.
        let listless = recorded.keys.filter { job in
            found[job] == nil && adopted.contains(AllocationID(job: job, worker: worker))
        }
        var untold: [JobName: String] = [:]
        if !listless.isEmpty {
            do {
                let survey = try await WorkerSurvey.ask(
                    worker.text, root: "\(fleet.workerRoot)/\(fleet.bucket)",
                    paths: promotedPaths(recorded, of: listless),
                    over: transport)
                for (job, files) in survey.jobs {
                    let entries = files.map { path, file in
                        TreeEntry(path: path, kind: .file, digest: file.digest, size: file.size)
                    }
                    found[job] = .init(entries: entries, manifest: [], isListed: false)
                }
            } catch {
                for job in listless { untold[job] = error.message }
            }
        }
        for job in Set(recorded.keys).union(found.keys).sorted() {
            let id = AllocationID(job: job, worker: worker)
            drift.allocations.append(
                .init(allocation: id, outcome: compare(id, recorded[job] ?? .none, found[job], untold[job])))
        }
        return drift
    }

    /// The files that were promoted; none of contents that cannot be read.
    private func promotedPaths(
        _ recorded: [JobName: AllocationRecord], of jobs: [JobName]
    ) -> [JobName: Set<String>] {
        let paths = jobs.map { job -> (JobName, Set<String>) in
            let tree = (recorded[job]?.promoted).flatMap { try? context.store.tree($0.content) }
            return (job, Set((tree?.pushed ?? []).filter(\.kind.isFile).map(\.path)))
        }
        return Dictionary(paths, uniquingKeysWith: { first, _ in first })
    }

    private func compare(
        _ id: AllocationID, _ record: AllocationRecord, _ found: AllocationComparison.Found?, _ untold: String?
    ) -> WorkerDrift.Allocation.Outcome {
        if let untold { return .notCompared(.init(id, .untold, untold)) }
        guard record.isThere, record.unfinished == nil, let promoted = record.promoted else {
            return .compared(AllocationComparison(id, record, expected: [], found: found))
        }
        do {
            let files = try expected(context.store.tree(promoted.content))
            return .compared(
                AllocationComparison(id, record, expected: files.expected, unknown: files.unknown, found: found))
        } catch {
            return .notCompared(.init(id, .lost, "\(error)"))
        }
    }

    /// The files of a tree as a worker has them, and those with secrets of which it is not recorded what they are there.
    private func expected(_ tree: Tree) throws -> (expected: [AllocationComparison.Expected], unknown: [String]) {
        var unknown: [String] = []
        let sealed = context.sealedFiles
        let expected = try tree.pushed.compactMap { entry -> AllocationComparison.Expected? in
            guard entry.kind == .sealed else {
                return .init(
                    path: entry.path, kind: entry.kind, digest: entry.digest, size: entry.size, isSealed: false)
            }
            guard let sent = try sealed.recorded(entry.digest) else {
                unknown.append(entry.path)
                return nil
            }
            return .init(path: entry.path, kind: .sealed, digest: sent.digest, size: sent.size, isSealed: true)
        }
        return (expected, unknown)
    }
}
