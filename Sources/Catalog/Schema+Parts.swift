extension Schema {
    /// When processes were at work on a run, and how many bytes the streams of an attempt had. Without rows, a release was at work
    /// that did not record it. A part without an end is under way, or its process was killed.
    static let parts = """
        CREATE TABLE run_part (
            run INTEGER NOT NULL REFERENCES run (number),
            number INTEGER NOT NULL CHECK (number >= 1),
            began_at INTEGER NOT NULL,
            began_by TEXT NOT NULL,
            ended_at INTEGER,
            state TEXT,
            cause TEXT,
            detail TEXT,
            PRIMARY KEY (run, number),
            CHECK ((ended_at IS NULL) = (state IS NULL))
        ) STRICT, WITHOUT ROWID;

        ALTER TABLE output ADD COLUMN stdout_size INTEGER;
        ALTER TABLE output ADD COLUMN stderr_size INTEGER;
        """
}
