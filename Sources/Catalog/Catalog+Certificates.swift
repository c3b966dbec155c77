internal import Foundation
internal import GRDB
public import Model
public import Plans

/// An authority with its certificate as PEM and its key, sealed with the bucket's.
public struct StoredAuthority: Sendable {
    public let authority: CertificateAuthority
    public let certificate: String
    public let sealedKey: [UInt8]

    public init(_ authority: CertificateAuthority, certificate: String, sealedKey: [UInt8]) {
        self.authority = authority
        self.certificate = certificate
        self.sealedKey = sealedKey
    }
}

/// Certificates of jobs. Their files are values of `certs/job/<job>`.
extension Catalog {
    /// What changes at once: all of it, or nothing.
    public struct CertificateChange: Sendable {
        /// Those that replace what is recorded of the same job, name and worker.
        public var certificates: [JobCertificate] = []
        /// Their files, sealed.
        public var files: [KeyValueWrite] = []
        /// All authorities from now on; nil if they stay.
        public var authorities: [StoredAuthority]?

        public init() {}
    }

    /// Records new certificates and authorities.
    ///
    /// - Parameter who: `user@host`.
    /// - Throws: `KeyValueError`, `CatalogError`, and what the writes' closures throw.
    public func record(_ change: CertificateChange, at now: Timestamp, by who: String) throws {
        do {
            try queue.write { db in
                for write in change.files { try self.append(write, at: now, by: who, db) }
                for certificate in change.certificates {
                    try db.execute(
                        sql: """
                            INSERT OR REPLACE INTO certificate
                                (job, name, worker, common_name, names, pkcs8, ends_at, fingerprint, authority)
                            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                            """,
                        arguments: [
                            certificate.job.text, certificate.name, certificate.worker?.text ?? "",
                            certificate.commonName, certificate.names.joined(separator: " "), certificate.isPKCS8,
                            certificate.endsAt.milliseconds, certificate.fingerprint.hex, certificate.authority.hex,
                        ])
                }
                guard let authorities = change.authorities else { return }
                try db.execute(sql: "DELETE FROM certificate_authority")
                for stored in authorities {
                    try db.execute(
                        sql: """
                            INSERT INTO certificate_authority
                                (role, fingerprint, common_name, ends_at, certificate, sealed_key)
                            VALUES (?, ?, ?, ?, ?, ?)
                            """,
                        arguments: [
                            stored.authority.role.rawValue, stored.authority.fingerprint.hex,
                            stored.authority.commonName, stored.authority.endsAt.milliseconds, stored.certificate,
                            Data(stored.sealedKey),
                        ])
                }
            }
        } catch let error as DatabaseError {
            throw CatalogError(error, path: path)
        }
    }

    /// Forgets all certificates and authorities: for a bucket whose key is lost.
    public func forgetCertificates() throws(CatalogError) {
        try write { db in
            try db.execute(sql: "DELETE FROM kv WHERE namespace LIKE 'certs/%'")
            try db.execute(sql: "DELETE FROM certificate")
            try db.execute(sql: "DELETE FROM certificate_authority")
        }
    }

    /// The authorities with their keys, those that end first before the others: what signs changes no file of them.
    public func storedAuthorities() throws(CatalogError) -> [StoredAuthority] { try read(storedAuthorities) }

    private func storedAuthorities(_ db: Database) throws -> [StoredAuthority] {
        try rows(
            of: "certificate_authority", db,
            """
            SELECT role, fingerprint, common_name, ends_at, certificate, sealed_key FROM certificate_authority
            ORDER BY ends_at, fingerprint
            """
        ).map { row in
            StoredAuthority(
                CertificateAuthority(
                    fingerprint: try row.digest(1), commonName: try row.text(2), endsAt: try row.time(3),
                    role: try row.word(0)),
                certificate: try row.text(4), sealedKey: try row.bytes(5))
        }
    }

    /// The certificates among the secrets of a job's files; nil if one of them was renewed since the plan was made.
    public func certificates(
        among secrets: [Plan.Secret], of job: JobName
    ) throws(CatalogError) -> [Plan.Certificate]? {
        let files = secrets.map(\.reference).filter(\.name.isCertificate)
        if files.isEmpty { return [] }
        return try read { db in
            let now = try self.fingerprints(of: Set(files.map(\.name)), db)
            guard files.allSatisfy({ now[$0.name] == $0.fingerprint }) else { return nil }
            let known = Dictionary(try self.certificates(db, of: job).map { ($0.file, $0) }) { first, _ in first }
            return Plan.Certificate.list(secrets, known, try self.authorities(db))
        }
    }

    /// The keys of certificates that a worker may have, sealed, with earlier versions of them.
    ///
    /// - Parameter job: only those of this job; nil means all.
    public func storedKeys(
        on worker: WorkerName, of job: JobName? = nil
    ) throws(CatalogError) -> [(namespace: KVNamespace, key: String, version: Int, sealed: [UInt8])] {
        try read { db in
            let rows = try self.rows(
                of: "certificate", db,
                "SELECT job, name, worker FROM certificate WHERE worker IN (?1, '') AND (?2 IS NULL OR job = ?2)",
                [worker.text, job?.text])
            return try rows.flatMap { row in
                let isOne = try row.text(2).isEmpty
                let file = CertificateFile(name: try row.text(1), worker: isOne ? nil : worker, part: .key)
                let namespace = KVNamespace.certificates(try row.name(0))
                return try self.rows(
                    of: "kv", db,
                    "SELECT version, sealed FROM kv WHERE namespace = ? AND key = ? AND sealed IS NOT NULL",
                    [namespace.text, file.key]
                ).map { (namespace, file.key, try $0.integer(0), try $0.bytes(1)) }
            }
        }
    }

    /// What planning sees of them.
    func authorities(_ db: Database) throws -> [CertificateAuthority] { try storedAuthorities(db).map(\.authority) }

    /// Certificates of all jobs, or of one.
    func certificates(_ db: Database, of job: JobName? = nil) throws -> [JobCertificate] {
        try rows(
            of: "certificate", db,
            """
            SELECT job, name, worker, common_name, names, pkcs8, ends_at, fingerprint, authority FROM certificate
            WHERE ?1 IS NULL OR job = ?1
            """, [job?.text]
        ).map { row in
            JobCertificate(
                job: try row.name(0), name: try row.text(1),
                worker: try row.text(2).isEmpty ? nil : try row.name(2), commonName: try row.text(3),
                names: try row.text(4).split(separator: " ").map(String.init), isPKCS8: try row.integer(5) == 1,
                endsAt: try row.time(6), fingerprint: try row.digest(7), authority: try row.digest(8))
        }
    }
}
