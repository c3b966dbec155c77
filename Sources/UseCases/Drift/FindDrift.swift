internal import Catalog
internal import Executor
public import Model
public import Plans
internal import ThisHost
internal import Workers

/// Compares what is on the workers with what was promoted. It writes nothing, installs nothing and locks nothing, so that a
/// run may go on or begin meanwhile.
public struct FindDrift: Sendable {
    let context: ExecutionContext
    var catalog: Catalog { context.catalog }

    /// - Parameter context: its catalog may be opened for reading alone.
    public init(in context: ExecutionContext) { self.context = context }

    /// Differences of files that a report lists.
    static let fileLimit = 20_000

    /// Asks the workers, some side by side, and compares.
    ///
    /// - Parameters:
    ///   - jobs: only these; empty means all.
    ///   - workers: only these; empty means all on which anything is recorded.
    ///   - hostKeys: the keys of a host that are known now, by address, port and user; empty for those of its last run.
    ///   - progress: told how many of all workers have answered or been given up, after each; from any task.
    /// - Throws: `TransportFailure` if no connection can be made from here at all; `CatalogError`.
    public func find(
        jobs: Set<JobName> = [], workers: Set<WorkerName> = [],
        hostKeys: (_ address: String, _ port: Int, _ user: String) -> [String],
        progress: @escaping @Sendable (_ done: Int, _ of: Int) -> Void = { _, _ in }
    ) async throws -> DriftReport {
        var report = DriftReport(bucket: context.configuration.bucketID, comparedAt: context.clock.now())
        report.underWay = try underWay()
        let before = try records()
        let chosen = before.filter { id, _ in
            (jobs.isEmpty || jobs.contains(id.job)) && (workers.isEmpty || workers.contains(id.worker))
        }
        let fleet = try fleet(Set(chosen.lazy.filter { $0.value.isThere }.map(\.key.worker)), hostKeys)
        report.workers = fleet.workers.count
        if fleet.workers.isEmpty { return report }
        let transport = try await context.transport(for: fleet)
        do {
            let looks = await look(at: fleet, over: transport, jobs, chosen, progress)
            try take(looks, before, into: &report)
            await fetchContents(for: &report, from: fleet, over: transport)
            await askHealth(jobs, looks, fleet, over: transport, into: &report)
        } catch {
            await transport.close()
            throw error
        }
        await transport.close()
        return report
    }

    /// What is recorded of allocations.
    private func records() throws -> [AllocationID: AllocationRecord] {
        let entries = try catalog.allocations().map { ($0.allocation, $0.record) }
        return Dictionary(entries, uniquingKeysWith: { first, _ in first })
    }

    private func underWay() throws -> DriftReport.UnderWay? {
        let run = try catalog.unfinishedRun()
        let isAtWork = (try? BucketLock.state(in: context.bucketFolder)) ?? .free != .free
        return run == nil && !isAtWork ? nil : .init(run: run?.id, state: run?.state, isAtWork: isAtWork)
    }

    /// Workers as they were last reached.
    private func fleet(_ names: Set<WorkerName>, _ hostKeys: (String, Int, String) -> [String]) throws -> Fleet {
        let machines = try catalog.machines()
        var workers = try catalog.workers().map(\.worker).filter { names.contains($0.worker) }
        for index in workers.indices {
            if let machine = machines[workers[index].worker] { workers[index].place(as: machine) }
            guard let ssh = workers[index].ssh else { continue }
            let known = hostKeys(workers[index].address, ssh.port, ssh.user)
            if !known.isEmpty { workers[index].ssh?.hostKeys = known }
        }
        return context.configuration.fleet(workers)
    }

    // MARK: Results

    /// Puts what was found on the workers into the report. What a run has changed meanwhile is not compared.
    private func take(
        _ looks: [(worker: WorkerName, look: Swift.Result<WorkerDrift, TransportError>)],
        _ before: [AllocationID: AllocationRecord], into report: inout DriftReport
    ) throws {
        let after = try records()
        let last = try catalog.runs(limit: 1).first?.id.number ?? 0
        let lineage = try catalog.lineage()
        var files = FileGroups(limit: Self.fileLimit)
        for (worker, look) in looks {
            switch look {
            case .failure(let error): report.silent.append(.init(worker, error.message))
            case .success(let drift):
                if let text = drift.strangeness(to: context.controller, after: last, lineage) {
                    report.foreign.append(.init(worker, text))
                }
                for found in drift.allocations {
                    let id = found.allocation
                    guard (before[id] ?? .none).saysTheSame(as: after[id] ?? .none) else {
                        report.notCompared.append(.init(id, .changing))
                        continue
                    }
                    switch found.outcome {
                    case .notCompared(let obstacle): report.notCompared.append(obstacle)
                    case .compared(let comparison):
                        report.allocations += 1
                        guard let difference = comparison.difference else { continue }
                        report.differing.append(difference)
                        files.add(comparison, on: worker)
                    }
                }
            }
        }
        report.differing.sort { $0.allocation < $1.allocation }
        report.notCompared.sort { $0.allocation < $1.allocation }
        (report.files, report.filesLeftOut) = (files.sorted, files.leftOut)
    }

    /// Asks the health checks of the workers that have answered.
    private func askHealth(
        _ jobs: Set<JobName>, _ looks: [(worker: WorkerName, look: Swift.Result<WorkerDrift, TransportError>)],
        _ fleet: Fleet, over transport: any Transport, into report: inout DriftReport
    ) async {
        var answering: [WorkerName: Bool] = [:]
        for (worker, look) in looks { if case .success(let drift) = look { answering[worker] = drift.hasScript } }
        if answering.isEmpty { return }
        do {
            report.services = try await CheckHealth(in: context).look(
                at: jobs, on: answering, of: fleet, over: transport)
        } catch {
            report.servicesProblem = "\(error)"
        }
    }
}

extension AllocationRecord {
    /// Whether a comparison with one of them is one with the other.
    fileprivate func saysTheSame(as other: AllocationRecord) -> Bool {
        (state, promoted, unfinished) == (other.state, other.promoted, other.unfinished)
    }
}

/// The same difference on several workers is one.
private struct FileGroups {
    private struct Key: Hashable {
        let job: JobName
        let path: PathBytes
        let change: DriftReport.Change
        let thing: DriftReport.Thing?
        let expected: Digest?
        let found: Digest?
    }

    private let limit: Int
    private var places: [Key: Int] = [:]
    private var files: [DriftReport.File] = []
    private(set) var leftOut = 0

    init(limit: Int) { self.limit = limit }

    mutating func add(_ comparison: AllocationComparison, on worker: WorkerName) {
        leftOut += (comparison.difference?.paths ?? 0) - comparison.files.count
        for file in comparison.files {
            let key = Key(
                job: file.job, path: PathBytes(file.path), change: file.change, thing: file.thing,
                expected: file.expected, found: file.found)
            if let place = places[key] {
                files[place].workers.append(worker)
            } else if files.count < limit {
                places[key] = files.endIndex
                files.append(file)
                files[files.endIndex - 1].workers = [worker]
            } else {
                leftOut += 1
            }
        }
    }

    /// What most workers have comes first.
    var sorted: [DriftReport.File] {
        var files = files
        for index in files.indices { files[index].workers.sort() }
        return files.sorted { a, b in
            if a.job != b.job { return a.job < b.job }
            if !a.path.utf8.elementsEqual(b.path.utf8) { return a.path.utf8.lexicographicallyPrecedes(b.path.utf8) }
            if a.workers.count != b.workers.count { return a.workers.count > b.workers.count }
            return a.workers.lexicographicallyPrecedes(b.workers)
        }
    }
}
