extension Schema {
    /// Fingerprints of secrets, also of those that somebody else keeps, the key under which they are made, sealed with the bucket's key, and of each file with secrets
    /// that was sent what its bytes were, sealed with it, too. Values that stand in such files are kept beside the newest versions: what is printed of them is struck
    /// out. The same holds for values that somebody else keeps.
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

        CREATE TABLE provided_value (
            namespace TEXT NOT NULL CHECK (namespace LIKE 'secrets/%'),
            key TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (namespace, key, fingerprint)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE prepared (
            job TEXT NOT NULL,
            command TEXT NOT NULL,
            inputs TEXT NOT NULL,
            PRIMARY KEY (job, command)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE sealed_file (
            digest TEXT PRIMARY KEY,
            sealed BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE sealed_file_secret (
            digest TEXT NOT NULL REFERENCES sealed_file (digest) ON DELETE CASCADE,
            namespace TEXT NOT NULL,
            key TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            PRIMARY KEY (digest, namespace, key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sealed_file_secret_by_key ON sealed_file_secret (namespace, key, fingerprint);
        """
}
