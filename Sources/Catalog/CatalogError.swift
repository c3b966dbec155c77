public import Model
internal import Plans

/// Why the catalog could not do what was asked. `description` says what happened, where, and what to do.
public enum CatalogError: Error, Equatable, Sendable {
    case cannotOpen(path: String, reason: String)
    /// Another program's database, or no database at all.
    case notACatalog(path: String)
    case corrupted(path: String, reason: String)
    /// A value that no release of this program writes. `row` says by which other columns the row is found, and may be empty.
    case illegalValue(path: String, table: String, column: String, row: String, found: String, expected: String)
    /// Somebody has deleted, truncated or replaced the file while it was open; nothing was written since.
    case replaced(path: String)
    /// The file is empty, and another file says that the bucket was used before.
    case emptied(path: String, because: String)
    /// Written by a newer version of this program.
    case newerSchema(path: String, found: Int, supported: Int)
    case otherBucket(path: String, found: String, expected: String)
    /// Another process kept the database for longer than the busy timeout.
    case locked(path: String)
    case diskFull(path: String)
    case readOnly(path: String)
    case networkFileSystem(path: String, type: String)
    case illegalTransition(run: RunID, step: StepID, attempt: Int, from: StepState, to: StepState, reason: String)
    case illegalRunTransition(run: RunID, from: RunState, to: RunState)
    /// The checkpoint is about a run that has ended.
    case runEnded(run: RunID, state: RunState)
    /// No other run may begin before this one has ended.
    case unfinishedRun(Run)
    case unknownRun(RunID)
    /// Any other failure, with SQLite's extended result code.
    case failed(path: String, code: Int, reason: String)
}

extension CatalogError: CustomStringConvertible {
    private static let wayBack =
        "Stop using it: move it and its `-wal` and `-shm` away, restore `maand.db` from a backup (`maand-plan catalog "
        + "backup` makes them), where there is one, and then `maand-plan catalog refresh` asks the workers."

    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason):
            "cannot open the catalog \(path): \(reason). Check that the folder exists and that you may read and write it."
        case .notACatalog(let path):
            "\(path) is not a catalog of maand-plan. Move the file away, or restore the bucket's `maand.db` from a backup."
        case .corrupted(let path, let reason):
            "the catalog \(path) is damaged: \(reason). \(Self.wayBack)"
        case .illegalValue(let path, let table, let column, let row, let found, let expected):
            "the catalog \(path) is damaged: the table `\(table)` has \(found) in the column `\(column)`"
                + (row.isEmpty ? "" : " of the row with \(row)") + ", where \(expected) belongs. \(Self.wayBack)"
        case .replaced(let path):
            "the catalog \(path), or its log beside it, was deleted, truncated or replaced while this command used it, and "
                + "nothing more is recorded. What is in flight goes on on the workers. Put back the file as it was, or a backup "
                + "(then `maand-plan catalog refresh` asks the workers), and run the same command again."
        case .emptied(let path, let because):
            "the catalog \(path) is empty, although the bucket was used before: \(because) is there. Move the empty file "
                + "away, and copy the last backup of `maand.db` to its place; without one, `maand-plan catalog refresh` "
                + "asks the workers."
        case .newerSchema(let path, let found, let supported):
            "the catalog \(path) has schema version \(found), and this program knows versions up to \(supported). "
                + "Use the version of the program that wrote it, or a newer one."
        case .otherBucket(let path, let found, let expected):
            "the catalog \(path) belongs to bucket \(found), and `maand.conf` says \(expected). "
                + "Put the bucket's own `maand.db` and `maand.conf` together."
        case .locked(let path):
            "the catalog \(path) is locked by another process. Try again when it is done; `fuser \(path)` names it."
        case .diskFull(let path):
            "the disk is full, and nothing more was written to \(path). Free some space and run the same command again: "
                + "what was recorded before is safe."
        case .readOnly(let path):
            "the catalog \(path) cannot be written. Check its owner and mode, its folder's, and how the disk is mounted."
        case .networkFileSystem(let path, let type):
            "\(path) is on a network file system (\(type)), where locks and durable writes cannot be relied on. "
                + "Keep the bucket on a local disk of one host."
        case .illegalTransition(let run, let step, let attempt, let from, let to, let reason):
            "run \(run), step \(step), attempt \(attempt): \(to.rawValue) cannot follow \(from.rawValue): \(reason). "
                + "Nothing was recorded. This is a defect of the program; please report it."
        case .illegalRunTransition(let run, let from, let to):
            "run \(run) is \(from.rawValue) and cannot become \(to.rawValue). Nothing was recorded."
        case .runEnded(let run, let state):
            "run \(run) has ended (\(state.rawValue)), so nothing can be recorded for it any more."
        case .unfinishedRun(let run):
            "run \(run.id) of another plan (\(run.plan)) is \(run.state.rawValue). "
                + "Finish it with its own plan, or abandon it: `maand-apply abandon \(run.id) --reason …`."
        case .unknownRun(let run):
            "there is no run \(run). `maand-apply history` lists them."
        case .failed(let path, let code, let reason):
            "the catalog \(path) failed: \(reason) (SQLite code \(code)). "
                + "What was recorded before is safe; run the same command again when the cause is gone."
        }
    }
}
