extension Schema {
    /// Values, and what hooks share. A row without `text` and `sealed` says that the key was deleted; `run` is null where
    /// a person wrote. Versions of a key grow; each key has its own.
    static let keyValues = """
        CREATE TABLE kv (
            namespace TEXT NOT NULL,
            key TEXT NOT NULL,
            version INTEGER NOT NULL,
            text TEXT,
            sealed BLOB,
            run INTEGER,
            written_at INTEGER NOT NULL,
            written_by TEXT NOT NULL,
            UNIQUE (namespace, key, version),
            CHECK (text IS NULL OR namespace NOT LIKE 'secrets/%'),
            CHECK (sealed IS NULL OR namespace LIKE 'secrets/%')
        ) STRICT;

        CREATE TABLE kv_pending (
            run INTEGER NOT NULL,
            step TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            namespace TEXT NOT NULL,
            key TEXT NOT NULL,
            version INTEGER NOT NULL,
            text TEXT,
            sealed BLOB,
            written_at INTEGER NOT NULL,
            UNIQUE (run, step, attempt, namespace, key),
            FOREIGN KEY (run, step, attempt) REFERENCES attempt (run, step, attempt),
            CHECK (text IS NULL OR namespace NOT LIKE 'secrets/%'),
            CHECK (sealed IS NULL OR namespace LIKE 'secrets/%')
        ) STRICT;
        CREATE INDEX kv_pending_by_key ON kv_pending (namespace, key);

        CREATE TABLE kv_key (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            fingerprint TEXT NOT NULL
        ) STRICT;

        CREATE TABLE semaphore (
            run INTEGER NOT NULL,
            scope TEXT NOT NULL,
            holder TEXT NOT NULL,
            capacity INTEGER NOT NULL,
            step TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            PRIMARY KEY (run, scope, holder),
            FOREIGN KEY (run, step, attempt) REFERENCES attempt (run, step, attempt)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX semaphore_by_attempt ON semaphore (run, step, attempt);

        CREATE TABLE hook_port (
            run INTEGER PRIMARY KEY REFERENCES run (number),
            port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535)
        ) STRICT;
        """

    /// Secrets of `kv_pending` in whose place their own hook has put another one, or none. They never take effect, but the
    /// hook may have printed them.
    static let replacedSecrets = """
        CREATE TABLE kv_replaced (
            run INTEGER NOT NULL,
            step TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            namespace TEXT NOT NULL CHECK (namespace LIKE 'secrets/%'),
            key TEXT NOT NULL,
            version INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (run, step, attempt, namespace, key, version),
            FOREIGN KEY (run, step, attempt) REFERENCES attempt (run, step, attempt)
        ) STRICT, WITHOUT ROWID;
        """
}
