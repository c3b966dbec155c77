extension Schema {
    /// Fingerprints of secrets, also of those that somebody else keeps, the key under which they are made, sealed with the bucket's key, and of each file with secrets
    /// that was sent what its bytes were, sealed with it, too.
    static let secrets = """
        ALTER TABLE kv ADD COLUMN fingerprint TEXT CHECK (fingerprint IS NULL OR sealed NOTNULL);
        ALTER TABLE kv_pending ADD COLUMN fingerprint TEXT CHECK (fingerprint IS NULL OR sealed NOTNULL);
        ALTER TABLE kv_key ADD COLUMN fingerprint_key BLOB;

        CREATE TABLE provided_secret (
            namespace TEXT NOT NULL CHECK (namespace LIKE 'secrets/%'),
            key TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            PRIMARY KEY (namespace, key)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE sealed_file (
            digest TEXT PRIMARY KEY,
            sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
