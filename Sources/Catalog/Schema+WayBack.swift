extension Schema {
    /// The plan by which a run goes back, once it does; what was promoted on allocations before; and what was taken back there.
    /// A run that was rolled back is `abandoned` in the table, for the cause `rolled_back`.
    static let waysBack = """
        ALTER TABLE run ADD COLUMN way_back TEXT;
        ALTER TABLE allocation ADD COLUMN previous_content TEXT;

        CREATE TABLE taken_back (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            content TEXT NOT NULL,
            run INTEGER NOT NULL REFERENCES run (number),
            PRIMARY KEY (job, worker)
        ) STRICT, WITHOUT ROWID;
        """
}
