internal import GRDB
public import Model
public import Plans

/// An allocation or a worker that a run goes on without, since the worker could not be used and nothing of the run had begun
/// there.
public struct LeftBehind: Equatable, Sendable {
    public let subject: Subject
    /// What was wrong with the worker, for people.
    public let reason: String

    public init(_ subject: Subject, reason: String) {
        self.subject = subject
        self.reason = reason
    }
}

extension Catalog {
    /// What the run goes on without, sorted.
    ///
    /// - Throws: `CatalogError`.
    public func leftBehind(by run: RunID) throws(CatalogError) -> [LeftBehind] {
        try leftBehind(by: run, isTakenIn: false)
    }

    /// What the run went on without until somebody asked to take it in again; sorted. It is a part of the run like any other.
    ///
    /// - Throws: `CatalogError`.
    public func takenIn(by run: RunID) throws(CatalogError) -> [Subject] {
        try leftBehind(by: run, isTakenIn: true).map(\.subject)
    }

    private func leftBehind(by run: RunID, isTakenIn: Bool) throws(CatalogError) -> [LeftBehind] {
        try read { db in
            // What is neither 0 nor 1 has to be seen, too.
            let rows = try self.rows(
                of: "left_behind", db,
                "SELECT job, worker, reason, taken_in FROM left_behind WHERE run = ? ORDER BY job, worker",
                [run.number])
            return try rows.filter { try $0.flag(3) == isTakenIn }.map { row in
                let worker: WorkerName = try row.name(1)
                // A worker as a whole is of no job.
                let subject: Subject =
                    try row.text(0).isEmpty
                    ? .worker(worker) : .allocation(AllocationID(job: try row.name(0), worker: worker))
                return LeftBehind(subject, reason: try row.text(2))
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
                run.number, item.subject.job?.text ?? "", item.subject.worker?.text ?? "", bounded(item.reason),
                now.milliseconds,
            ])
        }
    }

    /// Makes everything that the run has left behind a part of it again, within the transaction that is open.
    func takeIn(_ run: RunID, _ db: Database) throws {
        try db.execute(sql: "UPDATE left_behind SET taken_in = 1 WHERE run = ?", arguments: [run.number])
    }
}
