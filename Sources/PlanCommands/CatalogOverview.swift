import Catalog
import Commands
import Model
import Planner
import Plans
import YAML

/// What lists show: what is recorded, beside what the workspace wants.
struct CatalogOverview {
    /// Nil before the first run.
    let catalog: Catalog?
    /// What the workspace wants; nil if it cannot be read.
    let jobs: [JobName: JobOverview]?
    private let workers: [WorkerName]
    /// Sorted by job, then worker.
    private let entries: [AllocationEntry]

    /// Reads the catalog and the workspace. Where the workspace cannot be read, a person has to be able to look all the same: a
    /// warning says why what follows from it is missing.
    ///
    /// - Parameter needsWorkspace: nothing can be shown without it.
    init(_ bucket: BucketOptions, needsWorkspace: Bool = false) throws {
        let configuration = try bucket.configuration()
        let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)
        self.catalog = catalog
        entries = try catalog?.allocations() ?? []
        do {
            let workspace = try Workspace.read(bucket.path("workspace"), configuration)
            let overview = try Planner.overview(workspace, configuration, try catalog?.snapshot() ?? .empty)
            jobs = Dictionary(overview.map { ($0.job, $0) }, uniquingKeysWith: { first, _ in first })
            workers = workspace.workerNames
        } catch {
            guard !needsWorkspace, error is InputFailure || error is PlanningError else { throw error }
            Self.warn("the workspace cannot be read, and the list has only what is recorded", error)
            jobs = nil
            workers = []
        }
    }

    private static func warn(_ text: String, _ error: any Error) {
        let reason = Failure(error)?.message ?? "\(error)"
        let line = reason.split(whereSeparator: \.isNewline).first.map { String($0) } ?? ""
        printNotice("warning: \(text): \(VisibleText.escape(line, for: .terminal))")
    }

    /// Every job that is recorded or in the workspace, sorted.
    var jobNames: [JobName] { Set(entries.map(\.allocation.job)).union(jobs.map { Array($0.keys) } ?? []).sorted() }

    var workerNames: [WorkerName] { Set(entries.map(\.allocation.worker)).union(workers).sorted() }

    // MARK: Allocations

    /// An allocation, as lists show it.
    struct Row {
        let allocation: AllocationID
        /// Nil if nothing is recorded.
        let entry: AllocationEntry?
        /// The version that a deploy would bring; nil if the workspace does not want the allocation, or cannot be read.
        let target: String?
        let state: AllocationState
    }

    /// Every allocation that is recorded or in the workspace, sorted by job, then worker.
    func rows(_ bucket: BucketOptions) throws -> [Row] {
        let planned = jobs == nil ? nil : Self.planned(bucket)
        let leftBehind = try self.leftBehind()
        var wanted: [AllocationID: JobOverview.Allocation] = [:]
        for job in jobs.map({ Array($0.values) }) ?? [] {
            for allocation in job.allocations {
                wanted[AllocationID(job: job.job, worker: allocation.worker)] = allocation
            }
        }
        var rows: [Row] = []
        func add(_ id: AllocationID, _ entry: AllocationEntry?) {
            // A machine may have got another name since.
            let now = AllocationID(job: id.job, worker: planned?.renames[id.worker] ?? id.worker)
            let want = wanted.removeValue(forKey: now)
            let target = want == nil ? nil : jobs?[id.job]?.version
            let record = entry?.record ?? .none
            rows.append(
                Row(
                    allocation: id, entry: entry, target: target,
                    state: AllocationState(
                        record, isWanted: jobs.map { _ in want != nil }, isDisabled: want?.isDisabled ?? false,
                        acts: planned.map { $0.acting.contains(now) }
                            ?? (target != nil && record.promoted?.version != target),
                        isLeftBehind: leftBehind.contains(.allocation(id)) || leftBehind.contains(.worker(id.worker)))))
        }
        for entry in entries { add(entry.allocation, entry) }
        for id in wanted.keys.sorted() { add(id, nil) }
        return rows.sorted { $0.allocation < $1.allocation }
    }

    /// What the last run has gone on without.
    private func leftBehind() throws -> Set<Subject> {
        guard let catalog, let last = try catalog.runs(limit: 1).first else { return [] }
        return Set(try catalog.leftBehind(by: last.id).map(\.subject))
    }

    /// What a deploy would do; nil if none can be planned.
    private static func planned(
        _ bucket: BucketOptions
    ) -> (acting: Set<AllocationID>, renames: [WorkerName: WorkerName])? {
        do {
            var options = Plan.Options()
            options.onFailure = .stop
            let plan = try Planning.plan(bucket, .deploy(options), .init()).result.plan
            let acting = plan.waves.lazy.flatMap(\.jobs).flatMap { job in
                job.entries.map { AllocationID(job: job.job, worker: $0.worker) }
            }
            return (
                Set(acting), Dictionary(plan.renames.map { ($0.from, $0.to) }, uniquingKeysWith: { first, _ in first })
            )
        } catch {
            warn("no deploy can be planned, and the states are only by the versions", error)
            return nil
        }
    }
}

extension CatalogOverview {
    /// Where jobs are, and whether they are meant to run there: by the workspace, or by what is recorded if that cannot be read.
    var places: [(id: AllocationID, isActive: Bool)] {
        let records = Dictionary(entries.map { ($0.allocation, $0.record) }, uniquingKeysWith: { first, _ in first })
        guard let jobs else { return records.map { ($0.key, $0.value.state == .active) } }
        return jobs.values.flatMap { job in
            job.allocations.map { allocation in
                let id = AllocationID(job: job.job, worker: allocation.worker)
                return (id, !allocation.isDisabled && records[id]?.state != .stoppedByHand)
            }
        }
    }

    /// The files that run now, by job.
    ///
    /// - Parameter workers: only on these; empty means all.
    func running(on workers: Set<WorkerName>) -> [JobName: Set<Digest>] {
        var running: [JobName: Set<Digest>] = [:]
        for entry in entries where workers.isEmpty || workers.contains(entry.allocation.worker) {
            guard entry.record.state == .active, let release = entry.record.promoted else { continue }
            running[entry.allocation.job, default: []].insert(release.content)
        }
        return running
    }
}
