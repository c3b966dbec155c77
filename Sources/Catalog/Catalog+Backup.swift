internal import GRDB
internal import Glibc

extension Catalog {
    /// Copies the database as it is in one instant into a new file (mode 0600), which is whole and durable when this
    /// returns. An `apply` that runs meanwhile is not held up: SQLite's online backup.
    ///
    /// - Throws: `CatalogError.cannotOpen` where there is a file already, or it cannot be written.
    public func backUp(to file: String) throws(CatalogError) {
        do { try Self.writeBackup(of: queue, to: file) } catch { throw CatalogError(error, path: file) }
    }

    static func writeBackup(of queue: DatabaseQueue, to file: String) throws {
        guard access(file, F_OK) != 0 else {
            throw CatalogError.cannotOpen(path: file, reason: "there is a file of this name")
        }
        let temporary = "\(file).\(getpid()).tmp"
        do {
            try writeCopy(queue, to: temporary)
            // A link never replaces what somebody else put there meanwhile.
            guard link(temporary, file) == 0 else { throw SystemError("link", file) }
        } catch {
            remove(temporary)
            throw (error as? SystemError).map { CatalogError.cannotOpen(path: file, reason: $0.message) } ?? error
        }
        remove(temporary)
        try syncFolder(file.lastIndex(of: "/").map { String(file[...$0]) } ?? ".")
    }

    private static func writeCopy(_ queue: DatabaseQueue, to file: String) throws {
        _ = try File(file, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        let copy = try DatabaseQueue(path: file)
        try queue.backup(to: copy)
        // One file, without a log beside it.
        try copy.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA journal_mode = DELETE") }
        try copy.close()
        try File(file, O_RDONLY).sync()
    }

    private static func remove(_ temporary: String) {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(temporary + suffix) }
    }
}
