internal import GRDB
public import Model

/// An allocation that a run goes on without, since its worker could not be used and nothing of the run had begun there.
public struct LeftBehind: Equatable, Sendable {
    public let allocation: AllocationID
    /// What was wrong with its worker, for people.
    public let reason: String

    public init(_ allocation: AllocationID, reason: String) {
        self.allocation = allocation
        self.reason = reason
    }
}

extension Catalog {
    /// What the run goes on without, sorted by allocation.
    ///
    /// - Throws: `CatalogError`.
    public func leftBehind(by run: RunID) throws(CatalogError) -> [LeftBehind] {
        try leftBehind(by: run, isTakenIn: false)
    }

    /// What the run went on without until somebody asked to take it in again; sorted. It is a part of the run like any other.
    ///
    /// - Throws: `CatalogError`.
    public func takenIn(by run: RunID) throws(CatalogError) -> [AllocationID] {
        try leftBehind(by: run, isTakenIn: true).map(\.allocation)
    }

    private func leftBehind(by run: RunID, isTakenIn: Bool) throws(CatalogError) -> [LeftBehind] {
        try read { db in
            // What is neither 0 nor 1 has to be seen, too.
            let rows = try self.rows(
                of: "left_behind", db,
                "SELECT job, worker, reason, taken_in FROM left_behind WHERE run = ? ORDER BY job, worker",
                [run.number])
            return try rows.filter { try $0.flag(3) == isTakenIn }.map { row in
                LeftBehind(AllocationID(job: try row.name(0), worker: try row.name(1)), reason: try row.text(2))
            }
        }
    }

    /// Writes that a run goes on without allocations, within the transaction that is open.
    func leave(_ left: [LeftBehind], run: RunID, at now: Timestamp, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO left_behind (run, job, worker, reason, decided_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (run, job, worker) DO UPDATE SET reason = excluded.reason, decided_at = excluded.decided_at,
                    taken_in = 0
                """)
        for item in left {
            try statement.execute(arguments: [
                run.number, item.allocation.job.text, item.allocation.worker.text, bounded(item.reason),
                now.milliseconds,
            ])
        }
    }

    /// Makes everything that the run has left behind a part of it again, within the transaction that is open.
    func takeIn(_ run: RunID, _ db: Database) throws {
        try db.execute(sql: "UPDATE left_behind SET taken_in = 1 WHERE run = ?", arguments: [run.number])
    }
}
