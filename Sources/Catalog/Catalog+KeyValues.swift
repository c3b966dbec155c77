internal import Foundation
internal import GRDB
public import Model

/// The key-value store: committed values, and those of hooks that still run.
///
/// A hook's write is durable at once in `kv_pending`, and takes effect in the transaction that records the success of its
/// attempt; with any other outcome it is gone. So a hook that is killed with its apply, adopted, or run again leaves
/// what exactly one successful attempt wrote. Versions are drawn when a value is written: of two hooks that write the same
/// key side by side, the one that wrote last counts, whichever ends last.
extension Catalog {
    /// The current value of a key, or nil where it has none.
    ///
    /// - Parameter run: the run whose hooks ask. They see what hooks of this run that have not ended wrote, too, as hooks
    ///   of Maand do; and an order that a hook of another run put is not theirs.
    public func keyValue(
        _ namespace: KVNamespace, _ key: String, in run: RunID? = nil
    ) throws(CatalogError) -> KeyValueEntry? {
        try read { db in try self.current(namespace, key, in: run, db) }
    }

    /// The current values of a namespace, sorted by key.
    public func keyValues(in namespace: KVNamespace, run: RunID? = nil) throws(CatalogError) -> [KeyValueEntry] {
        try read { db in
            let keys = try String.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT key FROM kv WHERE namespace = ?1
                    UNION SELECT key FROM kv_pending WHERE namespace = ?1 ORDER BY key
                    """, arguments: [namespace.text])
            return try keys.compactMap { try self.current(namespace, $0, in: run, db) }
        }
    }

    /// Namespaces in which a key has a value, sorted.
    public func keyValueNamespaces() throws(CatalogError) -> [KVNamespace] {
        try read { db in
            try String.fetchAll(db, sql: "SELECT DISTINCT namespace FROM kv ORDER BY namespace").map { text in
                guard let namespace = KVNamespace(text) else { throw self.damaged("\(text) is no namespace") }
                return namespace
            }
        }
    }

    /// Writes or deletes a key at once.
    ///
    /// - Parameter who: `user@host`.
    /// - Throws: `KeyValueError`, and what the write's closure throws.
    /// - Returns: the version that was written.
    @discardableResult
    public func write(_ write: KeyValueWrite, at now: Timestamp, by who: String) throws -> Int {
        do {
            return try queue.write { db in
                try self.check(write, in: nil, db)
                let version = try self.nextVersion(db)
                try self.insert(write, version, nil, at: now, by: who, db)
                try self.forgetOldVersions(of: write.namespace.text, write.key, db)
                return version
            }
        } catch let error as DatabaseError {
            throw CatalogError(error, path: path)
        }
    }

    /// Keeps a hook's write until the outcome of its attempt. When this returns, it is on disk.
    ///
    /// - Throws: `KeyValueError`, and what the write's closure throws.
    @discardableResult
    public func keep(_ write: KeyValueWrite, of attempt: WritingAttempt, at now: Timestamp) async throws -> Int {
        try await asyncWrite { db in
            try self.checkIsUnderWay(attempt, db)
            try self.check(write, in: attempt.run, db)
            let version = try self.nextVersion(db)
            try self.insertPending(write, version, attempt, at: now, db)
            return version
        }
    }

    /// An attempt that has an outcome is closed: its process may live on, and nothing that it does counts.
    func checkIsUnderWay(_ attempt: WritingAttempt, _ db: Database) throws {
        let state = try String.fetchOne(
            db, sql: "SELECT state FROM attempt WHERE run = ? AND step = ? AND attempt = ?",
            arguments: [attempt.run.number, attempt.step.text, attempt.attempt])
        guard state == StepState.started.rawValue else { throw KeyValueError.attemptEnded(attempt) }
    }

    /// Puts the variables of jobs where they differ from what is there, as a run does when it begins.
    func put(_ variables: [JobName: [String: String]], run: RunID, at now: Timestamp, _ db: Database) throws {
        for (job, values) in variables.sorted(by: { $0.key < $1.key }) {
            for (key, text) in values.sorted(by: { $0.key < $1.key }) {
                let namespace = KVNamespace.variables(job)
                if case .text(text)? = try current(namespace, key, in: nil, db)?.value { continue }
                let write = KeyValueWrite(namespace, key, value: { _ in .text(text) })
                try check(write, in: nil, db)
                try insert(
                    write, try nextVersion(db), run.number, at: now, by: "run \(run), vars.toml of the job", db)
                try forgetOldVersions(of: namespace.text, key, db)
            }
        }
    }

    /// Part of an attempt's outcome: what its hook wrote takes effect, or is gone.
    func settleWrites(of attempt: WritingAttempt, _ state: StepState, _ db: Database) throws {
        let of: StatementArguments = [attempt.run.number, attempt.step.text, attempt.attempt]
        switch state {
        // Nobody knows yet whether the hook succeeded, so what it wrote waits for the answer.
        case .pending, .started, .unknown: return
        case .succeeded:
            let keys = try Row.fetchAll(
                try db.cachedStatement(
                    sql: "SELECT namespace, key FROM kv_pending WHERE run = ? AND step = ? AND attempt = ?"),
                arguments: of)
            guard !keys.isEmpty else { return }
            try db.cachedStatement(
                sql: """
                    INSERT INTO kv (namespace, key, version, text, sealed, run, written_at, written_by)
                    SELECT namespace, key, version, text, sealed, run, written_at, 'run ' || run || ', ' || step
                    FROM kv_pending WHERE run = ? AND step = ? AND attempt = ?
                    """
            ).execute(arguments: of)
            for row in keys { try forgetOldVersions(of: row[0], row[1], db) }
        case .failed, .unreachable, .skipped, .blocked: break
        }
        try db.cachedStatement(sql: "DELETE FROM kv_pending WHERE run = ? AND step = ? AND attempt = ?").execute(
            arguments: of)
    }

    /// Part of a run's end: what belongs to attempts without an outcome is gone.
    func forgetWrites(of run: RunID, _ db: Database) throws {
        try db.execute(sql: "DELETE FROM kv_pending WHERE run = ?", arguments: [run.number])
        try db.execute(sql: "DELETE FROM semaphore WHERE run = ?", arguments: [run.number])
    }

    /// Orders that people gave to jobs, for the planner.
    func rolloutOrders(_ db: Database) throws -> [JobName: String] {
        let namespaces = try String.fetchAll(
            db, sql: "SELECT DISTINCT namespace FROM kv WHERE key = ? AND namespace LIKE 'maand/job/%'",
            arguments: [KeyValue.rolloutOrder])
        var orders: [JobName: String] = [:]
        for text in namespaces {
            guard case .job(let job)? = KVNamespace(text) else { throw damaged("\(text) is no namespace of a job") }
            guard case .text(let order)? = try current(.job(job), KeyValue.rolloutOrder, in: nil, db)?.value else {
                continue
            }
            orders[job] = order
        }
        return orders
    }

    // MARK: Rows

    private func current(
        _ namespace: KVNamespace, _ key: String, in run: RunID?, _ db: Database
    ) throws -> KeyValueEntry? {
        // What a hook puts into the namespace of its job is for the rollout in which it runs (DESIGN 3).
        let ownRun = if case .job = namespace { "AND (run IS NULL OR run = ?3)" } else { "" }
        let statement = try db.cachedStatement(
            sql: """
                SELECT key, version, text, sealed, written_at, written_by FROM kv
                WHERE namespace = ?1 AND key = ?2 \(ownRun)
                UNION ALL
                SELECT key, version, text, sealed, written_at, step FROM kv_pending
                WHERE namespace = ?1 AND key = ?2 AND run = ?3 AND EXISTS (
                    SELECT 1 FROM attempt WHERE attempt.run = kv_pending.run AND attempt.step = kv_pending.step
                    AND attempt.attempt = kv_pending.attempt AND attempt.state = 'started')
                ORDER BY version DESC LIMIT 1
                """)
        let row = try Row.fetchOne(statement, arguments: [namespace.text, key, run?.number])
        guard let row else { return nil }
        let text: String? = row[2]
        let sealed: Data? = row[3]
        guard let value = text.map(StoredValue.text) ?? sealed.map({ .sealed(Array($0)) }) else { return nil }
        return KeyValueEntry(
            namespace: namespace, key: row[0], version: row[1], value: value,
            writtenAt: Timestamp(milliseconds: row[4]), writtenBy: row[5])
    }

    /// What is deleted has to be there, and for what is put there has to be room.
    private func check(_ write: KeyValueWrite, in run: RunID?, _ db: Database) throws {
        guard write.value != nil else {
            guard try current(write.namespace, write.key, in: run, db) != nil else {
                throw KeyValueError.noSuchKey(write.namespace, write.key)
            }
            return
        }
        let count =
            try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM (SELECT DISTINCT key FROM kv WHERE namespace = ?1 AND key != ?2
                    UNION SELECT key FROM kv_pending WHERE namespace = ?1 AND key != ?2)
                    """, arguments: [write.namespace.text, write.key]) ?? 0
        guard count < KeyValue.maximumKeys else { throw KeyValueError.tooManyKeys(write.namespace) }
    }

    private func nextVersion(_ db: Database) throws -> Int {
        try db.execute(sql: "UPDATE kv_version SET version = version + 1")
        guard let version = try Int.fetchOne(db, sql: "SELECT version FROM kv_version") else {
            throw damaged("it has lost the version of its key-value store")
        }
        return version
    }

    private func insert(
        _ write: KeyValueWrite, _ version: Int, _ run: Int?, at now: Timestamp, by who: String, _ db: Database
    ) throws {
        let (text, sealed) = try Self.columns(write, version)
        try db.cachedStatement(
            sql: """
                INSERT INTO kv (namespace, key, version, text, sealed, run, written_at, written_by)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [write.namespace.text, write.key, version, text, sealed, run, now.milliseconds, who])
    }

    private func insertPending(
        _ write: KeyValueWrite, _ version: Int, _ attempt: WritingAttempt, at now: Timestamp, _ db: Database
    ) throws {
        let (text, sealed) = try Self.columns(write, version)
        try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO kv_pending
                    (run, step, attempt, namespace, key, version, text, sealed, written_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            attempt.run.number, attempt.step.text, attempt.attempt, write.namespace.text, write.key, version, text,
            sealed, now.milliseconds,
        ])
    }

    private static func columns(_ write: KeyValueWrite, _ version: Int) throws -> (text: String?, sealed: Data?) {
        switch try write.value?(version) {
        case .text(let text)?: (text, nil)
        case .sealed(let bytes)?: (nil, Data(bytes))
        case nil: (nil, nil)
        }
    }

    /// Old versions beyond the bound, of what people wrote and of what hooks wrote apart: an order that a person gave
    /// outlives those that hooks put for single rollouts.
    private func forgetOldVersions(of namespace: String, _ key: String, _ db: Database) throws {
        let isOfRuns = if case .job? = KVNamespace(namespace) { true } else { false }
        for filter in isOfRuns ? ["run IS NULL", "run IS NOT NULL"] : ["TRUE"] {
            try db.cachedStatement(
                sql: """
                    DELETE FROM kv WHERE namespace = ?1 AND key = ?2 AND \(filter) AND version NOT IN (
                        SELECT version FROM kv WHERE namespace = ?1 AND key = ?2 AND \(filter)
                        ORDER BY version DESC LIMIT ?3)
                    """
            ).execute(arguments: [namespace, key, KeyValue.history])
        }
    }
}
