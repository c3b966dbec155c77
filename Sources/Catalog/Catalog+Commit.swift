internal import GRDB
internal import Model
internal import Synchronization

/// A checkpoint whose author waits until it is on disk.
struct WaitingCheckpoint: Sendable {
    let checkpoint: Checkpoint
    let author: CheckedContinuation<Result<Void, CatalogError>, Never>
}

extension Catalog {
    /// The number of what this release and a worker's receipts say to each other; kept with each attempt. A release that
    /// changes it continues the runs of the numbers before, or says with which release they can be continued.
    public static let protocolNumber = 2

    /// Checkpoints that share a transaction at most, so that the first of them does not wait long.
    static let largestGroup = 1024

    /// Writes the checkpoint in one transaction, and returns when it is on disk.
    ///
    /// Checkpoints of several tasks that wait at the same time share one transaction and its fsync; each still holds or
    /// fails alone. They take effect in the order of the calls. Cancelling the task does not take a checkpoint back.
    ///
    /// - Throws: `CatalogError.illegalTransition` and its like, and then nothing of the checkpoint is recorded; or that
    ///   the disk failed, and then nothing of it is recorded either.
    public func commit(_ checkpoint: Checkpoint) async throws(CatalogError) {
        let result = await withCheckedContinuation { author in
            let first = waiting.withLock { waiting in
                waiting.append(WaitingCheckpoint(checkpoint: checkpoint, author: author))
                return waiting.count == 1
            }
            // Checkpoints that come while a transaction is being written wait for the next one, for which the first of them asks.
            if first { queue.asyncWriteWithoutTransaction { db in self.writeGroup(db) } }
        }
        try result.get()
    }

    private func writeGroup(_ db: Database) {
        while waiting.withLock({ !$0.isEmpty }) {
            for (member, result) in writeOnce(db) { member.author.resume(returning: result) }
        }
    }

    /// One transaction, of all checkpoints that wait when it begins. Where it cannot be committed, no checkpoint holds.
    private func writeOnce(_ db: Database) -> Zip2Sequence<[WaitingCheckpoint], [Result<Void, CatalogError>]> {
        var group: [WaitingCheckpoint] = []
        var results: [Result<Void, CatalogError>] = []
        do {
            try checkFiles()
            try db.inTransaction(.immediate) {
                group = takeGroup()
                for member in group { results.append(try attempt(member.checkpoint, db)) }
                return .commit
            }
            groupCommits.add(1, ordering: .relaxed)
        } catch {
            if group.isEmpty { group = takeGroup() }
            let failure = CatalogError(error, path: path)
            results = group.indices.map { index in
                // An illegal checkpoint is illegal whatever became of the others.
                if index < results.count, case .failure = results[index] { return results[index] }
                return .failure(failure)
            }
        }
        return zip(group, results)
    }

    private func takeGroup() -> [WaitingCheckpoint] {
        waiting.withLock { waiting in
            let group = Array(waiting.prefix(Self.largestGroup))
            waiting.removeFirst(group.count)
            return group
        }
    }

    /// Applies one checkpoint of a group under a savepoint of its own: an illegal one leaves nothing behind.
    /// Throws where the whole transaction is lost, as on a full disk.
    private func attempt(_ checkpoint: Checkpoint, _ db: Database) throws -> Result<Void, CatalogError> {
        try db.cachedStatement(sql: "SAVEPOINT checkpoint").execute()
        do {
            try apply(checkpoint, db)
        } catch let error as CatalogError {
            try db.cachedStatement(sql: "ROLLBACK TO checkpoint").execute()
            try db.cachedStatement(sql: "RELEASE checkpoint").execute()
            return .failure(error)
        }
        try db.cachedStatement(sql: "RELEASE checkpoint").execute()
        return .success(())
    }

    /// Writes everything in the checkpoint, within the transaction that is open.
    func apply(_ checkpoint: Checkpoint, _ db: Database) throws {
        let run = checkpoint.run
        let statement = try db.cachedStatement(sql: "SELECT number, state FROM run WHERE number = ?")
        guard let row = try row(of: "run", statement, [run.number]) else { throw CatalogError.unknownRun(run) }
        let state: RunState = try row.word(1)
        guard state.isUnfinished else { throw CatalogError.runEnded(run: run, state: state) }
        for step in checkpoint.steps { try apply(step, run: run, at: checkpoint.at, db) }
        for change in checkpoint.changes { try apply(change, run: run, at: checkpoint.at, db) }
        if checkpoint.takesIn { try takeIn(run, db) }
        if !checkpoint.leftBehind.isEmpty { try leave(checkpoint.leftBehind, run: run, at: checkpoint.at, db) }
        for decision in checkpoint.decisions { try insert(decision, db) }
        if let change = checkpoint.runState { try apply(change, run: run, from: state, at: checkpoint.at, db) }
    }

    /// Unfinished states follow each other freely, but only a `running` run succeeds; an end is final.
    private func apply(
        _ change: Checkpoint.RunChange, run: RunID, from: RunState, at now: Timestamp, _ db: Database
    ) throws {
        guard change.state != .succeeded || from == .running else {
            throw CatalogError.illegalRunTransition(run: run, from: from, to: change.state)
        }
        let ends = !change.state.isUnfinished
        let isRolledBack = change.state == .rolledBack
        try endPart(of: run, change, at: now, db)
        try db.cachedStatement(sql: "UPDATE run SET state = ?, detail = ?, cause = ?, ended_at = ? WHERE number = ?")
            .execute(
                arguments: [
                    (isRolledBack ? RunState.abandoned : change.state).rawValue, change.detail.map(bounded),
                    (isRolledBack ? RunReason.rolledBack : change.cause)?.rawValue,
                    ends ? now.milliseconds : nil, run.number,
                ])
        if ends {
            try forgetHooks(of: run, db)
            try advanceRevision(db)
        }
    }

    private func apply(_ write: StepWrite, run: RunID, at now: Timestamp, _ db: Database) throws {
        switch write {
        case .begin(let step, let attempt, let digest, let attemptID):
            try checkBegin(run, step, attempt, db)
            try db.cachedStatement(
                sql: """
                    INSERT INTO attempt (run, step, attempt, state, digest, attempt_id, started_at, protocol)
                    VALUES (?, ?, ?, 'started', ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                run.number, step.text, attempt, digest.hex, attemptID, now.milliseconds, Self.protocolNumber,
            ])
        case .outcome(let step, let attempt, let state, let exitStatus, let code, let detail, let output):
            try checkOutcome(run, step, attempt, to: state, from: [.started, .unknown], db)
            try db.cachedStatement(
                sql: """
                    UPDATE attempt SET state = ?, finished_at = ?, exit_status = ?, code = ?, detail = ?
                    WHERE run = ? AND step = ? AND attempt = ?
                    """
            ).execute(arguments: [
                state.rawValue, now.milliseconds, exitStatus, code, detail.map(bounded), run.number, step.text,
                attempt,
            ])
            if let output { try insert(output, run, step, attempt, state, db) }
            try settleHook(WritingAttempt(run: run, step: step, attempt: attempt), state, db)
        case .settle(let step, let attempt, let state, let who, let reason):
            try checkOutcome(run, step, attempt, to: state, from: [.unknown], db)
            try db.cachedStatement(
                sql: """
                    UPDATE attempt SET state = ?, finished_at = ?, detail = ?
                    WHERE run = ? AND step = ? AND attempt = ?
                    """
            ).execute(arguments: [
                state.rawValue, now.milliseconds, bounded("settled by \(who): \(reason)"), run.number, step.text,
                attempt,
            ])
            try settleHook(WritingAttempt(run: run, step: step, attempt: attempt), state, db)
            try insert(
                Decision(
                    at: now, by: who, run: run, step: step,
                    what: state == .succeeded ? .resolveSucceeded : .resolveFailed, reason: reason), db)
        case .reopen(let step, let reason):
            try db.cachedStatement(
                sql: """
                    INSERT INTO attempt (run, step, attempt, state, digest, attempt_id, started_at, finished_at, detail)
                    SELECT run, step, attempt + 1, 'failed', digest, attempt_id, ?1, ?1, ?2 FROM (
                        SELECT * FROM attempt WHERE run = ?3 AND step = ?4 ORDER BY attempt DESC LIMIT 1
                    ) WHERE state IN ('succeeded', 'skipped')
                    """
            ).execute(arguments: [now.milliseconds, bounded(reason), run.number, step.text])
        }
    }

    private func checkBegin(_ run: RunID, _ step: StepID, _ attempt: Int, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql:
                "SELECT run, step, attempt, state FROM attempt WHERE run = ? AND step = ? ORDER BY attempt DESC LIMIT 1"
        )
        let row = try row(of: "attempt", statement, [run.number, step.text])
        let latest = try row?.integer(2) ?? 0
        let state: StepState = try row?.word(3) ?? .pending
        func illegal(_ reason: String) -> CatalogError {
            .illegalTransition(run: run, step: step, attempt: attempt, from: state, to: .started, reason: reason)
        }
        guard attempt == latest + 1 else { throw illegal("the next attempt is \(latest + 1)") }
        switch state {
        case .pending, .failed, .unreachable: break
        case .started, .unknown: throw illegal("attempt \(latest) is not settled")
        case .succeeded, .skipped, .blocked: throw illegal("the step is done")
        }
    }

    private func checkOutcome(
        _ run: RunID, _ step: StepID, _ attempt: Int, to: StepState, from: [StepState], _ db: Database
    ) throws {
        let statement = try db.cachedStatement(
            sql: "SELECT run, step, attempt, state FROM attempt WHERE run = ? AND step = ? AND attempt = ?")
        let state: StepState =
            try row(of: "attempt", statement, [run.number, step.text, attempt])?.word(3) ?? .pending
        func illegal(_ reason: String) -> CatalogError {
            .illegalTransition(run: run, step: step, attempt: attempt, from: state, to: to, reason: reason)
        }
        guard from.contains(state) else {
            let legal = from.map { "`\($0.rawValue)`" }.joined(separator: " or ")
            throw illegal("only an attempt that is \(legal) gets an outcome")
        }
        switch to {
        case .succeeded, .failed, .unreachable, .unknown, .skipped: break
        case .pending, .started, .blocked: throw illegal("that is no outcome of an attempt")
        }
    }

    /// At most `CatalogLimits.detail` bytes of `text`, cut between characters.
    func bounded(_ text: String) -> String {
        guard text.utf8.count > CatalogLimits.detail else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: CatalogLimits.detail - 3)
        while end.samePosition(in: text) == nil { end = text.utf8.index(before: end) }
        return text[..<end] + "..."
    }
}
