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

    /// The tags of workers, as JSON objects with `zone` among them: those of the plan that named them last, and those before
    /// the run of that plan. Without any, no run has recorded them since releases do.
    static let tags = """
        ALTER TABLE worker ADD COLUMN tags TEXT;
        ALTER TABLE worker ADD COLUMN tags_before TEXT;
        """

    /// Why a run is in its state, as a word; earlier releases had only the sentence.
    static let causes = """
        ALTER TABLE run ADD COLUMN cause TEXT;
        UPDATE run SET cause = 'stale' WHERE state = 'failed' AND detail LIKE 'the plan is stale%';
        UPDATE run SET cause = 'refresh' WHERE detail = 'catalog refresh';
        """
}
