internal import GRDB
public import Model

/// One allocation, as `catalog allocations` lists it.
public struct AllocationEntry: Equatable, Sendable {
    public let allocation: AllocationID
    /// What is known of it.
    public let record: AllocationRecord
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
    public let unsettled: Int
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
    public func allocations() throws(CatalogError) -> [AllocationEntry] { try read { db in try self.allocations(db) } }

    /// What is recorded of these allocations, for checking a plan's facts again; `AllocationRecord.none` where nothing is.
    public func records(of allocations: [AllocationID]) throws(CatalogError) -> [AllocationID: AllocationRecord] {
        try read { db in
            let statement = try db.cachedStatement(sql: Self.allocationColumns + " WHERE job = ? AND worker = ?")
            var records: [AllocationID: AllocationRecord] = [:]
            let drifted = try self.drifted(db)
            for allocation in allocations {
                let row = try Row.fetchOne(statement, arguments: [allocation.job.text, allocation.worker.text])
                var record = try row.map { try self.entry($0).record } ?? AllocationRecord.none
                record.drifted = drifted[allocation]
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
                let active = all.filter { $0.record.standing == .active }
                let versions = active.compactMap { $0.record.promoted?.version }
                return JobEntry(
                    job: job, record: records[job] ?? JobRecord(), active: active.count,
                    stopped: all.count { $0.record.standing == .stopped },
                    unsettled: active.count { $0.record.unfinished != nil },
                    versions: Dictionary(versions.map { ($0, 1) }, uniquingKeysWith: +))
            }
        }
    }

    /// Every worker that a plan ever named, sorted by name.
    public func workers() throws(CatalogError) -> [WorkerEntry] { try read { db in try self.workers(db) } }

    /// What the last runs promoted: newest run first, at most `limit` rows.
    public func deployments(limit: Int) throws(CatalogError) -> [DeploymentEntry] {
        try read { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT run, job, version, content, allocations, first_at, last_at FROM deployment
                    ORDER BY run DESC, job, version, content LIMIT ?
                    """, arguments: [max(0, limit)])
            return try rows.map { row in
                guard let job = JobName(row[1] as String), let release = try self.release(row[2], row[3]) else {
                    throw self.damaged("a deployment of run \(row[0] as Int) has no legal job")
                }
                return DeploymentEntry(
                    run: RunID(row[0]), job: job, release: release, allocations: row[4],
                    firstAt: Timestamp(milliseconds: row[5]), lastAt: Timestamp(milliseconds: row[6]))
            }
        }
    }

    /// The last run that promoted anything of each job.
    public func latestDeployments() throws(CatalogError) -> [JobName: RunID] {
        try read { db in
            var found: [JobName: RunID] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT job, max(run) FROM deployment GROUP BY job") {
                guard let job = JobName(row[0] as String) else { throw self.damaged("a deployment has no legal job") }
                found[job] = RunID(row[1])
            }
            return found
        }
    }

    private static let allocationColumns = """
        SELECT job, worker, promoted_version, promoted_content, unfinished_version, unfinished_content, standing, run,
            changed_at, gate_owed, gate_failed, promoted_rules, unfinished_rules
        FROM allocation
        """

    func allocations(_ db: Database) throws -> [AllocationEntry] {
        var entries: [AllocationEntry] = []
        let rows = try Row.fetchCursor(db, sql: Self.allocationColumns + " ORDER BY job, worker")
        while let row = try rows.next() { entries.append(try entry(row)) }
        return entries
    }

    /// What the next plan may replace although nothing of ours was begun there, and what a run was to bring.
    func drifted(_ db: Database) throws -> [AllocationID: Release] {
        var found: [AllocationID: Release] = [:]
        for row in try Row.fetchAll(db, sql: "SELECT job, worker, version, content FROM drifted") {
            guard let job = JobName(row[0] as String), let worker = WorkerName(row[1] as String) else {
                throw damaged("a drift has no legal name")
            }
            found[AllocationID(job: job, worker: worker)] = try release(row[2], row[3])
        }
        return found
    }

    private func entry(_ row: Row) throws -> AllocationEntry {
        let (job, worker): (String, String) = (row[0], row[1])
        guard let jobName = JobName(job), let workerName = WorkerName(worker),
            let standing = AllocationRecord.Standing(rawValue: row[6])
        else { throw damaged("the allocation of \(job) on \(worker) has no legal name or standing") }
        let record = AllocationRecord(
            promoted: try release(row[2], row[3], rules: row[11]),
            unfinished: try release(row[4], row[5], rules: row[12]), standing: standing, owesGate: row[9],
            failedGate: row[10])
        return AllocationEntry(
            allocation: AllocationID(job: jobName, worker: workerName), record: record, run: RunID(row[7]),
            changedAt: Timestamp(milliseconds: row[8]))
    }

    func jobs(_ db: Database) throws -> [JobName: JobRecord] {
        var jobs: [JobName: JobRecord] = [:]
        func name(_ text: String) throws -> JobName {
            guard let name = JobName(text) else { throw damaged("`\(text)` is no name of a job") }
            return name
        }
        for row in try Row.fetchAll(db, sql: "SELECT job, incomplete FROM job") {
            jobs[try name(row[0])] = JobRecord(incomplete: row[1])
        }
        let pending = "SELECT DISTINCT job FROM allocation WHERE gate_owed = 1 OR gate_failed = 1"
        for row in try Row.fetchAll(db, sql: pending) {
            jobs[try name(row[0]), default: JobRecord()].gatePending = true
        }
        for row in try Row.fetchAll(db, sql: "SELECT job, name, number FROM port") {
            jobs[try name(row[0]), default: JobRecord()].assignedPorts[row[1]] = row[2]
        }
        return jobs
    }

    func workers(_ db: Database) throws -> [WorkerEntry] {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT worker, address, port, user, host_keys, zone, run,
                    (SELECT count(*) FROM allocation WHERE allocation.worker = worker.worker AND standing = 'active')
                FROM worker ORDER BY worker
                """)
        return try rows.map { row in
            let text: String = row[0]
            guard let name = WorkerName(text) else { throw damaged("`\(text)` is no name of a worker") }
            var ssh: PlanWorker.SSHIdentity?
            if let port = row[2] as Int?, let user = row[3] as String? {
                ssh = .init(
                    port: port, user: user, hostKeys: (row[4] as String).split(separator: "\n").map(String.init))
            }
            return WorkerEntry(
                worker: PlanWorker(worker: name, address: row[1], ssh: ssh, zone: row[5]), run: RunID(row[6]),
                activeAllocations: row[7])
        }
    }

    private func release(_ version: String?, _ content: String?, rules: Int = Tree.rules) throws -> Release? {
        guard let version, let content else { return nil }
        guard let digest = Digest(hex: content.utf8) else { throw damaged("`\(content)` is no digest") }
        guard 1...Tree.rules ~= rules else {
            throw damaged("the tree \(content) was made by the unknown rules \(rules)")
        }
        // An earlier release recorded whatever a worker gave as its version.
        return Release(
            version: Version.isValid(version) ? version : Version.none.text, content: digest, treeRules: rules)
    }
}
