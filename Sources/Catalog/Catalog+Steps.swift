internal import GRDB
public import Model

extension Catalog {
    /// The latest attempt of every step of the run that was ever begun, without outputs; sorted by step.
    public func steps(of run: RunID) throws(CatalogError) -> [StepRecord] {
        // SQLite takes the bare columns from the row that holds the maximum ("bare columns in an aggregate query").
        try records(
            "SELECT step, max(attempt) AS attempt, \(Self.columns) FROM attempt WHERE run = ? GROUP BY step",
            [run.number])
    }

    /// Every attempt of one step, first to last.
    public func attempts(of run: RunID, step: StepID) throws(CatalogError) -> [StepRecord] {
        try records(
            "SELECT step, attempt, \(Self.columns) FROM attempt WHERE run = ? AND step = ? ORDER BY attempt",
            [run.number, step.text])
    }

    /// Every attempt of a run, without outputs; sorted by step, then first to last.
    public func attempts(of run: RunID) throws(CatalogError) -> [StepRecord] {
        try records(
            "SELECT step, attempt, \(Self.columns) FROM attempt WHERE run = ? ORDER BY step, attempt", [run.number])
    }

    private static let columns = "state, digest, attempt_id, started_at, finished_at, exit_status, detail, code"

    /// More than any system has.
    private static let exitStatuses = -(1 << 32)...(1 << 32)

    private func records(_ sql: String, _ arguments: StatementArguments) throws(CatalogError) -> [StepRecord] {
        try read { db in
            var records: [StepRecord] = []
            try self.eachRow(of: "attempt", db, sql, arguments) { row in
                records.append(
                    StepRecord(
                        step: StepID(try row.text(0)), attempt: try row.integer(1), state: try row.word(2),
                        digest: try row.digest(3), attemptID: try row.text(4), startedAt: try row.time(5),
                        finishedAt: try row.optional(6, row.time),
                        exitStatus: try row.optional(7) { try row.integer($0, in: Self.exitStatuses) },
                        detail: try row.optional(8, row.text), code: try row.optional(9, row.text)))
            }
            return records
        }
    }
}
