internal import GRDB
internal import Glibc

extension Catalog {
    /// Opens the catalog of the bucket in `folder` for writing; creates it (mode 0600), or migrates it to the schema
    /// of this program.
    ///
    /// - Parameter bucket: The id in `maand.conf`; a database of another bucket is refused.
    public static func open(in folder: String, bucket: String) throws(CatalogError) -> Catalog {
        try open(in: folder, bucket: bucket, migrations: Schema.migrations)
    }

    static func open(in folder: String, bucket: String, migrations: [String]) throws(CatalogError) -> Catalog {
        let path = databasePath(in: folder)
        if let type = NetworkFileSystem.type(of: folder) { throw .networkFileSystem(path: path, type: type) }
        let isNew = try createFile(path, in: folder)
        try checkFileTypes(path)
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(busyTimeout)
            configuration.label = "catalog"
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { db in
                try checkKind(db, path: path, supported: migrations.count)
                if !isNew, try Int.fetchOne(db, sql: "PRAGMA user_version") == 0 { try checkIsUnused(path, in: folder) }
                guard try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL") == "wal" else {
                    throw CatalogError.cannotOpen(path: path, reason: "its disk does not support write-ahead logging")
                }
                // Written after everything that could set it back, and read again: durability hangs on it.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
                    throw CatalogError.cannotOpen(path: path, reason: "SQLite refuses synchronous=FULL")
                }
            }
            try backUpBeforeMigration(queue, path: path, supported: migrations.count)
            try queue.writeWithoutTransaction { db in
                try migrate(db, bucket: bucket, migrations: migrations)
                try checkBucket(db, path: path, bucket: bucket)
            }
            return Catalog(path: path, queue: queue, isWritten: true)
        } catch {
            throw CatalogError(error, path: path)
        }
    }

    /// Opens the catalog of the bucket in `folder` for reading, or returns nil where there is none yet.
    ///
    /// Nothing is created and nothing is migrated: an older schema is read through a migrated copy in memory.
    public static func openReadOnly(in folder: String, bucket: String) throws(CatalogError) -> Catalog? {
        try openReadOnly(in: folder, bucket: bucket, migrations: Schema.migrations)
    }

    static func openReadOnly(in folder: String, bucket: String, migrations: [String]) throws(CatalogError) -> Catalog? {
        let path = databasePath(in: folder)
        guard access(path, F_OK) == 0 else {
            let code = errno
            if code == ENOENT { return nil }
            throw .cannotOpen(path: path, reason: systemMessage(code))
        }
        if let type = NetworkFileSystem.type(of: path) { throw .networkFileSystem(path: path, type: type) }
        try checkFileTypes(path)
        do {
            let queue = try readingQueue(path)
            let found = try queue.read { db in
                try checkKind(db, path: path, supported: migrations.count)
                return try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            }
            if found == 0 {
                try checkIsUnused(path, in: folder)
                return nil
            }
            try queue.read { db in try checkBucket(db, path: path, bucket: bucket) }
            if found == migrations.count { return Catalog(path: path, queue: queue) }
            let copy = try DatabaseQueue()
            try queue.backup(to: copy)
            try copy.writeWithoutTransaction { db in try migrate(db, bucket: bucket, migrations: migrations) }
            return Catalog(path: path, queue: copy)
        } catch {
            throw CatalogError(error, path: path)
        }
    }

    /// An empty catalog that is nowhere on disk, for what asks before the bucket has one.
    public static func inMemory(bucket: String) throws(CatalogError) -> Catalog {
        let path = ":memory:"
        do {
            let queue = try DatabaseQueue()
            try queue.writeWithoutTransaction { db in
                try migrate(db, bucket: bucket, migrations: Schema.migrations)
            }
            return Catalog(path: path, queue: queue)
        } catch {
            throw CatalogError(error, path: path)
        }
    }

    /// Keeps the database of an earlier release as `maand.db.schema-N`, for a user who goes back to that release.
    private static func backUpBeforeMigration(_ queue: DatabaseQueue, path: String, supported: Int) throws {
        let version = try queue.read { db in try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0 }
        guard version > 0, version < supported else { return }
        let backup = "\(path).schema-\(version)"
        // One that is there is of a migration that was cut off, or of a database that was put back: it is older.
        guard unlink(backup) == 0 || errno == ENOENT else {
            throw CatalogError.cannotOpen(path: backup, reason: systemMessage(errno))
        }
        try writeBackup(of: queue, to: backup)
    }

    private static func readingQueue(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "catalog"
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { db in _ = try Int.fetchOne(db, sql: "PRAGMA schema_version") }
            return queue
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
            // A WAL database needs a `-shm` file even for reading. Where it cannot be made (a read-only disk or
            // folder) and there is no log to read, the file alone is the whole database, and nobody is writing it.
            guard access(path + "-wal", F_OK) != 0 else { throw error }
            return try DatabaseQueue(path: "file:\(percentEncoded(path))?immutable=1", configuration: configuration)
        } catch let error as DatabaseError where [.SQLITE_FULL, .SQLITE_IOERR].contains(error.resultCode) {
            guard let copy = try? copyInMemory(path) else { throw error }
            return copy
        }
    }

    /// `path` for the path of a URI; the database's own name rules (a leading `/` or `.`) keep it from being a scheme.
    private static func percentEncoded(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "#"):
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func databasePath(in folder: String) -> String {
        // SQLite reads a name that begins with `file:` as a URI.
        (folder.hasPrefix("/") || folder.hasPrefix(".") ? folder : "./" + folder) + "/" + fileName
    }

    /// Made here and not by SQLite, so that its mode does not hang on the umask; SQLite gives its other files the same.
    ///
    /// - Returns: false where it is there already.
    private static func createFile(_ path: String, in folder: String) throws(CatalogError) -> Bool {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file < 0 {
            let code = errno
            if code == EEXIST {
                // SQLite would fall back to reading only, and complain later.
                guard access(path, W_OK) == 0, access(folder, W_OK) == 0 else { throw .readOnly(path: path) }
                return false
            }
            if code == ENOSPC { throw .diskFull(path: path) }
            if code == EROFS { throw .readOnly(path: path) }
            throw .cannotOpen(path: path, reason: systemMessage(code))
        }
        Glibc.close(file)
        do { try syncFolder(folder + "/.") } catch {
            throw .cannotOpen(path: path, reason: systemMessage(error.code))
        }
        return true
    }

    /// SQLite would wait for the other end of a pipe.
    private static func checkFileTypes(_ path: String) throws(CatalogError) {
        for file in [path, path + "-wal", path + "-shm", path + "-journal"] {
            var status = stat()
            guard stat(file, &status) == 0, status.st_mode & S_IFMT != S_IFREG else { continue }
            let kind =
                switch status.st_mode & S_IFMT {
                case S_IFDIR: "a folder"
                case S_IFIFO: "a named pipe"
                case S_IFSOCK: "a socket"
                default: "a device"
                }
            throw .cannotOpen(path: path, reason: "\(file) is \(kind), and no file")
        }
    }

    private static func checkKind(_ db: Database, path: String, supported: Int) throws {
        let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
        if version == 0 && application == 0 && tables == 0 { return }
        guard application == Schema.applicationID, version > 0 else { throw CatalogError.notACatalog(path: path) }
        guard version <= supported else {
            throw CatalogError.newerSchema(path: path, found: version, supported: supported)
        }
    }

    /// An empty file is that of a process that was killed before its first transaction, unless something is there that came
    /// after one: the key of secrets, or a copy of an earlier schema.
    private static func checkIsUnused(_ path: String, in folder: String) throws(CatalogError) {
        let later = [folder + "/secrets/kv.key"] + (1..<Schema.version).map { "\(path).schema-\($0)" }
        if let found = later.first(where: { access($0, F_OK) == 0 }) { throw .emptied(path: path, because: found) }
    }

    private static func checkBucket(_ db: Database, path: String, bucket: String) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT id FROM bucket") else {
            throw CatalogError.corrupted(path: path, reason: "the table `bucket` is empty")
        }
        let found = try CatalogRow(row: row, table: "bucket", path: path).text(0)
        guard found == bucket else { throw CatalogError.otherBucket(path: path, found: found, expected: bucket) }
    }

    /// All missing migrations in one transaction; another process may have made them meanwhile.
    private static func migrate(_ db: Database, bucket: String, migrations: [String]) throws {
        guard try Int.fetchOne(db, sql: "PRAGMA user_version") != migrations.count else { return }
        try db.inTransaction(.immediate) {
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard version < migrations.count else { return .commit }
            for migration in migrations[version...] { try db.execute(sql: migration) }
            if version == 0 {
                try db.execute(
                    sql: "INSERT INTO bucket (only_row, id, catalog_revision) VALUES (1, ?, 0)", arguments: [bucket])
                try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
            try db.execute(sql: "PRAGMA user_version = \(migrations.count)")
            return .commit
        }
    }
}
