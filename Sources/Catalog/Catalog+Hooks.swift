internal import GRDB
public import Model
internal import Plans

/// A slot of a semaphore that hooks of one job and event share.
public struct SemaphoreSlot: Hashable, Sendable {
    /// Names the semaphore within its run.
    public let scope: String
    /// How many may hold it at once.
    public let capacity: Int
    /// The allocation's worker on whose behalf a hook holds it.
    public let holder: WorkerName
    /// The attempt with whose end the slot is free again.
    public let attempt: WritingAttempt

    public init(scope: String, capacity: Int, holder: WorkerName, attempt: WritingAttempt) {
        self.scope = scope
        self.capacity = capacity
        self.holder = holder
        self.attempt = attempt
    }
}

/// A secret that the bucket's key is needed for.
public enum SecretInUse: Equatable, Sendable {
    case stored(namespace: String, key: String)
    /// Hooks of a run that has not ended wrote it.
    case unfinished(RunID)
}

/// What outlives a process of what it offers to hooks.
extension Catalog {
    /// The port on which the run's hooks were told to ask; nil before the first.
    public func hookPort(of run: RunID) throws(CatalogError) -> Int? {
        try read { db in
            try self.rows(of: "hook_port", db, "SELECT run, port FROM hook_port WHERE run = ?", [run.number])
                .first?.integer(1, in: Plan.portRange)
        }
    }

    /// Records where the run answers its hooks, so that a process that continues it answers there again.
    public func setHookPort(_ port: Int, of run: RunID) throws(CatalogError) {
        try write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO hook_port (run, port) VALUES (?, ?)", arguments: [run.number, port])
        }
    }

    /// Orders that hooks of the run have put in the place of the plan's.
    public func rolloutOrders(of run: RunID) throws(CatalogError) -> [JobName: [WorkerName]] {
        try read { db in
            var orders: [JobName: [WorkerName]] = [:]
            for row in try self.rows(
                of: "rollout_order", db, "SELECT job, workers FROM rollout_order WHERE run = ?", [run.number])
            { orders[try row.name(0)] = try row.names(1, separator: ",") }
            return orders
        }
    }

    /// The fingerprint of the key that secrets are encrypted with; nil before the first.
    public func keyFingerprint() throws(CatalogError) -> String? {
        try read { db in try self.rows(of: "kv_key", db, "SELECT fingerprint FROM kv_key").first?.text(0) }
    }

    /// Remembers the key's fingerprint, where there is none yet.
    public func rememberKey(_ fingerprint: String) throws(CatalogError) {
        try write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO kv_key (only_row, fingerprint) VALUES (1, ?)", arguments: [fingerprint])
        }
    }

    /// Forgets the key of this fingerprint, with what is encrypted with it and counts no more: deleted secrets, and earlier
    /// values of theirs. Where a secret counts that needs the key, nothing changes.
    ///
    /// - Returns: a secret that needs the key; nil where none does.
    public func forgetKey(_ fingerprint: String) throws(CatalogError) -> SecretInUse? {
        try write { db in
            let pending = try self.rows(
                of: "kv_pending", db, "SELECT run FROM kv_pending WHERE sealed IS NOT NULL LIMIT 1")
            if let row = pending.first { return .unfinished(try row.run(0)) }
            let stored = try self.rows(
                of: "kv", db,
                """
                SELECT namespace, key FROM kv AS newest WHERE sealed IS NOT NULL AND version = (
                    SELECT max(version) FROM kv WHERE namespace = newest.namespace AND key = newest.key)
                ORDER BY namespace, key LIMIT 1
                """)
            if try !self.rows(of: "certificate_authority", db, "SELECT role FROM certificate_authority").isEmpty {
                return .stored(namespace: "the bucket", key: "the key of the certificate authority")
            }
            if let row = stored.first { return .stored(namespace: try row.text(0), key: try row.text(1)) }
            try db.execute(sql: "DELETE FROM kv_key WHERE fingerprint = ?", arguments: [fingerprint])
            // Another process may have put another key meanwhile: what it encrypted counts, and was found above.
            try db.execute(sql: "DELETE FROM kv WHERE sealed IS NOT NULL")
            try db.execute(sql: "DELETE FROM kv_replaced")
            try db.execute(sql: "DELETE FROM provided_value")
            try db.execute(sql: "DELETE FROM sealed_file_secret")
            try db.execute(sql: "DELETE FROM sealed_file")
            return nil
        }
    }

    /// Slots that hooks of the run hold.
    public func semaphoreSlots(of run: RunID) throws(CatalogError) -> [SemaphoreSlot] {
        try read { db in
            try self.rows(
                of: "semaphore", db, "SELECT scope, holder, capacity, step, attempt FROM semaphore WHERE run = ?",
                [run.number]
            ).map { row in
                SemaphoreSlot(
                    scope: try row.text(0), capacity: try row.integer(2), holder: try row.name(1),
                    attempt: WritingAttempt(run: run, step: StepID(try row.text(3)), attempt: try row.integer(4)))
            }
        }
    }

    /// Records that a slot is held; it is on disk when this returns.
    ///
    /// - Throws: `KeyValueError.attemptEnded`.
    public func hold(_ slot: SemaphoreSlot) async throws {
        try await asyncWrite { db in
            let attempt = slot.attempt
            try self.checkIsUnderWay(attempt, db)
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO semaphore (run, scope, holder, capacity, step, attempt)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    attempt.run.number, slot.scope, slot.holder.text, slot.capacity, attempt.step.text,
                    attempt.attempt,
                ])
        }
    }

    /// Gives a slot back; one that nobody holds is no error.
    public func release(_ slot: SemaphoreSlot) async throws {
        try await asyncWrite { db in
            try db.execute(
                sql: "DELETE FROM semaphore WHERE run = ? AND scope = ? AND holder = ?",
                arguments: [slot.attempt.run.number, slot.scope, slot.holder.text])
        }
    }

    /// A transaction that blocks no thread of the caller's.
    func asyncWrite<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do {
            return try await queue.write(body)
        } catch let error as DatabaseError {
            throw CatalogError(error, path: path)
        }
    }
}
