internal import GRDB
public import Model
public import Plans

extension Catalog {
    /// Begins a run of the plan with this digest, advances the catalog's revision, and remembers how the plan's workers
    /// are reached. The plan's bytes belong into the content store before.
    ///
    /// - Parameters:
    ///   - nonce: Random text, never used before in this bucket.
    ///   - who: `user@host`.
    ///   - seen: The highest number of a run that a worker knows; this run's is higher.
    ///   - approval: By whose approvals it begins; nil where there is no policy.
    /// - Throws: `CatalogError.unfinishedRun` while any run has not ended.
    public func beginRun(
        plan: Digest, nonce: String, at now: Timestamp, by who: String, workers: [PlanWorker], after seen: Int = 0,
        approval: ApprovalRecord? = nil
    ) throws(CatalogError) -> Run {
        try write { db in
            if let other = try self.unfinishedRun(db) { throw CatalogError.unfinishedRun(other) }
            try self.forgetOldRuns(db)
            let revision = try self.advanceRevision(db) - 1
            // Of what no run could follow, SQLite would say that the disk is full.
            for row in try self.rows(of: "run", db, "SELECT number FROM run ORDER BY number DESC LIMIT 1") {
                _ = try row.run(0)
            }
            try db.execute(
                sql: """
                    INSERT INTO run (number, nonce, plan, state, started_at, started_by, base_revision)
                    VALUES ((SELECT CASE WHEN ?1 >= coalesce(max(number), 0) THEN ?1 + 1 END FROM run),
                        ?2, ?3, 'running', ?4, ?5, ?6)
                    """, arguments: [seen, nonce, plan.hex, now.milliseconds, who, revision])
            let run = Int(db.lastInsertedRowID)
            for worker in workers { try self.remember(worker, run: run, db) }
            if let approval { try self.insert(approval, run, now, db) }
            return Run(
                id: RunID(run), nonce: nonce, plan: plan, state: .running, startedAt: now, endedAt: nil,
                startedBy: who, baseRevision: revision, detail: nil)
        }
    }

    /// Ended runs of which the output of steps is kept, the newest ones.
    static let runsWithOutput = 20
    /// Ended runs of which every attempt is kept. The runs themselves and people's decisions are kept for good.
    static let runsWithSteps = 100

    private func forgetOldRuns(_ db: Database) throws {
        let kept = [
            ("output", Self.runsWithOutput), ("attempt", Self.runsWithSteps), ("rollout_order", Self.runsWithSteps),
            ("left_behind", Self.runsWithSteps), ("run_part", Self.runsWithSteps),
        ]
        for (table, kept) in kept {
            try db.execute(
                sql: "DELETE FROM \(table) WHERE run <= (SELECT number FROM run ORDER BY number DESC LIMIT 1 OFFSET ?)",
                arguments: [kept])
        }
    }

    /// The run that holds the bucket, if any.
    public func unfinishedRun() throws(CatalogError) -> Run? { try read { db in try self.unfinishedRun(db) } }

    /// The last run of the plan with this digest.
    public func latestRun(of plan: Digest) throws(CatalogError) -> Run? {
        try read { db in
            try self.runs(db, "WHERE plan = ? ORDER BY number DESC LIMIT 1", [plan.hex]).first
        }
    }

    /// Nil where there is no such run.
    public func run(_ id: RunID) throws(CatalogError) -> Run? { try read { db in try self.run(id, db) } }

    /// The last `limit` runs, newest first.
    public func runs(limit: Int) throws(CatalogError) -> [Run] {
        try read { db in try self.runs(db, "ORDER BY number DESC LIMIT ?", [max(0, limit)]) }
    }

    /// Ends or parks a run; the revision advances when it succeeds or is abandoned.
    ///
    /// - Parameter drifts: where somebody has changed what the run depends on, and what it was to bring there; in the place
    ///   of what was recorded of it before.
    public func finish(
        _ run: RunID, state: RunState, detail: String?, cause: RunReason? = nil, drifts: [AllocationID: Release] = [:],
        at now: Timestamp
    ) throws(CatalogError) {
        try write { db in
            try self.apply(Checkpoint(run: run, at: now, runState: .init(state, detail: detail, cause: cause)), db)
            try db.execute(sql: "DELETE FROM drift WHERE run = ?", arguments: [run.number])
            for (allocation, release) in drifts {
                try db.execute(
                    sql: "INSERT INTO drift (run, job, worker, version, content) VALUES (?, ?, ?, ?, ?)",
                    arguments: [
                        run.number, allocation.job.text, allocation.worker.text, release.version, release.content.hex,
                    ])
            }
        }
    }

    /// Records by which plan an unfinished run goes back. From here on it goes nowhere else.
    ///
    /// - Parameter plan: of which the store has the bytes.
    public func beginWayBack(of run: RunID, by plan: Digest) throws(CatalogError) {
        try write { db in
            guard let known = try self.run(run, db) else { throw CatalogError.unknownRun(run) }
            guard known.state.isUnfinished else { throw CatalogError.runEnded(run: run, state: known.state) }
            try db.execute(
                sql: "UPDATE run SET way_back = coalesce(way_back, ?) WHERE number = ?",
                arguments: [plan.hex, run.number])
        }
    }

    /// Replaces the plan by which a run goes back by one with the same steps.
    public func renewWayBack(of run: RunID, by plan: Digest) throws(CatalogError) {
        try write { db in
            try db.execute(
                sql: "UPDATE run SET way_back = ? WHERE number = ? AND way_back IS NOT NULL",
                arguments: [plan.hex, run.number])
        }
    }

    /// What `finish` was told last.
    public func drifts(of run: RunID) throws(CatalogError) -> [AllocationID: Release] {
        try read { db in
            var found: [AllocationID: Release] = [:]
            for row in try self.rows(
                of: "drift", db, "SELECT job, worker, version, content FROM drift WHERE run = ?", [run.number])
            {
                found[AllocationID(job: try row.name(0), worker: try row.name(1))] = Release(
                    version: try row.text(2), content: try row.digest(3))
            }
            return found
        }
    }

    /// Records what a person decided; for decisions that change nothing else (others go into a checkpoint).
    public func record(_ decision: Decision) throws(CatalogError) {
        try write { db in
            guard try self.run(decision.run, db) != nil else { throw CatalogError.unknownRun(decision.run) }
            try self.insert(decision, db)
        }
    }

    /// In the order in which they were made.
    public func decisions(_ run: RunID) throws(CatalogError) -> [Decision] {
        try read { db in
            try self.rows(
                of: "decision", db,
                "SELECT number, at, by_whom, step, what, reason FROM decision WHERE run = ? ORDER BY number",
                [run.number]
            ).map { row in
                Decision(
                    at: try row.time(1), by: try row.text(2), run: run,
                    step: try row.optional(3, row.text).map { StepID($0) }, what: try row.word(4),
                    reason: try row.text(5))
            }
        }
    }

    func run(_ id: RunID, _ db: Database) throws -> Run? {
        try runs(db, "WHERE number = ?", [id.number]).first
    }

    /// The catalog's next revision.
    @discardableResult
    func advanceRevision(_ db: Database) throws -> Int {
        try db.execute(sql: "UPDATE bucket SET catalog_revision = catalog_revision + 1")
        return try revision(db)
    }

    func insert(_ decision: Decision, _ db: Database) throws {
        try db.execute(
            sql: "INSERT INTO decision (at, by_whom, run, step, what, reason) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                decision.at.milliseconds, decision.by, decision.run.number, decision.step?.text, decision.what.rawValue,
                bounded(decision.reason),
            ])
    }

    private func unfinishedRun(_ db: Database) throws -> Run? {
        try runs(db, "WHERE ended_at IS NULL", []).first
    }

    private func runs(_ db: Database, _ clause: String, _ arguments: StatementArguments) throws -> [Run] {
        try rows(
            of: "run", db,
            """
            SELECT number, nonce, plan, state, started_at, ended_at, started_by, base_revision, detail, cause, way_back
            FROM run
            """ + " " + clause, arguments
        ).map { row in
            // It becomes part of paths on workers.
            let nonce = try row.text(1)
            if JobName(nonce) == nil || nonce.contains("-") { throw row.illegal(1, "letters and digits") }
            let cause: RunReason? = try row.optional(9, row.word)
            let state: RunState = try row.word(3)
            return Run(
                id: try row.run(0), nonce: nonce, plan: try row.digest(2),
                state: state == .abandoned && cause == .rolledBack ? .rolledBack : state,
                startedAt: try row.time(4), endedAt: try row.optional(5, row.time), startedBy: try row.text(6),
                baseRevision: try row.integer(7), detail: try row.optional(8, row.text), cause: cause,
                wayBack: try row.optional(10, row.digest))
        }
    }

    private func remember(_ worker: PlanWorker, run: Int, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO worker (worker, address, port, user, host_keys, zone, run, tags)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (worker) DO UPDATE SET address = excluded.address, port = excluded.port,
                    user = excluded.user, host_keys = excluded.host_keys, zone = excluded.zone, run = excluded.run,
                    tags_before = coalesce(tags, '{}'), tags = excluded.tags
                """)
        try statement.execute(arguments: [
            worker.worker.text, worker.address, worker.ssh?.port, worker.ssh?.user,
            worker.ssh?.hostKeys.joined(separator: "\n") ?? "", worker.zone, run,
            Self.text(ofTags: worker.allTags),
        ])
    }
}
