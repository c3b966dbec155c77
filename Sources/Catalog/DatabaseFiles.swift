internal import Glibc
internal import Synchronization

/// Notices when somebody deletes, truncates or replaces the database while it is open: SQLite goes on writing into files
/// that nobody will read again. May be used from any thread.
final class DatabaseFiles: Sendable {
    private struct File {
        var device: UInt
        var inode: UInt
        /// In bytes; neither gets smaller while it is open.
        var size: Int
    }

    private struct Seen {
        var database: File
        /// Nil before it is made: by the first write.
        var log: File?
    }

    private let path: String
    private let seen: Mutex<Seen>

    /// Takes the database as it is now for the right one.
    ///
    /// - Returns: nil where there is no such file, as of a database in memory.
    init?(path: String) {
        guard let database = Self.file(path) else { return nil }
        self.path = path
        seen = Mutex(Seen(database: database))
    }

    /// To be called before a transaction.
    ///
    /// - Throws: `CatalogError.replaced`.
    func check() throws(CatalogError) {
        let (database, log) = (Self.file(path), Self.file(path + "-wal"))
        let isSame = seen.withLock { seen in
            guard let database, Self.isSame(database, seen.database), database.size >= seen.database.size else {
                return false
            }
            // SQLite begins the log again at its start, and never makes it shorter.
            if let known = seen.log, log.map({ Self.isSame($0, known) && $0.size >= known.size }) != true {
                return false
            }
            seen.database = database
            seen.log = log
            return true
        }
        if !isSame { throw .replaced(path: path) }
    }

    private static func isSame(_ a: File, _ b: File) -> Bool { a.device == b.device && a.inode == b.inode }

    private static func file(_ path: String) -> File? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return File(device: UInt(status.st_dev), inode: UInt(status.st_ino), size: Int(status.st_size))
    }
}
