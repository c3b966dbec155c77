internal import GRDB
public import Model
public import Plans

extension Catalog {
    /// What workers were when a rollout last saw them.
    public func machines() throws(CatalogError) -> [WorkerName: Machine] { try read { db in try self.machines(db) } }

    /// Whether a run of another plan has renamed workers since the catalog had this revision; as far as its steps are kept.
    public func hasRenamed(since revision: Int, but plan: Digest) throws(CatalogError) -> Bool {
        try read { db in
            try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM attempt JOIN run ON run.number = attempt.run
                        WHERE attempt.step = ? AND attempt.state = 'succeeded' AND run.base_revision >= ? AND run.plan <> ?)
                    """, arguments: [StepID.renames.text, revision, plan.hex]) ?? false
        }
    }

    func machines(_ db: Database) throws -> [WorkerName: Machine] {
        var machines: [WorkerName: Machine] = [:]
        for row in try rows(of: "machine", db, "SELECT worker, address, port, host_keys, generation FROM machine") {
            machines[try row.name(0)] = Machine(
                address: try row.text(1), port: try row.integer(2, in: Plan.portRange), hostKeys: try row.lines(3),
                generation: try row.text(4))
        }
        return machines
    }

    /// Allocations that were taken over from Maand, and to which nothing was pushed since.
    public func adopted() throws(CatalogError) -> Set<AllocationID> {
        try read { db in
            Set(
                try self.rows(of: "adopted", db, "SELECT job, worker FROM adopted").map {
                    AllocationID(job: try $0.name(0), worker: try $0.name(1))
                })
        }
    }

    /// What stood for Maand's records of allocations as they were taken over; it stays also when they are deployed later.
    public func adoptedStates() throws(CatalogError) -> [AllocationID: Digest] {
        try read { db in
            var states: [AllocationID: Digest] = [:]
            for row in try self.rows(of: "adopted_state", db, "SELECT job, worker, state FROM adopted_state") {
                states[AllocationID(job: try row.name(0), worker: try row.name(1))] = try row.digest(2)
            }
            return states
        }
    }

    /// Ids that Maand had given to workers.
    func workerIDs(_ db: Database) throws -> [WorkerName: String] {
        var ids: [WorkerName: String] = [:]
        for row in try rows(of: "worker_identity", db, "SELECT worker, id FROM worker_identity") {
            ids[try row.name(0)] = try row.text(1)
        }
        return ids
    }

    /// Records what was taken over from Maand: ids of workers that have none yet, and jobs whose files stay executable.
    ///
    /// - Returns: false if all of it was recorded already.
    public func takeOver(ids: [WorkerName: String], jobs: Set<JobName>) throws(CatalogError) -> Bool {
        try write { db in
            let before = db.totalChangesCount
            for (worker, id) in ids.sorted(by: { $0.key < $1.key }) {
                try db.execute(
                    sql: "INSERT OR IGNORE INTO worker_identity (worker, id) VALUES (?, ?)",
                    arguments: [worker.text, id])
            }
            for job in jobs.sorted() {
                try db.execute(
                    sql: """
                        INSERT INTO job (job, maand_modes) VALUES (?, 1)
                        ON CONFLICT (job) DO UPDATE SET maand_modes = 1 WHERE maand_modes = 0
                        """, arguments: [job.text])
            }
            return db.totalChangesCount > before
        }
    }

    /// Writes what a worker is, within the transaction that is open.
    func remember(_ machine: Machine, of worker: WorkerName, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO machine (worker, address, port, host_keys, generation) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (worker) DO UPDATE SET address = excluded.address, port = excluded.port,
                    host_keys = excluded.host_keys, generation = excluded.generation
                """
        ).execute(arguments: [
            worker.text, machine.address, machine.port, machine.hostKeys.joined(separator: "\n"), machine.generation,
        ])
    }

    /// Puts new names in the place of old ones, within the transaction that is open. Names may be swapped, so all leave
    /// their old names before any takes its new one; no name of a worker begins with a space.
    ///
    /// Where a new name stands for something that is not renamed itself and is still there, nothing is written.
    func rename(_ renames: [Plan.Rename], _ db: Database) throws {
        let nothing = "AND standing != 'stopped' AND promoted_content IS NULL AND unfinished_content IS NULL"
        for (table, isNothing) in [
            ("allocation", nothing), ("drifted", ""), ("taken_back", ""), ("drained", ""), ("adopted", ""),
        ] {
            let jobs = try rows(of: table, db, "SELECT DISTINCT job FROM \(table)").map { try $0.text(0) }
            let leave = try db.cachedStatement(
                sql: "UPDATE \(table) SET worker = ' ' || worker WHERE job = ? AND worker = ?")
            let clear = try db.cachedStatement(
                sql: "DELETE FROM \(table) WHERE job = ? AND worker = ? \(isNothing)")
            let take = try db.cachedStatement(
                sql: "UPDATE \(table) SET worker = ?3 WHERE job = ?1 AND worker = ' ' || ?2")
            for job in jobs {
                for rename in renames { try leave.execute(arguments: [job, rename.from.text]) }
                for rename in renames { try clear.execute(arguments: [job, rename.to.text]) }
                for rename in renames { try take.execute(arguments: [job, rename.from.text, rename.to.text]) }
            }
        }
        let machines = try self.machines(db)
        for rename in renames {
            try db.cachedStatement(sql: "DELETE FROM machine WHERE worker = ?").execute(arguments: [rename.from.text])
        }
        for rename in renames {
            if let machine = machines[rename.from] { try remember(machine, of: rename.to, db) }
        }
    }
}
