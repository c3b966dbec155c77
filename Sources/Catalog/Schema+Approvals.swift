extension Schema {
    /// The approval policy that a run began under, and whose approvals counted at its starts. `text` is the policy file;
    /// `written_at` is the time of a signature's file.
    static let approvals = """
        CREATE TABLE approval_policy (
            run INTEGER PRIMARY KEY REFERENCES run (number),
            digest TEXT NOT NULL,
            text BLOB NOT NULL,
            recorded_at INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE approval (
            run INTEGER NOT NULL REFERENCES run (number),
            principal TEXT NOT NULL,
            key TEXT NOT NULL,
            written_at INTEGER,
            recorded_at INTEGER NOT NULL,
            PRIMARY KEY (run, principal, key)
        ) STRICT;
        """
}
