internal import Foundation
internal import GRDB
public import Model

/// A sealed value, and where it is stored: it can be opened for that place alone.
public struct StoredSecret: Sendable {
    public let name: SecretName
    public let version: Int
    public let sealed: [UInt8]
}

/// What is known of secrets without their values, and what is sealed with the bucket's key.
extension Catalog {
    /// The fingerprints of the newest values of all jobs' secrets; of values that an earlier release has stored none is known.
    func fingerprints(_ db: Database) throws -> [SecretName: SecretFingerprint?] {
        let rows = try rows(
            of: "kv", db,
            """
            SELECT namespace, key, fingerprint FROM kv AS newest
            WHERE (namespace LIKE 'secrets/%' OR namespace LIKE 'certs/%') AND sealed IS NOT NULL
            AND version = (SELECT max(version) FROM kv WHERE namespace = newest.namespace AND key = newest.key)
            """)
        var found: [SecretName: SecretFingerprint?] = [:]
        for row in rows { found[try secretName(row)] = .some(try row.optional(2, row.fingerprint)) }
        return found
    }

    /// The fingerprints that secrets have now; those without one are left out.
    public func fingerprints(of names: Set<SecretName>) throws(CatalogError) -> [SecretName: SecretFingerprint] {
        if names.isEmpty { return [:] }
        return try read { db in try self.fingerprints(of: names, db) }
    }

    /// The same, as part of another reading. A push asks for the few of its files, and a bucket may have very many.
    func fingerprints(of names: Set<SecretName>, _ db: Database) throws -> [SecretName: SecretFingerprint] {
        if names.count > 100 {
            return try fingerprints(db).compactMapValues(\.self).filter { names.contains($0.key) }
        }
        var found: [SecretName: SecretFingerprint] = [:]
        for name in names { found[name] = try newest(name.namespace, name.key, in: nil, db)?.fingerprint }
        return found
    }

    /// The fingerprints of values that somebody else keeps, as they were last recorded.
    func providedFingerprints(_ db: Database) throws -> [SecretName: SecretFingerprint] {
        var found: [SecretName: SecretFingerprint] = [:]
        for row in try rows(
            of: "provided_secret", db, "SELECT namespace, key, fingerprint FROM provided_secret")
        { found[try secretName(row)] = try row.fingerprint(2) }
        return found
    }

    /// Records the fingerprints of all values that somebody else keeps; others are forgotten.
    public func setProvidedFingerprints(_ fingerprints: [SecretName: SecretFingerprint]) throws(CatalogError) {
        try write { db in
            try db.execute(sql: "DELETE FROM provided_secret")
            for (name, fingerprint) in fingerprints {
                try db.execute(
                    sql: "INSERT INTO provided_secret (namespace, key, fingerprint) VALUES (?, ?, ?)",
                    arguments: [name.namespace.text, name.key, fingerprint.hex])
            }
        }
    }

    /// Keeps a value that somebody else keeps, sealed, to have it struck out of outputs as long as a file with it may be
    /// deployed. Earlier values of the secret that are in no such file are forgotten.
    public func keepProvidedValue(_ secret: SecretReference, _ sealed: [UInt8]) throws(CatalogError) {
        try write { db in
            let place = [secret.name.namespace.text, secret.name.key]
            try db.execute(
                sql: """
                    DELETE FROM provided_value WHERE namespace = ? AND key = ? AND fingerprint NOT IN (
                        SELECT fingerprint FROM sealed_file_secret
                        WHERE namespace = provided_value.namespace AND key = provided_value.key)
                    """, arguments: StatementArguments(place))
            try db.execute(
                sql: "INSERT OR IGNORE INTO provided_value (namespace, key, fingerprint, sealed) VALUES (?, ?, ?, ?)",
                arguments: [place[0], place[1], secret.fingerprint.hex, Data(sealed)])
        }
    }

    /// What commands of `post_build` saw when they last ran well, by job and command.
    func prepared(_ db: Database) throws -> [JobName: [String: Digest]] {
        var found: [JobName: [String: Digest]] = [:]
        for row in try rows(of: "prepared", db, "SELECT job, command, inputs FROM prepared") {
            found[try row.name(0), default: [:]][try row.text(1)] = try row.digest(2)
        }
        return found
    }

    /// Records that a command of `post_build` has run well, and what it saw.
    public func setPrepared(_ job: JobName, _ command: String, _ inputs: Digest) throws(CatalogError) {
        try write { db in
            try db.execute(
                sql: "INSERT OR REPLACE INTO prepared (job, command, inputs) VALUES (?, ?, ?)",
                arguments: [job.text, command, inputs.hex])
        }
    }

    /// Newest values of which no fingerprint is known.
    public func secretsWithoutFingerprint() throws(CatalogError) -> [StoredSecret] {
        try read { db in
            try self.rows(
                of: "kv", db,
                """
                SELECT namespace, key, version, sealed FROM kv AS newest
                WHERE sealed IS NOT NULL AND fingerprint IS NULL AND version = (
                    SELECT max(version) FROM kv WHERE namespace = newest.namespace AND key = newest.key)
                ORDER BY namespace, key
                """
            ).map { row in
                StoredSecret(
                    name: try self.secretName(row), version: try row.integer(2), sealed: try row.bytes(3))
            }
        }
    }

    /// A value of a secret, also an earlier one; nil if it is not stored any more.
    public func storedSecret(_ secret: SecretReference) throws(CatalogError) -> StoredSecret? {
        try read { db in
            try self.rows(
                of: "kv", db,
                "SELECT version, sealed FROM kv WHERE namespace = ? AND key = ? AND fingerprint = ? AND sealed NOTNULL",
                [secret.name.namespace.text, secret.name.key, secret.fingerprint.hex]
            ).first.map { StoredSecret(name: secret.name, version: try $0.integer(0), sealed: try $0.bytes(1)) }
        }
    }

    /// Records the fingerprints of values that are stored already.
    public func setFingerprints(_ fingerprints: [(StoredSecret, SecretFingerprint)]) throws(CatalogError) {
        try write { db in
            for (secret, fingerprint) in fingerprints {
                try db.execute(
                    sql: """
                        UPDATE kv SET fingerprint = ? WHERE namespace = ? AND key = ? AND version = ? AND sealed IS NOT NULL
                        """,
                    arguments: [fingerprint.hex, secret.name.namespace.text, secret.name.key, secret.version])
            }
        }
    }

    /// A text that changes with every change of what is stored of secrets, or was written by hooks of the run.
    public func secretsState(_ run: RunID) throws(CatalogError) -> String {
        try read { db in
            try self.rows(
                of: "kv", db,
                """
                SELECT (SELECT count(*) || '.' || coalesce(sum(version), 0) FROM kv WHERE sealed NOTNULL)
                || ' ' || (SELECT count(*) || '.' || coalesce(sum(version), 0) FROM kv_pending WHERE sealed NOTNULL AND run = ?1)
                || ' ' || (SELECT count(*) || '.' || coalesce(sum(version), 0) FROM kv_replaced WHERE run = ?1)
                || ' ' || (SELECT coalesce(group_concat(fingerprint), '') FROM provided_value)
                """, [run.number]
            ).first?.text(0) ?? ""
        }
    }

    /// The sealed key under which fingerprints are made; if there is none yet, `new` becomes it.
    public func fingerprintKey(orKeep new: [UInt8]) throws(CatalogError) -> [UInt8] {
        try write { db in
            try db.execute(
                sql: "UPDATE kv_key SET fingerprint_key = ? WHERE fingerprint_key IS NULL", arguments: [Data(new)])
            return try self.fingerprintKey(db) ?? new
        }
    }

    /// The same; nil if there is none yet.
    public func fingerprintKey() throws(CatalogError) -> [UInt8]? { try read(fingerprintKey) }

    private func fingerprintKey(_ db: Database) throws -> [UInt8]? {
        guard let row = try rows(of: "kv_key", db, "SELECT fingerprint_key FROM kv_key").first else { return nil }
        return try row.optional(0, row.bytes)
    }

    // MARK: Files

    /// What is known, sealed, of the bytes that a file with secrets has on workers; nil if it was never sent.
    ///
    /// - Parameter digest: of what is kept of the file.
    public func sealedFile(_ digest: Digest) throws(CatalogError) -> [UInt8]? {
        try read { db in
            try self.rows(of: "sealed_file", db, "SELECT sealed FROM sealed_file WHERE digest = ?", [digest.hex])
                .first?.bytes(0)
        }
    }

    /// Records what the bytes of a file with secrets are, before it is sent. What is known already stays.
    ///
    /// - Parameter secrets: the values that stand in it.
    public func keepSealedFile(
        _ digest: Digest, _ sealed: [UInt8], with secrets: [SecretReference]
    ) throws(CatalogError) {
        try write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO sealed_file (digest, sealed) VALUES (?, ?)",
                arguments: [digest.hex, Data(sealed)])
            for secret in secrets {
                try db.execute(
                    sql: """
                        INSERT OR IGNORE INTO sealed_file_secret (digest, namespace, key, fingerprint) VALUES (?, ?, ?, ?)
                        """,
                    arguments: [
                        digest.hex, secret.name.namespace.text, secret.name.key, secret.fingerprint.hex,
                    ])
            }
        }
    }

    /// Forgets files that are not kept any more.
    public func forgetSealedFiles(except isKept: (Digest) -> Bool) throws(CatalogError) {
        try write { db in
            let known = try self.rows(of: "sealed_file", db, "SELECT digest FROM sealed_file").map { try $0.text(0) }
            for hex in known where Digest(hex: hex.utf8).map(isKept) != true {
                for table in ["sealed_file_secret", "sealed_file"] {
                    try db.execute(sql: "DELETE FROM \(table) WHERE digest = ?", arguments: [hex])
                }
            }
        }
    }

    // MARK: A new key

    /// Something that is sealed with the bucket's key.
    public enum SealedItem: Sendable {
        case value(namespace: String, key: String, version: Int)
        case fingerprintKey
        case file(Digest)
        case provided(namespace: String, key: String, fingerprint: String)
        /// The key of the authority whose certificate has this digest.
        case authority(Digest)
    }

    /// Replaces the bucket's key: everything that is sealed is sealed again, all or nothing.
    ///
    /// - Parameters:
    ///   - old: the fingerprint of the key so far.
    ///   - reseal: opens bytes with the old key and seals them with the new one.
    /// - Throws: `KeyValueError.keyReplaced` if the bucket's key is another one than `old`; what `reseal` throws.
    public func replaceKey(
        _ old: String, by new: String, _ reseal: (SealedItem, [UInt8]) throws -> [UInt8]
    ) throws {
        do {
            try queue.write { db in
                let known = try self.rows(of: "kv_key", db, "SELECT fingerprint FROM kv_key").first?.text(0)
                guard known == old else { throw KeyValueError.keyReplaced }
                for table in ["kv", "kv_pending", "kv_replaced"] {
                    let rows = try self.rows(
                        of: table, db,
                        "SELECT namespace, key, version, sealed FROM \(table) WHERE sealed IS NOT NULL")
                    for row in rows {
                        // Versions of a key are unique over all of these tables.
                        let (namespace, key, version) = (try row.text(0), try row.text(1), try row.integer(2))
                        let sealed = try reseal(
                            .value(namespace: namespace, key: key, version: version), try row.bytes(3))
                        try db.execute(
                            sql: "UPDATE \(table) SET sealed = ? WHERE namespace = ? AND key = ? AND version = ?",
                            arguments: [Data(sealed), namespace, key, version])
                    }
                }
                if let sealed = try self.fingerprintKey(db) {
                    try db.execute(
                        sql: "UPDATE kv_key SET fingerprint_key = ?",
                        arguments: [Data(try reseal(.fingerprintKey, sealed))])
                }
                for row in try self.rows(of: "sealed_file", db, "SELECT digest, sealed FROM sealed_file") {
                    let digest = try row.digest(0)
                    try db.execute(
                        sql: "UPDATE sealed_file SET sealed = ? WHERE digest = ?",
                        arguments: [Data(try reseal(.file(digest), try row.bytes(1))), digest.hex])
                }
                for row in try self.rows(
                    of: "provided_value", db, "SELECT namespace, key, fingerprint, sealed FROM provided_value")
                {
                    let (namespace, key, fingerprint) = (try row.text(0), try row.text(1), try row.text(2))
                    let item = SealedItem.provided(namespace: namespace, key: key, fingerprint: fingerprint)
                    try db.execute(
                        sql: "UPDATE provided_value SET sealed = ? WHERE namespace = ? AND key = ? AND fingerprint = ?",
                        arguments: [Data(try reseal(item, try row.bytes(3))), namespace, key, fingerprint])
                }
                for row in try self.rows(
                    of: "certificate_authority", db, "SELECT fingerprint, sealed_key FROM certificate_authority")
                {
                    let authority = try row.digest(0)
                    try db.execute(
                        sql: "UPDATE certificate_authority SET sealed_key = ? WHERE fingerprint = ?",
                        arguments: [Data(try reseal(.authority(authority), try row.bytes(1))), authority.hex])
                }
                try db.execute(sql: "UPDATE kv_key SET fingerprint = ?", arguments: [new])
            }
        } catch let error as DatabaseError {
            throw CatalogError(error, path: path)
        }
    }

    private func secretName(_ row: CatalogRow) throws -> SecretName {
        guard let namespace = KVNamespace(try row.text(0)), let name = SecretName(namespace, try row.text(1)) else {
            throw row.illegal(0, "the secrets of a job")
        }
        return name
    }
}
