extension Schema {
    /// What workers were when a rollout last saw them. Without a row, none has since releases record it.
    static let machines = """
        CREATE TABLE machine (
            worker TEXT PRIMARY KEY,
            address TEXT NOT NULL,
            port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
            host_keys TEXT NOT NULL,
            generation TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
