internal import GRDB
public import Model

extension Catalog {
    /// Runs that are looked at, and rows of them, so that the answer is quick whatever the history.
    private static let runsForDurations = 20
    private static let rowsForDurations = 4000

    /// How long succeeded attempts of the job's steps took in the latest runs: from the intent to the recorded outcome, in
    /// milliseconds, by the last part of the step's id (`push`, `restart`, `gate` ...).
    ///
    /// - Parameter run: only runs before this one are looked at; nil for all.
    public func durations(of job: JobName, before run: RunID? = nil) throws(CatalogError) -> [String: [Int64]] {
        try read { db in
            // "0" follows "/": steps of the job and of no other.
            var found: [String: [Int64]] = [:]
            try self.eachRow(
                of: "attempt", db,
                """
                SELECT run, step, started_at, finished_at FROM attempt
                WHERE run IN (SELECT number FROM run WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2)
                    AND step >= ?3 AND step < ?4 AND state = 'succeeded'
                ORDER BY run DESC LIMIT ?5
                """, [run?.number, Self.runsForDurations, "\(job)/", "\(job)0", Self.rowsForDurations]
            ) { row in
                guard let verb = try row.text(1).split(separator: "/").last else { return }
                let duration = try row.time(3).milliseconds - row.time(2).milliseconds
                found[String(verb), default: []].append(max(0, duration))
            }
            return found
        }
    }
}
