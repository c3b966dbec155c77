internal import Foundation
internal import GRDB
public import Model
public import Plans

/// One allocation, as `catalog allocations` lists it.
public struct AllocationEntry: Equatable, Sendable {
    public let allocation: AllocationID
    /// What is known of it.
    public internal(set) var record: AllocationRecord
    /// The run that last changed the record.
    public let run: RunID
    /// When it did.
    public let changedAt: Timestamp
}

/// One job, as `catalog jobs` lists it.
public struct JobEntry: Equatable, Sendable {
    public let job: JobName
    /// What is known of it.
    public let record: JobRecord
    /// Allocations that are meant to run.
    public let active: Int
    /// Allocations that were stopped because they were disabled.
    public let stopped: Int
    /// Active allocations with something begun that was neither promoted nor stopped.
    public let unfinished: Int
    /// Promoted version -> active allocations that run it.
    public let versions: [String: Int]
}

/// One worker, as `catalog workers` lists it.
public struct WorkerEntry: Equatable, Sendable {
    /// How it was reached by the last plan that named it.
    public let worker: PlanWorker
    /// The run of that plan.
    public let run: RunID
    public let activeAllocations: Int
    /// The tags that it had in the last plan, `zone` among them; nil where they were not recorded.
    public let tags: [String: String]?
    /// Those that it had before the run of that plan; nil where it was not known then.
    public let tagsBefore: [String: String]?
}

/// What one run promoted of one job, as `catalog deployments` lists it.
public struct DeploymentEntry: Equatable, Sendable {
    /// The run that promoted.
    public let run: RunID
    public let job: JobName
    /// What it promoted.
    public let release: Release
    /// How many allocations were promoted to it.
    public let allocations: Int
    /// When the first of its allocations was promoted.
    public let firstAt: Timestamp
    /// When the last was.
    public let lastAt: Timestamp
}

extension Catalog {
    /// Every allocation that ever was, removed ones too; sorted by job, then worker.
    public func allocations() throws(CatalogError) -> [AllocationEntry] {
        try read { db in
            let drained = Set(try self.drained(db).map(\.allocation))
            return try self.allocations(db).map { entry in
                var entry = entry
                entry.record.isDrained = drained.contains(entry.allocation)
                return entry
            }
        }
    }

    /// What is recorded of these allocations, for checking a plan's facts again; `AllocationRecord.none` where nothing is.
    public func records(of allocations: [AllocationID]) throws(CatalogError) -> [AllocationID: AllocationRecord] {
        try read { db in
            let statement = try db.cachedStatement(sql: Self.allocationColumns + " WHERE job = ? AND worker = ?")
            var records: [AllocationID: AllocationRecord] = [:]
            let drifted = try self.drifted(db)
            let drained = Set(try self.drained(db).map(\.allocation))
            for allocation in allocations {
                let row = try self.row(of: "allocation", statement, [allocation.job.text, allocation.worker.text])
                var record = try row.map { try self.entry($0).record } ?? AllocationRecord.none
                record.drifted = drifted[allocation]
                record.isDrained = drained.contains(allocation)
                records[allocation] = record
            }
            return records
        }
    }

    /// Every job that has an allocation or a record of its own, sorted by name.
    public func jobs() throws(CatalogError) -> [JobEntry] {
        try read { db in
            let records = try self.jobs(db)
            let allocations = Dictionary(grouping: try self.allocations(db), by: \.allocation.job)
            return Set(records.keys).union(allocations.keys).sorted().map { job in
                let all = allocations[job] ?? []
                let active = all.filter { $0.record.state == .active }
                let versions = active.compactMap { $0.record.promoted?.version }
                return JobEntry(
                    job: job, record: records[job] ?? JobRecord(), active: active.count,
                    stopped: all.count { $0.record.state == .stopped || $0.record.state == .stoppedByHand },
                    unfinished: active.count { $0.record.unfinished != nil },
                    versions: Dictionary(versions.map { ($0, 1) }, uniquingKeysWith: +))
            }
        }
    }

    /// Every worker that a plan ever named, sorted by name.
    public func workers() throws(CatalogError) -> [WorkerEntry] { try read { db in try self.workers(db) } }

    /// What the last runs promoted: newest run first, at most `limit` rows.
    public func deployments(limit: Int) throws(CatalogError) -> [DeploymentEntry] {
        try read { db in
            try self.rows(
                of: "deployment", db,
                """
                SELECT run, job, version, content, allocations, first_at, last_at FROM deployment
                ORDER BY run DESC, job, version, content LIMIT ?
                """, [max(0, limit)]
            ).map { row in
                DeploymentEntry(
                    run: try row.run(0), job: try row.name(1),
                    release: Release(version: try row.text(2), content: try row.digest(3)),
                    allocations: try row.integer(4), firstAt: try row.time(5), lastAt: try row.time(6))
            }
        }
    }

    /// The last run that promoted anything of each job.
    public func latestDeployments() throws(CatalogError) -> [JobName: RunID] {
        try read { db in
            var found: [JobName: RunID] = [:]
            for row in try self.rows(
                of: "deployment", db, "SELECT job, max(run) AS run FROM deployment GROUP BY job")
            { found[try row.name(0)] = try row.run(1) }
            return found
        }
    }

    private static let allocationColumns = """
        SELECT job, worker, promoted_version, promoted_content, unfinished_version, unfinished_content, standing, run,
            changed_at, gate_owed, gate_failed, interrupted
        FROM allocation
        """

    func allocations(_ db: Database) throws -> [AllocationEntry] {
        var entries: [AllocationEntry] = []
        try eachRow(of: "allocation", db, Self.allocationColumns + " ORDER BY job, worker") { row in
            entries.append(try entry(row))
        }
        return entries
    }

    /// What the next plan may replace although nothing of ours was begun there, and what a run was to bring.
    func drifted(_ db: Database) throws -> [AllocationID: Release] {
        var found: [AllocationID: Release] = [:]
        for row in try rows(of: "drifted", db, "SELECT job, worker, version, content FROM drifted") {
            found[AllocationID(job: try row.name(0), worker: try row.name(1))] = Release(
                version: try row.text(2), content: try row.digest(3))
        }
        return found
    }

    /// What was promoted on allocations before what is promoted there now.
    public func previousContents() throws(CatalogError) -> Set<Digest> {
        try read { db in
            Set(
                try self.rows(
                    of: "allocation", db,
                    "SELECT DISTINCT previous_content FROM allocation WHERE previous_content IS NOT NULL"
                ).map { try $0.digest(0) })
        }
    }

    /// The content that was last taken back on each allocation.
    func takenBack(_ db: Database) throws -> [AllocationID: Digest] {
        var found: [AllocationID: Digest] = [:]
        for row in try rows(of: "taken_back", db, "SELECT job, worker, content FROM taken_back") {
            found[AllocationID(job: try row.name(0), worker: try row.name(1))] = try row.digest(2)
        }
        return found
    }

    private func entry(_ row: CatalogRow) throws -> AllocationEntry {
        var record = AllocationRecord(
            promoted: try release(row, version: 2, content: 3),
            unfinished: try release(row, version: 4, content: 5), state: try row.word(6),
            owesGate: try row.flag(9), failedGate: try row.flag(10))
        record.isInterrupted = try row.flag(11)
        return AllocationEntry(
            allocation: AllocationID(job: try row.name(0), worker: try row.name(1)), record: record,
            run: try row.run(7), changedAt: try row.time(8))
    }

    func jobs(_ db: Database) throws -> [JobName: JobRecord] {
        var jobs: [JobName: JobRecord] = [:]
        for row in try rows(of: "job", db, "SELECT job, incomplete, maand_modes FROM job") {
            var record = JobRecord(incomplete: try row.flag(1))
            record.keepsMaandModes = try row.flag(2)
            jobs[try row.name(0)] = record
        }
        let pending = "SELECT DISTINCT job FROM allocation WHERE gate_owed = 1 OR gate_failed = 1"
        for row in try rows(of: "allocation", db, pending) {
            jobs[try row.name(0), default: JobRecord()].gatePending = true
        }
        for row in try rows(of: "port", db, "SELECT job, name, number FROM port") {
            jobs[try row.name(0), default: JobRecord()].assignedPorts[try row.text(1)] = try row.integer(
                2, in: Plan.portRange)
        }
        return jobs
    }

    func workers(_ db: Database) throws -> [WorkerEntry] {
        try rows(
            of: "worker", db,
            """
            SELECT worker, address, port, user, host_keys, zone, run,
                (SELECT count(*) FROM allocation WHERE allocation.worker = worker.worker AND standing = 'active'),
                tags, tags_before
            FROM worker ORDER BY worker
            """
        ).map { row in
            let keys = try row.lines(4)
            var ssh: PlanWorker.SSHIdentity?
            if !row.isNull(2) || !row.isNull(3) {
                ssh = .init(port: try row.integer(2, in: Plan.portRange), user: try row.text(3), hostKeys: keys)
            }
            let tags = try row.optional(8, row.tags)
            var worker = PlanWorker(
                worker: try row.name(0), address: try row.text(1), ssh: ssh, zone: try row.optional(5, row.text))
            worker.tags = tags?.filter { $0.key != "zone" } ?? [:]
            return WorkerEntry(
                worker: worker, run: try row.run(6), activeAllocations: try row.integer(7), tags: tags,
                tagsBefore: try row.optional(9, row.tags))
        }
    }

    static func text(ofTags tags: [String: String]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return (try? encoder.encode(tags)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// Nil where both version and content are NULL.
    private func release(_ row: CatalogRow, version: Int, content: Int) throws -> Release? {
        if row.isNull(version), row.isNull(content) { return nil }
        let text = try row.text(version)
        // An earlier release recorded whatever a worker gave as its version.
        return Release(
            version: Version.isValid(text) ? text : Version.none.text, content: try row.digest(content))
    }
}

extension CatalogRow {
    /// Names and values of tags, as ``Catalog/text(ofTags:)`` writes them.
    fileprivate func tags(_ column: Int) throws -> [String: String] {
        guard let tags = try? JSONDecoder().decode([String: String].self, from: Data(try text(column).utf8)) else {
            throw illegal(column, "an object of texts")
        }
        return tags
    }
}
