internal import Foundation
internal import GRDB
public import Model
internal import Synchronization

extension Catalog {
    /// What an attempt printed, or nil where none was recorded.
    ///
    /// - Parameter attempt: Nil for the latest one that has any.
    public func output(of run: RunID, step: StepID, attempt: Int? = nil) throws(CatalogError) -> StepOutput? {
        try read { db in
            try self.rows(
                of: "output", db,
                """
                SELECT run, step, attempt, stdout, stderr, stdout_size, stderr_size FROM output
                WHERE run = ?1 AND step = ?2 AND (?3 IS NULL OR attempt = ?3) ORDER BY attempt DESC LIMIT 1
                """, [run.number, step.text, attempt]
            ).first.map { row in
                StepOutput(
                    stdout: try row.bytes(3), stderr: try row.bytes(4),
                    stdoutSize: try row.optional(5) { try row.integer($0) },
                    stderrSize: try row.optional(6) { try row.integer($0) })
            }
        }
    }

    /// Writes what an attempt printed, within the transaction that is open. Of a run that has printed much already, a success
    /// keeps a short end.
    func insert(
        _ output: StepOutput, _ run: RunID, _ step: StepID, _ attempt: Int, _ state: StepState, _ db: Database
    ) throws {
        guard !output.stdout.isEmpty || !output.stderr.isEmpty else { return }
        let isMuch = try keptOutput(of: run, db) >= CatalogLimits.outputOfRun
        let limit = isMuch && state == .succeeded ? CatalogLimits.shortOutput : StepOutput.limit
        let (stdout, stderr) = (output.stdout.suffix(limit), output.stderr.suffix(limit))
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO output (run, step, attempt, stdout, stderr, stdout_size, stderr_size)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            run.number, step.text, attempt, Data(stdout), Data(stderr), output.stdoutSize, output.stderrSize,
        ])
        kept.withLock { $0?.bytes += stdout.count + stderr.count }
    }

    /// Bytes of the outputs of a run: asked for once, then counted.
    private func keptOutput(of run: RunID, _ db: Database) throws -> Int {
        if let known = kept.withLock({ $0 }), known.run == run { return known.bytes }
        let bytes =
            try Int.fetchOne(
                db, sql: "SELECT sum(length(stdout) + length(stderr)) FROM output WHERE run = ?",
                arguments: [run.number]) ?? 0
        kept.withLock { $0 = (run, bytes) }
        return bytes
    }
}

/// What an attempt printed, with its place among all that was recorded.
public struct KeptOutput: Sendable {
    /// Increases with each output that is recorded.
    public let place: Int
    public let step: StepID
    public let attempt: Int
    public let output: StepOutput
}

extension Catalog {
    /// What attempts of a run printed, in the order in which it was recorded.
    ///
    /// - Parameters:
    ///   - place: only what was recorded after this one; 0 for all.
    ///   - limit: the most that are returned.
    public func outputs(of run: RunID, after place: Int, limit: Int) throws(CatalogError) -> [KeptOutput] {
        try read { db in
            try self.rows(
                of: "output", db,
                """
                SELECT rowid, step, attempt, stdout, stderr, stdout_size, stderr_size FROM output
                WHERE run = ? AND rowid > ? ORDER BY rowid LIMIT ?
                """, [run.number, place, limit]
            ).map { row in
                KeptOutput(
                    place: try row.integer(0), step: StepID(try row.text(1)), attempt: try row.integer(2),
                    output: StepOutput(
                        stdout: try row.bytes(3), stderr: try row.bytes(4),
                        stdoutSize: try row.optional(5) { try row.integer($0) },
                        stderrSize: try row.optional(6) { try row.integer($0) }))
            }
        }
    }
}
