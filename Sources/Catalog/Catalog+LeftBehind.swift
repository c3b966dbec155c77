internal import GRDB
public import Model

/// An allocation that a run goes on without, since its worker could not be used and nothing of the run had begun there.
public struct LeftBehind: Equatable, Sendable {
    public let allocation: AllocationID
    /// What was wrong with its worker, for people.
    public let reason: String
    /// Somebody has asked to take it in again: it is a part of the run like any other.
    public var isTakenIn: Bool

    public init(_ allocation: AllocationID, reason: String, isTakenIn: Bool = false) {
        self.allocation = allocation
        self.reason = reason
        self.isTakenIn = isTakenIn
    }
}

extension Catalog {
    /// What the run has left behind, those that were taken in again included; sorted by allocation.
    public func leftBehind(by run: RunID) throws(CatalogError) -> [LeftBehind] {
        try read { db in
            let rows = try Row.fetchAll(
                db, sql: "SELECT job, worker, reason, taken_in FROM left_behind WHERE run = ? ORDER BY job, worker",
                arguments: [run.number])
            return try rows.map { row in
                guard let job = JobName(row[0] as String), let worker = WorkerName(row[1] as String) else {
                    throw self.damaged("run \(run) has left something behind that is no allocation")
                }
                return LeftBehind(AllocationID(job: job, worker: worker), reason: row[2], isTakenIn: row[3])
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
