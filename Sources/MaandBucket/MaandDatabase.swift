internal import Crypto
internal import Foundation
internal import GRDB
internal import Model

/// Reads `data/maand.db` of a bucket of Maand. Columns are found by their names; others, and other tables, are ignored.
public enum MaandDatabase {
    /// The database, in the bucket's folder.
    public static let file = "data/maand.db"

    /// Reads what a bucket of Maand has recorded. SQLite writes beside a database that it only reads, so a copy is read, and
    /// the bucket stays as it is.
    ///
    /// - Returns: nil if there is no database.
    /// - Throws: `MaandProblem`.
    public static func read(in folder: String) throws(MaandProblem) -> MaandRecords? {
        try reading(folder) { db in try records(db) }
    }

    /// Gives the files that the last build of Maand has read, one after the other.
    ///
    /// - Parameters:
    ///   - sums: MD5 of the wanted ones.
    ///   - keep: gets the bytes of each.
    /// - Throws: `MaandProblem`.
    public static func readSources(
        in folder: String, _ sums: Set<String>, keep: ([UInt8], _ md5: String) throws -> Void
    ) throws(MaandProblem) {
        _ = try reading(folder) { db in
            let rows = try Row.fetchCursor(db, sql: "SELECT content FROM job_files WHERE length(content) <= \(limit)")
            while let row = try rows.next() {
                guard let content = Data.fromDatabaseValue(row["content"] as DatabaseValue) else { continue }
                let md5 = md5(content)
                if sums.contains(md5) { try keep(Array(content), md5) }
            }
        }
    }

    /// Every text that has ever been a secret here, as far as Maand still has it: of secrets all versions, and keys of
    /// certificates.
    ///
    /// - Returns: nil if one of them cannot be decrypted, because the key is another one.
    /// - Throws: `MaandProblem`.
    public static func secretsOfAllVersions(in folder: String) throws(MaandProblem) -> Set<String>? {
        let key = MaandKey(in: folder)
        let found = try reading(folder) { db -> Set<String>? in
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT DISTINCT namespace, key, value FROM key_value
                    WHERE namespace LIKE 'secrets/job/%' OR (namespace LIKE 'maand/job/%' AND key LIKE 'certs/%.key')
                    """)
            var texts = Set<String>()
            while let row = try rows.next() {
                guard let namespace = row.text("namespace").flatMap({ KVNamespace($0) }), let name = row.text("key"),
                    let value = row.text("value"), !value.isEmpty
                else { continue }
                guard let text = try? key.open(.init(namespace, name, value)) else { return nil }
                texts.insert(text)
            }
            return texts
        }
        return found ?? []
    }

    /// Bytes of a file that are read.
    private static let limit = 16 << 20

    /// - Returns: nil if there is no database.
    private static func reading<Value>(
        _ folder: String, _ body: (Database) throws -> Value
    ) throws(MaandProblem) -> Value? {
        let files = FileManager.default
        let path = "\(folder)/\(file)"
        guard files.fileExists(atPath: path) else { return nil }
        let copy = "\(NSTemporaryDirectory())/maand-\(UInt64.random(in: .min ... .max))"
        do {
            try files.createDirectory(
                atPath: copy, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            defer { try? files.removeItem(atPath: copy) }
            for suffix in ["", "-wal"] where files.fileExists(atPath: path + suffix) {
                try files.copyItem(atPath: path + suffix, toPath: "\(copy)/maand.db\(suffix)")
            }
            try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(copy)/maand.db")
            return try DatabaseQueue(path: "\(copy)/maand.db").read { db in
                _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master")
                // Keys of certificates are in it as they are. From here on SQLite needs no names, and nothing can be left behind.
                try files.removeItem(atPath: copy)
                return try body(db)
            }
        } catch let problem as MaandProblem {
            throw problem
        } catch {
            throw MaandProblem("\(path) cannot be read: \(error). Is it the database of Maand?")
        }
    }

    private static func records(_ db: Database) throws -> MaandRecords {
        guard let id = try Row.fetchOne(db, sql: "SELECT bucket_id FROM bucket")?.text("bucket_id"),
            Name<Never>(id) != nil
        else { throw MaandProblem("\(file) names no bucket: was `maand build` ever run here?") }
        var records = MaandRecords(bucketID: id)
        var strange = Set<String>()
        for row in try Row.fetchAll(db, sql: "SELECT worker_id, worker_ip FROM worker") {
            guard let id = row.text("worker_id"), let text = row.text("worker_ip") else { continue }
            if let name = WorkerName(text) { records.workerIDs[name] = id } else { strange.insert(text) }
        }
        let hashes = try hashes(db)
        let rows = try Row.fetchAll(
            db, sql: "SELECT alloc_id, worker_ip, job, disabled, removed, new_version FROM allocations")
        for row in rows {
            let (jobText, workerText) = (row.text("job") ?? "", row.text("worker_ip") ?? "")
            guard let job = JobName(jobText), let worker = WorkerName(workerText) else {
                strange.insert(JobName(jobText) == nil ? jobText : workerText)
                continue
            }
            records.allocations.append(
                .init(
                    id: AllocationID(job: job, worker: worker), isDisabled: row.number("disabled") == 1,
                    isRemoved: row.number("removed") == 1, targetVersion: version(row.text("new_version")),
                    hash: row.text("alloc_id").flatMap { hashes["\(jobText)_allocation|\($0)"] }))
        }
        records.allocations.sort { $0.id < $1.id }
        records.ports = try ports(db)
        try readValues(db, into: &records)
        records.strangeNames = strange.sorted()
        return records
    }

    /// By namespace and key.
    private static func hashes(_ db: Database) throws -> [String: MaandRecords.Hash] {
        var hashes: [String: MaandRecords.Hash] = [:]
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT namespace, key, current_hash, previous_hash, current_files, previous_files, current_version
                FROM hash WHERE namespace LIKE '%\\_allocation' ESCAPE '\\'
                """)
        for row in rows {
            guard let namespace = row.text("namespace"), let key = row.text("key") else { continue }
            hashes["\(namespace)|\(key)"] = .init(
                current: row.text("current_hash"), previous: row.text("previous_hash"),
                currentFiles: files(row.text("current_files")), previousFiles: files(row.text("previous_files")),
                version: version(row.text("current_version")))
        }
        return hashes
    }

    private static func files(_ json: String?) -> [String: String] {
        json.flatMap { try? JSONDecoder().decode([String: String].self, from: Data($0.utf8)) } ?? [:]
    }

    /// What Maand writes for no version is `unknown` in one table, and `0.0.0` in others.
    private static func version(_ text: String?) -> String {
        guard let text = text?.trimmingWhitespace, Version.isValid(text) else { return Version.none.text }
        return text
    }

    private static func ports(_ db: Database) throws -> [JobName: [String: Int]] {
        var ports: [JobName: [String: Int]] = [:]
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT job.name AS job, job_ports.name AS port, job_ports.port AS number
                FROM job_ports JOIN job ON job.job_id = job_ports.job_id
                """)
        for row in rows {
            guard let job = row.text("job").flatMap({ JobName($0) }), let port = row.text("port"),
                let number = row.number("number"), (1...65535).contains(number)
            else { continue }
            ports[job, default: [:]][port] = number
        }
        return ports
    }

    private static func readValues(_ db: Database, into records: inout MaandRecords) throws {
        // The highest version counts, and it may say that the key is gone.
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT namespace, key, value, deleted, max(CAST(version AS INTEGER)) FROM key_value
                WHERE namespace LIKE 'vars/job/%' OR namespace LIKE 'secrets/job/%'
                    OR (namespace LIKE 'maand/job/%' AND key LIKE 'certs/%')
                GROUP BY namespace, key ORDER BY namespace, key
                """)
        for row in rows where row.number("deleted") != 1 {
            guard let text = row.text("namespace"), let name = row.text("key"), let value = row.text("value"),
                let namespace = KVNamespace(text)
            else { continue }
            // What is left of a removed job nobody reads.
            if case .secrets(let job) = namespace,
                !records.allocations.contains(where: { $0.id.job == job && !$0.isRemoved })
            {
                continue
            }
            switch namespace {
            case .variables, .secrets: records.values.append(.init(namespace, name, value))
            case .allocation(let allocation): records.certificates[allocation, default: [:]][name] = value
            case .bucket, .workers, .worker, .tags, .job, .bucketVariables, .bucketJobVariables, .certificates: continue
            }
        }
    }

    /// The MD5 of bytes as Maand writes it down.
    public static func md5(_ bytes: some Sequence<UInt8>) -> String {
        Insecure.MD5.hash(data: Array(bytes)).map { byte in
            let text = String(byte, radix: 16)
            return text.count < 2 ? "0" + text : text
        }.joined()
    }
}

extension Row {
    /// A text; nil for what is none, whatever type the column has.
    fileprivate func text(_ column: String) -> String? { String.fromDatabaseValue(self[column] as DatabaseValue) }

    /// A whole number, also as a text; nil for what is none.
    fileprivate func number(_ column: String) -> Int? {
        let value = self[column] as DatabaseValue
        return Int.fromDatabaseValue(value) ?? String.fromDatabaseValue(value).flatMap { Int($0) }
    }
}
