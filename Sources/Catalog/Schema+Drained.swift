extension Schema {
    /// Allocations for which hooks of `before_allocation` have begun, and none of `after_allocation_healthy` have ended since, by
    /// the run that began them.
    static let drained = """
        CREATE TABLE drained (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            run INTEGER NOT NULL REFERENCES run (number),
            PRIMARY KEY (job, worker)
        ) STRICT, WITHOUT ROWID;
        """
}
