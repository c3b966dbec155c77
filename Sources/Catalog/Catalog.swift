internal import GRDB
internal import Model
public import Plans
internal import Synchronization

/// The bucket's memory: what runs where, and how far every run has come (`maand.db`).
///
/// SQLite in WAL mode with `synchronous=FULL`: what `commit` acknowledged survives `kill -9` and a power cut. Every
/// method may be called from any task or thread; those that are not `async` block for the length of one query.
/// One process at a time writes (`BucketLock`); any number may read beside it.
///
/// ```swift
/// let catalog = try Catalog.open(in: folder, bucket: configuration.bucketID)
/// try await catalog.commit(Checkpoint(run: run.id, at: now, steps: [write]))
/// ```
public final class Catalog: Sendable {
    /// Name of the database in the bucket's folder.
    public static let fileName = "maand.db"

    /// How long to wait for another process's transaction, in seconds, before `CatalogError.locked`.
    static let busyTimeout = 5.0

    /// Path of the database, as it was opened.
    public let path: String
    let queue: DatabaseQueue
    /// Nil for a database in memory, and for one that is only read.
    private let files: DatabaseFiles?
    /// Checkpoints that no transaction has taken up yet.
    let waiting = Mutex<[WaitingCheckpoint]>([])
    /// Transactions that `commit` has written; fewer than checkpoints where several shared one.
    let groupCommits = Atomic<Int>(0)
    /// Bytes of kept output of the run that was written last.
    let kept = Mutex<(run: RunID, bytes: Int)?>(nil)

    /// - Parameter isWritten: the file at `path` is the database, and this process writes it.
    init(path: String, queue: DatabaseQueue, isWritten: Bool = false) {
        self.path = path
        self.queue = queue
        files = isWritten ? DatabaseFiles(path: path) : nil
    }

    /// - Throws: `CatalogError.replaced` where the files are not those any more that this process has opened.
    func checkFiles() throws(CatalogError) { try files?.check() }

    /// Checkpoints the write-ahead log and closes the database; using the catalog afterwards is an error.
    /// A catalog that is simply dropped is closed too.
    public func close() throws(CatalogError) {
        do { try queue.close() } catch { throw CatalogError(error, path: path) }
    }

    /// Everything the planner needs, read in one transaction.
    public func snapshot() throws(CatalogError) -> CatalogSnapshot {
        try read { db in
            var snapshot = CatalogSnapshot()
            snapshot.revision = try self.revision(db)
            for entry in try self.allocations(db) { snapshot.allocations[entry.allocation] = entry.record }
            for (allocation, release) in try self.drifted(db) {
                snapshot.allocations[allocation, default: .none].drifted = release
            }
            for (allocation, content) in try self.takenBack(db) {
                snapshot.allocations[allocation, default: .none].takenBack = content
            }
            for (allocation, _) in try self.drained(db) {
                snapshot.allocations[allocation, default: .none].isDrained = true
            }
            snapshot.jobs = try self.jobs(db)
            snapshot.workerIDs = try self.workerIDs(db)
            for (job, values) in try self.variables(db) { snapshot.jobs[job, default: .init()].variables = values }
            for (secret, fingerprint) in try self.fingerprints(db) {
                if let fingerprint, secret.isCertificate {
                    snapshot.jobs[secret.job, default: .init()].certificateFiles[secret.key] = fingerprint
                } else if let fingerprint {
                    snapshot.jobs[secret.job, default: .init()].secrets[secret.key] = fingerprint
                } else {
                    snapshot.jobs[secret.job, default: .init()].unknownSecrets.insert(secret.key)
                }
            }
            for (secret, fingerprint) in try self.providedFingerprints(db) {
                snapshot.jobs[secret.job, default: .init()].provided[secret.key] = fingerprint
            }
            for (job, commands) in try self.prepared(db) { snapshot.jobs[job, default: .init()].prepared = commands }
            for known in try self.certificates(db) {
                snapshot.jobs[known.job, default: .init()].certificates[known.file] = known
            }
            snapshot.authorities = try self.authorities(db)
            for entry in try self.workers(db) { snapshot.workers[entry.worker.worker] = entry.worker }
            snapshot.machines = try self.machines(db)
            return snapshot
        }
    }

    /// Advances whenever a run starts, succeeds or is abandoned; 0 before the first.
    public func revision() throws(CatalogError) -> Int {
        try read { db in try self.revision(db) }
    }

    func revision(_ db: Database) throws -> Int {
        guard let row = try rows(of: "bucket", db, "SELECT catalog_revision FROM bucket").first else {
            throw damaged("the table `bucket` is empty")
        }
        return try row.integer(0)
    }

    func read<T>(_ body: (Database) throws -> T) throws(CatalogError) -> T {
        do { return try queue.read(body) } catch { throw CatalogError(error, path: path) }
    }

    func write<T>(_ body: (Database) throws -> T) throws(CatalogError) -> T {
        try checkFiles()
        do { return try queue.write(body) } catch { throw CatalogError(error, path: path) }
    }

    /// A value in the database that no version of this program writes.
    func damaged(_ what: String) -> CatalogError { .corrupted(path: path, reason: what) }
}
