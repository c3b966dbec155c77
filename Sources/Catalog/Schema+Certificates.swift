extension Schema {
    /// Certificates of jobs and the authorities that sign them, in the open but for the authorities' keys. The files themselves
    /// are values of `certs/job/<job>`, sealed as secrets are.
    static let certificates = """
        CREATE TABLE new_kv (
            namespace TEXT NOT NULL,
            key TEXT NOT NULL,
            version INTEGER NOT NULL,
            text TEXT,
            sealed BLOB,
            run INTEGER,
            written_at INTEGER NOT NULL,
            written_by TEXT NOT NULL,
            fingerprint TEXT CHECK (fingerprint IS NULL OR sealed NOTNULL),
            UNIQUE (namespace, key, version),
            CHECK (text IS NULL OR (namespace NOT LIKE 'secrets/%' AND namespace NOT LIKE 'certs/%')),
            CHECK (sealed IS NULL OR namespace LIKE 'secrets/%' OR namespace LIKE 'certs/%')
        ) STRICT;
        INSERT INTO new_kv (namespace, key, version, text, sealed, run, written_at, written_by, fingerprint)
            SELECT namespace, key, version, text, sealed, run, written_at, written_by, fingerprint FROM kv;
        DROP TABLE kv;
        ALTER TABLE new_kv RENAME TO kv;

        CREATE TABLE certificate (
            job TEXT NOT NULL,
            name TEXT NOT NULL,
            worker TEXT NOT NULL,
            common_name TEXT NOT NULL,
            names TEXT NOT NULL,
            pkcs8 INTEGER NOT NULL CHECK (pkcs8 IN (0, 1)),
            ends_at INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            authority TEXT NOT NULL,
            PRIMARY KEY (job, name, worker)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX certificate_by_worker ON certificate (worker);

        CREATE TABLE certificate_authority (
            role TEXT PRIMARY KEY CHECK (role IN ('signing', 'next', 'former')),
            fingerprint TEXT NOT NULL UNIQUE,
            common_name TEXT NOT NULL,
            ends_at INTEGER NOT NULL,
            certificate TEXT NOT NULL,
            sealed_key BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
