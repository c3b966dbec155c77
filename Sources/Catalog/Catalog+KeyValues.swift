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
    /// The newest version of a key, which may be its deletion; nil where it never had a value.
    ///
    /// - Parameter run: the run whose hooks ask. They see what hooks of this run that have not ended wrote, too, as hooks
    ///   of Maand do. What hooks put into the namespace of their job (`maand/job/<job>`) is for this run alone.
    public func keyValue(
        _ namespace: KVNamespace, _ key: String, in run: RunID? = nil
    ) throws(CatalogError) -> KeyValueEntry? {
        try read { db in try self.newest(namespace, key, in: run, db) }
    }

    /// The newest versions of a namespace's keys, deletions too, sorted by key.
    public func keyValues(in namespace: KVNamespace, run: RunID? = nil) throws(CatalogError) -> [KeyValueEntry] {
        try read { db in
            try self.rows(
                of: "kv", db,
                """
                SELECT DISTINCT key FROM kv WHERE namespace = ?1
                UNION SELECT key FROM kv_pending WHERE namespace = ?1 ORDER BY key
                """, [namespace.text]
            ).compactMap { try self.newest(namespace, $0.text(0), in: run, db) }
        }
    }

    /// Namespaces that are stored, sorted.
    public func keyValueNamespaces() throws(CatalogError) -> [KVNamespace] {
        try read { db in
            try self.rows(of: "kv", db, "SELECT DISTINCT namespace FROM kv ORDER BY namespace").map {
                try self.namespace($0, 0)
            }
        }
    }

    /// Namespaces of secrets that are stored, or that somebody else keeps.
    public func secretNamespaces() throws(CatalogError) -> [KVNamespace] {
        try read { db in
            try self.rows(
                of: "kv", db,
                """
                SELECT DISTINCT namespace FROM kv WHERE namespace LIKE 'secrets/%'
                UNION SELECT namespace FROM provided_value ORDER BY namespace
                """
            ).map { try self.namespace($0, 0) }
        }
    }

    /// Writes or deletes a key at once.
    ///
    /// - Parameter who: `user@host`.
    /// - Throws: `KeyValueError`, `CatalogError`, and what the write's closure throws.
    /// - Returns: the version that the key has now; the one that it had, where it has this text already.
    @discardableResult
    public func write(_ write: KeyValueWrite, at now: Timestamp, by who: String) throws -> Int {
        do {
            return try queue.write { db in
                try self.checkRoom(for: write, db)
                if let version = try self.versionOfSame(write, in: nil, db) { return version }
                return try self.append(write, at: now, by: who, db)
            }
        } catch let error as DatabaseError {
            throw CatalogError(error, path: path)
        }
    }

    /// Part of another transaction: writes a new version of a key, however many there are.
    ///
    /// - Returns: its number.
    @discardableResult
    func append(_ write: KeyValueWrite, at now: Timestamp, by who: String, _ db: Database) throws -> Int {
        let version = try nextVersion(write, db)
        let (text, sealed, fingerprint) = try columns(write, version, db)
        try db.execute(
            sql: """
                INSERT INTO kv (namespace, key, version, text, sealed, fingerprint, run, written_at, written_by)
                VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?)
                """,
            arguments: [
                write.namespace.text, write.key, version, text, sealed, fingerprint, now.milliseconds, who,
            ])
        try forgetOldVersions(of: write.namespace.text, write.key, db)
        return version
    }

    /// Keeps a hook's write until the outcome of its attempt. When this returns, it is on disk.
    ///
    /// - Throws: `KeyValueError`, `CatalogError`, and what the write's closure throws.
    @discardableResult
    public func keep(_ write: KeyValueWrite, of attempt: WritingAttempt, at now: Timestamp) async throws -> Int {
        try await asyncWrite { db in
            try self.checkIsUnderWay(attempt, db)
            try self.checkRoom(for: write, db)
            if let version = try self.versionOfSame(write, in: attempt.run, db) { return version }
            let version = try self.nextVersion(write, db)
            let (text, sealed, fingerprint) = try self.columns(write, version, db)
            try self.keepReplaced(by: write, of: attempt, db)
            try db.cachedStatement(
                sql: """
                    INSERT OR REPLACE INTO kv_pending
                        (run, step, attempt, namespace, key, version, text, sealed, fingerprint, written_at)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                attempt.run.number, attempt.step.text, attempt.attempt, write.namespace.text, write.key, version, text,
                sealed, fingerprint, now.milliseconds,
            ])
            return version
        }
    }

    /// Every secret of these namespaces that is stored, sealed, with earlier versions and all that hooks of the run have
    /// written: what they may have seen. Of values that somebody else keeps, the fingerprint is a part of the key, and the
    /// version 0.
    ///
    /// - Parameter limit: bytes that they may have together, sealed.
    /// - Returns: nil where they have more; then none is read.
    public func storedSecrets(
        in namespaces: [KVNamespace], run: RunID, within limit: Int
    ) throws(CatalogError) -> [(namespace: KVNamespace, key: String, version: Int, sealed: [UInt8])]? {
        try read { db in
            var size = 0
            for namespace in namespaces {
                let sizes = try self.rows(
                    of: "kv", db,
                    """
                    SELECT coalesce(sum(length(sealed)), 0) FROM kv WHERE namespace = ?1
                    UNION ALL SELECT coalesce(sum(length(sealed)), 0) FROM kv_pending WHERE namespace = ?1 AND run = ?2
                    UNION ALL SELECT coalesce(sum(length(sealed)), 0) FROM kv_replaced WHERE namespace = ?1 AND run = ?2
                    UNION ALL SELECT coalesce(sum(length(sealed)), 0) FROM provided_value WHERE namespace = ?1
                    """, [namespace.text, run.number])
                for row in sizes { size += try row.integer(0) }
                if size > limit { return nil }
            }
            return try namespaces.flatMap { namespace in
                try self.rows(
                    of: "kv", db,
                    """
                    SELECT key, version, sealed, 'kv' FROM kv WHERE namespace = ?1 AND sealed IS NOT NULL
                    UNION ALL SELECT key, version, sealed, 'kv_pending' FROM kv_pending
                    WHERE namespace = ?1 AND run = ?2 AND sealed IS NOT NULL
                    UNION ALL SELECT key, version, sealed, 'kv_replaced' FROM kv_replaced
                    WHERE namespace = ?1 AND run = ?2
                    UNION ALL SELECT key || ' ' || fingerprint, 0, sealed, 'provided_value' FROM provided_value
                    WHERE namespace = ?1
                    """, [namespace.text, run.number]
                ).map { row in
                    let row = try row.ofTable(namedBy: 3)
                    return (namespace, try row.text(0), try row.integer(1), try row.bytes(2))
                }
            }
        }
    }

    /// What a hook has written before into the same key, where it is a secret; the last ones, since it may write in a loop.
    private func keepReplaced(by write: KeyValueWrite, of attempt: WritingAttempt, _ db: Database) throws {
        guard write.namespace.isSecret else { return }
        let place: StatementArguments = [
            attempt.run.number, attempt.step.text, attempt.attempt, write.namespace.text, write.key,
        ]
        let isPlace = "run = ?1 AND step = ?2 AND attempt = ?3 AND namespace = ?4 AND key = ?5"
        try db.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO kv_replaced (run, step, attempt, namespace, key, version, sealed)
                SELECT run, step, attempt, namespace, key, version, sealed FROM kv_pending
                WHERE \(isPlace) AND sealed IS NOT NULL
                """
        ).execute(arguments: place)
        try db.cachedStatement(
            sql: """
                DELETE FROM kv_replaced WHERE \(isPlace) AND version NOT IN (
                    SELECT version FROM kv_replaced WHERE \(isPlace) ORDER BY version DESC LIMIT \(KeyValue.history))
                """
        ).execute(arguments: place)
    }

    // MARK: Parts of other transactions

    /// An attempt that has an outcome is closed: its process may live on, and nothing that it does counts.
    func checkIsUnderWay(_ attempt: WritingAttempt, _ db: Database) throws {
        let found = try rows(
            of: "attempt", db,
            "SELECT run, step, attempt, state FROM attempt WHERE run = ? AND step = ? AND attempt = ?",
            [attempt.run.number, attempt.step.text, attempt.attempt])
        guard try found.first?.word(3) == StepState.started else { throw KeyValueError.attemptEnded(attempt) }
    }

    /// What belongs to an attempt's outcome: what its hook wrote takes effect or is gone, and what it held is free. Most
    /// attempts are of no hook, and then nothing is there.
    func settleHook(_ attempt: WritingAttempt, _ state: StepState, _ db: Database) throws {
        let of: StatementArguments = [attempt.run.number, attempt.step.text, attempt.attempt]
        switch state {
        // Nobody knows yet whether the hook succeeded, so what it wrote waits for the answer.
        case .pending, .started, .unknown: return
        case .succeeded: try applyWrites(of, db)
        case .failed, .unreachable, .skipped, .blocked: break
        }
        for table in ["kv_pending", "kv_replaced", "semaphore"] {
            try db.cachedStatement(sql: "DELETE FROM \(table) WHERE run = ? AND step = ? AND attempt = ?").execute(
                arguments: of)
        }
    }

    private func applyWrites(_ attempt: StatementArguments, _ db: Database) throws {
        let keys = try rows(
            of: "kv_pending", db, "SELECT namespace, key FROM kv_pending WHERE run = ? AND step = ? AND attempt = ?",
            attempt)
        guard !keys.isEmpty else { return }
        try db.cachedStatement(
            sql: """
                INSERT INTO kv (namespace, key, version, text, sealed, fingerprint, run, written_at, written_by)
                SELECT namespace, key, version, text, sealed, fingerprint, run, written_at, 'run ' || run || ', ' || step
                FROM kv_pending WHERE run = ? AND step = ? AND attempt = ?
                """
        ).execute(arguments: attempt)
        for row in keys { try forgetOldVersions(of: row.text(0), row.text(1), db) }
    }

    /// Part of a run's end: what belongs to attempts without an outcome is gone.
    func forgetHooks(of run: RunID, _ db: Database) throws {
        for table in ["kv_pending", "kv_replaced", "semaphore", "hook_port"] {
            try db.execute(sql: "DELETE FROM \(table) WHERE run = ?", arguments: [run.number])
        }
    }

    /// The stored values of `vars/job/<job>`, for the planner.
    func variables(_ db: Database) throws -> [JobName: [String: String]] {
        let rows = try rows(
            of: "kv", db,
            """
            SELECT namespace, key, text FROM kv AS newest WHERE namespace LIKE 'vars/job/%' AND version = (
                SELECT max(version) FROM kv WHERE namespace = newest.namespace AND key = newest.key)
            ORDER BY namespace, key
            """)
        var variables: [JobName: [String: String]] = [:]
        for row in rows {
            guard case .variables(let job) = try namespace(row, 0) else { throw row.illegal(0, "the name of a job") }
            guard let text = try row.optional(2, row.text) else { continue }
            variables[job, default: [:]][try row.text(1)] = text
        }
        return variables
    }

    // MARK: Rows

    private func namespace(_ row: CatalogRow, _ column: Int) throws -> KVNamespace {
        guard let namespace = KVNamespace(try row.text(column)) else { throw row.illegal(column, "a namespace") }
        return namespace
    }

    func newest(
        _ namespace: KVNamespace, _ key: String, in run: RunID?, _ db: Database
    ) throws -> KeyValueEntry? {
        let ownRun = if case .job = namespace { "AND run = ?3" } else { "" }
        let statement = try db.cachedStatement(
            sql: """
                SELECT key, version, text, sealed, written_at, written_by, run, 'kv', fingerprint FROM kv
                WHERE namespace = ?1 AND key = ?2 \(ownRun)
                UNION ALL
                SELECT key, version, text, sealed, written_at, step, run, 'kv_pending', fingerprint FROM kv_pending
                WHERE namespace = ?1 AND key = ?2 AND run = ?3 AND EXISTS (
                    SELECT 1 FROM attempt WHERE attempt.run = kv_pending.run AND attempt.step = kv_pending.step
                    AND attempt.attempt = kv_pending.attempt AND attempt.state = 'started')
                ORDER BY version DESC LIMIT 1
                """)
        guard let found = try row(of: "kv", statement, [namespace.text, key, run?.number]) else { return nil }
        let row = try found.ofTable(namedBy: 7)
        let text = try row.optional(2, row.text)
        let sealed = try row.optional(3, row.bytes)
        return KeyValueEntry(
            namespace: namespace, key: try row.text(0), version: try row.integer(1),
            value: text.map(StoredValue.text) ?? sealed.map { .sealed($0) }, writtenAt: try row.time(4),
            writtenBy: try row.text(5), run: try row.optional(6, row.run),
            fingerprint: try row.optional(8, row.fingerprint))
    }

    /// The version of the key where it has just this text: then nothing is written, as with Maand.
    private func versionOfSame(_ write: KeyValueWrite, in run: RunID?, _ db: Database) throws -> Int? {
        guard case .text(let text) = write.content, let newest = try newest(write.namespace, write.key, in: run, db),
            newest.value == .text(text), newest.run == run
        else { return nil }
        return newest.version
    }

    private func checkRoom(for write: KeyValueWrite, _ db: Database) throws {
        if case .deletion = write.content { return }
        try checkSpelling(of: write, db)
        if try count(of: write, db) < KeyValue.maximumKeys { return }
        // Deleted keys are remembered as long as there is room.
        try db.execute(
            sql: """
                DELETE FROM kv WHERE namespace = ?1 AND key IN (
                    SELECT key FROM kv AS newest WHERE namespace = ?1 AND text IS NULL AND sealed IS NULL AND version = (
                        SELECT max(version) FROM kv WHERE namespace = ?1 AND key = newest.key))
                AND key NOT IN (SELECT key FROM kv_pending WHERE namespace = ?1)
                """, arguments: [write.namespace.text])
        guard try count(of: write, db) < KeyValue.maximumKeys else {
            throw KeyValueError.tooManyKeys(write.namespace)
        }
    }

    /// Keys that look alike would be one key to a reader.
    private func checkSpelling(of write: KeyValueWrite, _ db: Database) throws {
        if write.key.utf8.allSatisfy({ $0 < 0x80 }) { return }
        let keys = try rows(
            of: "kv", db,
            """
            SELECT DISTINCT key FROM kv AS newest WHERE namespace = ?1
            AND (text IS NOT NULL OR sealed IS NOT NULL) AND version = (
                SELECT max(version) FROM kv WHERE namespace = ?1 AND key = newest.key)
            UNION SELECT key FROM kv_pending WHERE namespace = ?1
            """, [write.namespace.text]
        ).map { try $0.text(0) }
        if keys.contains(where: { $0 == write.key && !$0.utf8.elementsEqual(write.key.utf8) }) {
            throw KeyValueError.otherSpelling(write.namespace, key: write.key)
        }
    }

    /// How many other keys the namespace has.
    private func count(of write: KeyValueWrite, _ db: Database) throws -> Int {
        let statement = try db.cachedStatement(
            sql: """
                SELECT count(*) FROM (SELECT DISTINCT key FROM kv WHERE namespace = ?1 AND key != ?2
                UNION SELECT key FROM kv_pending WHERE namespace = ?1 AND key != ?2)
                """)
        return try Int.fetchOne(statement, arguments: [write.namespace.text, write.key]) ?? 0
    }

    private func nextVersion(_ write: KeyValueWrite, _ db: Database) throws -> Int {
        let statement = try db.cachedStatement(
            sql: """
                SELECT max(version) AS version FROM (SELECT version FROM kv WHERE namespace = ?1 AND key = ?2
                UNION ALL SELECT version FROM kv_pending WHERE namespace = ?1 AND key = ?2)
                """)
        guard let row = try row(of: "kv", statement, [write.namespace.text, write.key]) else { return 1 }
        return (try row.optional(0) { try row.integer($0) } ?? 0) + 1
    }

    private func columns(
        _ write: KeyValueWrite, _ version: Int, _ db: Database
    ) throws -> (text: String?, sealed: Data?, fingerprint: String?) {
        switch write.content {
        case .text(let text): return (text, nil, nil)
        case .sealed(let fingerprint, let key, let seal):
            let known = try rows(of: "kv_key", db, "SELECT fingerprint FROM kv_key").first?.text(0)
            guard known == key else { throw KeyValueError.keyReplaced }
            return (nil, Data(try seal(version)), fingerprint.hex)
        case .deletion: return (nil, nil, nil)
        }
    }

    private func forgetOldVersions(of namespace: String, _ key: String, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                DELETE FROM kv WHERE namespace = ?1 AND key = ?2 AND version NOT IN (
                    SELECT version FROM kv WHERE namespace = ?1 AND key = ?2 ORDER BY version DESC LIMIT ?3)
                AND (fingerprint IS NULL OR fingerprint NOT IN (
                    SELECT fingerprint FROM sealed_file_secret WHERE namespace = ?1 AND key = ?2))
                """
        ).execute(arguments: [namespace, key, KeyValue.history])
    }
}
