internal import GRDB
internal import Model
internal import Plans

extension Catalog {
    /// Writes one change of what runs where, within the transaction that is open.
    func apply(_ change: CatalogChange, run: RunID, at now: Timestamp, _ db: Database) throws {
        switch change {
        case .began(let allocation, let release): try begin(allocation, release, run, now, db)
        case .operating(let allocation, let release):
            try begin(allocation, release, run, now, db)
            try db.cachedStatement(sql: "UPDATE allocation SET interrupted = 1 WHERE job = ? AND worker = ?").execute(
                arguments: [allocation.job.text, allocation.worker.text])
        case .drifted(let allocation, let release):
            try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO drifted (job, worker, version, content, run) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [
                allocation.job.text, allocation.worker.text, release.version, release.content.hex, run.number,
            ])
        case .promoted(let allocation, let release): try promote(allocation, release, run, now, db)
        case .tookBack(let allocation, let content):
            try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO taken_back (job, worker, content, run) VALUES (?, ?, ?, ?)"
            ).execute(arguments: [allocation.job.text, allocation.worker.text, content.hex, run.number])
        case .stopped, .stoppedAgain, .stoppedByHand: try applyStop(change, run: run, at: now, db)
        case .started(let allocation):
            try db.cachedStatement(
                sql: """
                    UPDATE allocation SET run = ?, changed_at = ?, standing = 'active', interrupted = 0,
                        unfinished_version = NULL, unfinished_content = NULL
                    WHERE job = ? AND worker = ?
                    """
            ).execute(arguments: [run.number, now.milliseconds, allocation.job.text, allocation.worker.text])
        case .gateOwed, .gatePassed, .gateFailed, .gateForgotten: try applyGate(change, db)
        case .drained(let allocation, let isDrained): try setDrained(allocation, isDrained, run: run, db)
        case .incomplete(let job, let value):
            try set("incomplete", of: job, value, db)
        case .rolloutOrder(let job, let order):
            try db.cachedStatement(sql: "INSERT INTO rollout_order (run, job, workers) VALUES (?, ?, ?)").execute(
                arguments: [run.number, job.text, order.map(\.text).joined(separator: ",")])
        case .assignedPorts(let job, let ports):
            try db.cachedStatement(sql: "DELETE FROM port WHERE job = ?").execute(arguments: [job.text])
            let statement = try db.cachedStatement(sql: "INSERT INTO port (job, name, number) VALUES (?, ?, ?)")
            for (name, number) in ports { try statement.execute(arguments: [job.text, name, number]) }
        case .renamed(let renames): try rename(renames, db)
        case .adopted(let allocation, let state): try adopt(allocation, state, db)
        case .seen(let worker, let machine): try remember(machine, of: worker, db)
        }
    }

    /// Writes that an allocation was stopped; nothing where the change is of another kind.
    private func applyStop(_ change: CatalogChange, run: RunID, at now: Timestamp, _ db: Database) throws {
        switch change {
        case .stopped(let allocation, removed: true):
            try forgetDrift(of: allocation, db)
            try forgetAdoption(of: allocation, db)
            try stop(
                allocation, run, now, db,
                set: """
                    standing = 'removed', promoted_version = NULL, promoted_content = NULL,
                    unfinished_version = NULL, unfinished_content = NULL
                    """)
        case .stopped(let allocation, removed: false):
            try stop(
                allocation, run, now, db,
                set: """
                    standing = 'stopped',
                    promoted_version = coalesce(unfinished_version, promoted_version),
                    promoted_content = coalesce(unfinished_content, promoted_content),
                    unfinished_version = CASE WHEN \(Self.isItsOwn) THEN NULL ELSE unfinished_version END,
                    unfinished_content = CASE WHEN \(Self.isItsOwn) THEN NULL ELSE unfinished_content END
                    """)
        case .stoppedAgain(let allocation, let release, let isByHand):
            try stopAgain(allocation, release, isByHand: isByHand, run, now, db)
        case .stoppedByHand(let allocation):
            try stop(
                allocation, run, now, db,
                set: "standing = 'stopped_by_hand', unfinished_version = NULL, unfinished_content = NULL")
        case .began, .operating, .drifted, .tookBack, .promoted, .started, .gateOwed, .gatePassed, .gateFailed,
            .gateForgotten,
            .drained, .incomplete, .rolloutOrder, .assignedPorts, .renamed, .adopted, .seen:
            break
        }
    }

    private func begin(
        _ allocation: AllocationID, _ release: Release, _ run: RunID, _ now: Timestamp, _ db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO allocation (
                    job, worker, run, changed_at, standing, unfinished_version, unfinished_content)
                VALUES (?, ?, ?, ?, 'active', ?, ?)
                ON CONFLICT (job, worker) DO UPDATE SET
                    run = excluded.run, changed_at = excluded.changed_at, standing = 'active', interrupted = 0,
                    unfinished_version = excluded.unfinished_version,
                    unfinished_content = excluded.unfinished_content
                """
        ).execute(arguments: Self.arguments(allocation, run, now, release))
        try forgetDrift(of: allocation, db)
    }

    private func promote(
        _ allocation: AllocationID, _ release: Release, _ run: RunID, _ now: Timestamp, _ db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO allocation (
                    job, worker, run, changed_at, standing, promoted_version, promoted_content)
                VALUES (?, ?, ?, ?, 'active', ?, ?)
                ON CONFLICT (job, worker) DO UPDATE SET
                    run = excluded.run, changed_at = excluded.changed_at, standing = 'active',
                    previous_content = CASE WHEN promoted_content = excluded.promoted_content
                        THEN previous_content ELSE coalesce(promoted_content, previous_content) END,
                    promoted_version = excluded.promoted_version, promoted_content = excluded.promoted_content,
                    interrupted = 0,
                    unfinished_version = NULL, unfinished_content = NULL
                """
        ).execute(arguments: Self.arguments(allocation, run, now, release))
        try forgetDrift(of: allocation, db)
        try forgetAdoption(of: allocation, db)
        try db.cachedStatement(sql: "DELETE FROM taken_back WHERE job = ? AND worker = ?").execute(
            arguments: [allocation.job.text, allocation.worker.text])
        try count(release, of: allocation.job, run, now, db)
    }

    /// What is unfinished is the stop itself, and not a rollout that has left files of its own there.
    private static let isItsOwn = "unfinished_content = promoted_content"

    private static func arguments(
        _ allocation: AllocationID, _ run: RunID, _ now: Timestamp, _ release: Release
    ) -> StatementArguments {
        [
            allocation.job.text, allocation.worker.text, run.number, now.milliseconds, release.version,
            release.content.hex,
        ]
    }

    private func forgetDrift(of allocation: AllocationID, _ db: Database) throws {
        try db.cachedStatement(sql: "DELETE FROM drifted WHERE job = ? AND worker = ?").execute(
            arguments: [allocation.job.text, allocation.worker.text])
    }

    private func adopt(_ allocation: AllocationID, _ state: Digest, _ db: Database) throws {
        let place = [allocation.job.text, allocation.worker.text]
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO adopted (job, worker) VALUES (?, ?)").execute(
            arguments: StatementArguments(place))
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO adopted_state (job, worker, state) VALUES (?, ?, ?)")
            .execute(arguments: StatementArguments(place + [state.hex]))
    }

    private func forgetAdoption(of allocation: AllocationID, _ db: Database) throws {
        try db.cachedStatement(sql: "DELETE FROM adopted WHERE job = ? AND worker = ?").execute(
            arguments: [allocation.job.text, allocation.worker.text])
    }

    private func stop(
        _ allocation: AllocationID, _ run: RunID, _ now: Timestamp, _ db: Database, set: String
    ) throws {
        // It has no load to be given back.
        try setDrained(allocation, false, run: run, db)
        try db.cachedStatement(
            sql: """
                UPDATE allocation SET run = ?, changed_at = ?, gate_owed = 0, gate_failed = 0, interrupted = 0, \(set)
                WHERE job = ? AND worker = ?
                """
        ).execute(arguments: [run.number, now.milliseconds, allocation.job.text, allocation.worker.text])
    }

    /// What is there now stays unfinished: what was promoted before it is on the worker in part, at most.
    private func stopAgain(
        _ allocation: AllocationID, _ release: Release, isByHand: Bool, _ run: RunID, _ now: Timestamp, _ db: Database
    ) throws {
        try db.cachedStatement(
            sql: """
                UPDATE allocation SET run = ?, changed_at = ?, gate_owed = 0, gate_failed = 0, interrupted = 0, standing = ?,
                    unfinished_version = coalesce(unfinished_version, promoted_version),
                    unfinished_content = coalesce(unfinished_content, promoted_content),
                    promoted_version = ?, promoted_content = ?
                WHERE job = ? AND worker = ?
                """
        ).execute(arguments: [
            run.number, now.milliseconds, isByHand ? "stopped_by_hand" : "stopped", release.version,
            release.content.hex, allocation.job.text, allocation.worker.text,
        ])
    }

    private func set(_ column: String, of job: JobName, _ value: Bool, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO job (job, \(column)) VALUES (?, ?)
                ON CONFLICT (job) DO UPDATE SET \(column) = excluded.\(column)
                """
        ).execute(arguments: [job.text, value])
    }

    /// Adds one promoted allocation to what this run has deployed.
    private func count(_ release: Release, of job: JobName, _ run: RunID, _ now: Timestamp, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO deployment (run, job, version, content, allocations, first_at, last_at)
                VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5)
                ON CONFLICT (run, job, version, content)
                    DO UPDATE SET allocations = allocations + 1, last_at = excluded.last_at
                """
        ).execute(arguments: [run.number, job.text, release.version, release.content.hex, now.milliseconds])
    }
}
