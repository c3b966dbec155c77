extension Schema {
    /// What was taken over from Maand and cannot be found out again: jobs whose files stay executable on workers, the ids of
    /// workers, which Maand chose at random, and allocations to which nothing was pushed since: their workers have no list of
    /// their files.
    static let adoption = """
        ALTER TABLE job ADD COLUMN maand_modes INTEGER NOT NULL DEFAULT 0 CHECK (maand_modes IN (0, 1));

        CREATE TABLE adopted (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            PRIMARY KEY (job, worker)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE worker_identity (
            worker TEXT PRIMARY KEY,
            id TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// What the rows of Maand were of allocations that were taken over, so that another adoption sees what Maand has done since.
    static let adoptedStates = """
        CREATE TABLE adopted_state (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            state TEXT NOT NULL,
            PRIMARY KEY (job, worker)
        ) STRICT, WITHOUT ROWID;
        """
}
