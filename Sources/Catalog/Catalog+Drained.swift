internal import GRDB
public import Model
internal import Plans

extension Catalog {
    /// Allocations that hooks have drained and that no hook has put back since; sorted by job, then worker.
    ///
    /// - Parameters:
    ///   - run: those that this run has drained.
    ///   - jobs: those of these jobs, whichever run has drained them.
    public func drained(by run: RunID, of jobs: Set<JobName> = []) throws(CatalogError) -> [AllocationID] {
        try read { db in
            try self.drained(db).filter { $0.run == run || jobs.contains($0.allocation.job) }.map(\.allocation)
        }
    }

    func drained(_ db: Database) throws -> [(allocation: AllocationID, run: RunID)] {
        try rows(of: "drained", db, "SELECT job, worker, run FROM drained ORDER BY job, worker").map { row in
            (AllocationID(job: try row.name(0), worker: try row.name(1)), try row.run(2))
        }
    }

    /// Writes whether an allocation is drained, within the transaction that is open.
    func setDrained(_ allocation: AllocationID, _ isDrained: Bool, run: RunID, _ db: Database) throws {
        if isDrained {
            try db.cachedStatement(sql: "INSERT OR REPLACE INTO drained (job, worker, run) VALUES (?, ?, ?)").execute(
                arguments: [allocation.job.text, allocation.worker.text, run.number])
        } else {
            try db.cachedStatement(sql: "DELETE FROM drained WHERE job = ? AND worker = ?").execute(
                arguments: [allocation.job.text, allocation.worker.text])
        }
    }
}
