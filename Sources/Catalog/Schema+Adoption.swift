extension Schema {
    /// What was taken over from Maand and cannot be found out again: jobs whose files stay executable on workers, and the ids
    /// of workers, which Maand chose at random.
    static let adoption = """
        ALTER TABLE job ADD COLUMN maand_modes INTEGER NOT NULL DEFAULT 0 CHECK (maand_modes IN (0, 1));

        CREATE TABLE worker_identity (
            worker TEXT PRIMARY KEY,
            id TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}
