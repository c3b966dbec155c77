internal import Foundation
internal import GRDB
public import Model

extension Catalog {
    /// The latest attempt of every step of the run that was ever begun, without outputs; sorted by step.
    public func steps(of run: RunID) throws(CatalogError) -> [StepRecord] {
        // SQLite takes the bare columns from the row that holds the maximum ("bare columns in an aggregate query").
        try records("SELECT step, max(attempt), \(Self.columns) FROM attempt WHERE run = ? GROUP BY step", [run.number])
    }

    /// Every attempt of one step, first to last.
    public func attempts(of run: RunID, step: StepID) throws(CatalogError) -> [StepRecord] {
        try records(
            "SELECT step, attempt, \(Self.columns) FROM attempt WHERE run = ? AND step = ? ORDER BY attempt",
            [run.number, step.text])
    }

    /// What an attempt printed, or nil where none was recorded.
    ///
    /// - Parameter attempt: Nil for the latest one that has any.
    public func output(of run: RunID, step: StepID, attempt: Int? = nil) throws(CatalogError) -> StepOutput? {
        try read { db in
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT stdout, stderr FROM output
                    WHERE run = ?1 AND step = ?2 AND (?3 IS NULL OR attempt = ?3) ORDER BY attempt DESC LIMIT 1
                    """, arguments: [run.number, step.text, attempt])
            return row.map { row in
                StepOutput(stdout: [UInt8](row[0] as Data), stderr: [UInt8](row[1] as Data))
            }
        }
    }

    private static let columns = "state, digest, attempt_id, started_at, finished_at, exit_status, detail"

    private func records(_ sql: String, _ arguments: StatementArguments) throws(CatalogError) -> [StepRecord] {
        try read { db in
            var records: [StepRecord] = []
            let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
            while let row = try rows.next() {
                let step: String = row[0]
                guard let state = StepState(rawValue: row[2]), let digest = Digest(hex: (row[3] as String).utf8) else {
                    throw self.damaged("step \(step) has no legal state or digest")
                }
                records.append(
                    StepRecord(
                        step: StepID(step), attempt: row[1], state: state, digest: digest, attemptID: row[4],
                        startedAt: Timestamp(milliseconds: row[5]),
                        finishedAt: (row[6] as Int64?).map { Timestamp(milliseconds: $0) }, exitStatus: row[7],
                        detail: row[8]))
            }
            return records
        }
    }
}
