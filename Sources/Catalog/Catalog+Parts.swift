internal import GRDB
public import Model

/// What one process has done of a run: from when to when it was at work, and how it left the run.
public struct RunPart: Equatable, Sendable {
    public let beganAt: Timestamp
    /// `user@host` of the user whose command it was.
    public let beganBy: String
    /// Nil while the process is at work, and if it was killed.
    public let endedAt: Timestamp?
    /// How it left the run; nil together with `endedAt`.
    public let state: RunState?
    /// Why, for programs.
    public let cause: RunReason?
    /// Why, for people.
    public let detail: String?

    public init(
        beganAt: Timestamp, beganBy: String, endedAt: Timestamp? = nil, state: RunState? = nil,
        cause: RunReason? = nil, detail: String? = nil
    ) {
        self.beganAt = beganAt
        self.beganBy = beganBy
        self.endedAt = endedAt
        self.state = state
        self.cause = cause
        self.detail = detail
    }
}

extension Catalog {
    /// Records that a process is at work on a run from now on. Its end is recorded with the state in which it leaves the run.
    public func beginPart(of run: RunID, at now: Timestamp, by who: String) throws(CatalogError) {
        try write { db in
            try db.execute(
                sql: """
                    INSERT INTO run_part (run, number, began_at, began_by)
                    VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM run_part WHERE run = ?1), ?2, ?3)
                    """, arguments: [run.number, now.milliseconds, who])
        }
    }

    /// What processes have done of a run, first to last; empty for runs of releases that did not record it.
    public func parts(of run: RunID) throws(CatalogError) -> [RunPart] {
        try read { db in
            try self.rows(
                of: "run_part", db,
                """
                SELECT run, number, began_at, began_by, ended_at, state, cause, detail FROM run_part WHERE run = ?
                ORDER BY number
                """, [run.number]
            ).map { row in
                RunPart(
                    beganAt: try row.time(2), beganBy: try row.text(3), endedAt: try row.optional(4, row.time),
                    state: try row.optional(5, row.word), cause: try row.optional(6, row.word),
                    detail: try row.optional(7, row.text))
            }
        }
    }

    /// Writes how the process at work leaves the run, within the transaction that is open.
    func endPart(of run: RunID, _ change: Checkpoint.RunChange, at now: Timestamp, _ db: Database) throws {
        guard change.state != .running else { return }
        try db.cachedStatement(
            sql: """
                UPDATE run_part SET ended_at = ?1, state = ?2, cause = ?3, detail = ?4
                WHERE run = ?5 AND ended_at IS NULL AND number = (SELECT max(number) FROM run_part WHERE run = ?5)
                """
        ).execute(arguments: [
            now.milliseconds, change.state.rawValue, change.cause?.rawValue, change.detail.map(bounded), run.number,
        ])
    }
}
