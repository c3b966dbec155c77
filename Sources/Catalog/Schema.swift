internal import GRDB

/// The tables, as a list of migrations: entry n leads from schema version n to n + 1 (`PRAGMA user_version`).
enum Schema {
    /// Marks the file as ours (`PRAGMA application_id`): "maan".
    static let applicationID = 0x6d61_616e

    /// What this program writes.
    static var version: Int { migrations.count }

    static let migrations: [String] = [
        first, keyValues, rolloutOrders, replacedSecrets, approvals, drifts, gates, drifted, machines, tags, causes,
        reasons, stops, waysBack, drained, secrets, certificates, adoption, adoptedStates, parts,
    ]

    /// Allocations may be stopped by a person, and attempts say as a word why they did not succeed. Every row stays as it is.
    private static let stops = """
        CREATE TABLE new_allocation (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            promoted_version TEXT,
            promoted_content TEXT,
            promoted_rules INTEGER NOT NULL DEFAULT 1,
            unfinished_version TEXT,
            unfinished_content TEXT,
            unfinished_rules INTEGER NOT NULL DEFAULT 1,
            standing TEXT NOT NULL CHECK (standing IN ('active', 'stopped', 'stopped_by_hand', 'removed')),
            gate_owed INTEGER NOT NULL DEFAULT 0 CHECK (gate_owed IN (0, 1)),
            gate_failed INTEGER NOT NULL DEFAULT 0 CHECK (gate_failed IN (0, 1)),
            interrupted INTEGER NOT NULL DEFAULT 0 CHECK (interrupted IN (0, 1)),
            run INTEGER NOT NULL REFERENCES run (number),
            changed_at INTEGER NOT NULL,
            PRIMARY KEY (job, worker),
            CHECK ((promoted_version IS NULL) = (promoted_content IS NULL)),
            CHECK ((unfinished_version IS NULL) = (unfinished_content IS NULL)),
            CHECK (unfinished_version IS NULL OR standing != 'removed'),
            CHECK (promoted_version IS NULL OR standing != 'removed')
        ) STRICT, WITHOUT ROWID;
        INSERT INTO new_allocation (
                job, worker, promoted_version, promoted_content, promoted_rules, unfinished_version, unfinished_content,
                unfinished_rules, standing, gate_owed, gate_failed, run, changed_at)
            SELECT job, worker, promoted_version, promoted_content, promoted_rules, unfinished_version, unfinished_content,
                unfinished_rules, standing, gate_owed, gate_failed, run, changed_at
            FROM allocation;
        DROP TABLE allocation;
        ALTER TABLE new_allocation RENAME TO allocation;
        CREATE INDEX allocation_without_gate ON allocation (job) WHERE gate_owed = 1 OR gate_failed = 1;

        ALTER TABLE attempt ADD COLUMN code TEXT;
        """

    /// The tables stay as they are, but `run.cause` has words from here on that earlier releases take for damage: by the version
    /// they know that a newer release wrote them. A new word of a column needs such an entry.
    private static let reasons = "UPDATE run SET cause = cause WHERE FALSE;"

    /// Orders that hooks have put for one run, in the place of the plan's.
    private static let rolloutOrders = """
        CREATE TABLE rollout_order (
            run INTEGER NOT NULL REFERENCES run (number),
            job TEXT NOT NULL,
            workers TEXT NOT NULL,
            PRIMARY KEY (run, job)
        ) STRICT, WITHOUT ROWID;
        """

    /// Allocations that somebody has changed on their workers, as a run that has stopped there found them, and what it was
    /// about to make of them.
    private static let drifts = """
        CREATE TABLE drift (
            run INTEGER NOT NULL REFERENCES run (number),
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            version TEXT NOT NULL,
            content TEXT NOT NULL,
            PRIMARY KEY (run, job, worker)
        ) STRICT, WITHOUT ROWID;
        """

    /// Of runs that were given up: allocations that somebody had changed on their workers, and on which nothing was begun. The
    /// next plan may replace what is there.
    private static let drifted = """
        CREATE TABLE drifted (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            version TEXT NOT NULL,
            content TEXT NOT NULL,
            run INTEGER NOT NULL REFERENCES run (number),
            PRIMARY KEY (job, worker)
        ) STRICT, WITHOUT ROWID;
        """

    /// Whether an allocation has passed its gate, whether the files of a stopped one are those of a rollout that did not
    /// end, the number of the rules behind each digest and each attempt, and what a
    /// run has left behind. An older catalog knows only of the job that a gate is pending: it counts for every allocation.
    static let gates = """
        CREATE TABLE new_allocation (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            promoted_version TEXT,
            promoted_content TEXT,
            promoted_rules INTEGER NOT NULL DEFAULT 1,
            unfinished_version TEXT,
            unfinished_content TEXT,
            unfinished_rules INTEGER NOT NULL DEFAULT 1,
            standing TEXT NOT NULL CHECK (standing IN ('active', 'stopped', 'removed')),
            gate_owed INTEGER NOT NULL DEFAULT 0 CHECK (gate_owed IN (0, 1)),
            gate_failed INTEGER NOT NULL DEFAULT 0 CHECK (gate_failed IN (0, 1)),
            run INTEGER NOT NULL REFERENCES run (number),
            changed_at INTEGER NOT NULL,
            PRIMARY KEY (job, worker),
            CHECK ((promoted_version IS NULL) = (promoted_content IS NULL)),
            CHECK ((unfinished_version IS NULL) = (unfinished_content IS NULL)),
            CHECK (unfinished_version IS NULL OR standing != 'removed'),
            CHECK (promoted_version IS NULL OR standing != 'removed')
        ) STRICT, WITHOUT ROWID;
        INSERT INTO new_allocation (
                job, worker, promoted_version, promoted_content, unfinished_version, unfinished_content, standing, run,
                changed_at, gate_owed)
            SELECT job, worker, promoted_version, promoted_content, unfinished_version, unfinished_content, standing, run,
                changed_at, standing = 'active' AND promoted_version IS NOT NULL
                    AND job IN (SELECT job FROM job WHERE gate_pending = 1)
            FROM allocation;
        DROP TABLE allocation;
        ALTER TABLE new_allocation RENAME TO allocation;
        CREATE INDEX allocation_without_gate ON allocation (job) WHERE gate_owed = 1 OR gate_failed = 1;
        ALTER TABLE job DROP COLUMN gate_pending;

        ALTER TABLE attempt ADD COLUMN protocol INTEGER NOT NULL DEFAULT 1;

        CREATE TABLE left_behind (
            run INTEGER NOT NULL REFERENCES run (number),
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            reason TEXT NOT NULL,
            decided_at INTEGER NOT NULL,
            taken_in INTEGER NOT NULL DEFAULT 0 CHECK (taken_in IN (0, 1)),
            PRIMARY KEY (run, job, worker)
        ) STRICT, WITHOUT ROWID;
        """

    /// A run's number is never used again, hence AUTOINCREMENT. Digests are hexadecimal, times are milliseconds since
    /// 1970 (UTC). The checks and triggers state the rules of `StepWrite` once more, for other programs that write here.
    private static let first = """
        CREATE TABLE bucket (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            id TEXT NOT NULL,
            catalog_revision INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE run (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            nonce TEXT NOT NULL UNIQUE,
            plan TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('running', 'parked', 'failed', 'succeeded', 'abandoned')),
            started_at INTEGER NOT NULL,
            ended_at INTEGER,
            started_by TEXT NOT NULL,
            base_revision INTEGER NOT NULL,
            detail TEXT,
            CHECK ((ended_at IS NULL) = (state IN ('running', 'parked', 'failed')))
        ) STRICT;
        CREATE UNIQUE INDEX run_one_unfinished ON run (ended_at IS NULL) WHERE ended_at IS NULL;
        CREATE INDEX run_by_plan ON run (plan);

        CREATE TABLE attempt (
            run INTEGER NOT NULL REFERENCES run (number),
            step TEXT NOT NULL,
            attempt INTEGER NOT NULL CHECK (attempt >= 1),
            state TEXT NOT NULL
                CHECK (state IN ('started', 'succeeded', 'failed', 'unreachable', 'unknown', 'skipped')),
            digest TEXT NOT NULL,
            attempt_id TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            finished_at INTEGER,
            exit_status INTEGER,
            detail TEXT,
            PRIMARY KEY (run, step, attempt),
            CHECK ((finished_at IS NULL) = (state = 'started'))
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER attempt_outcome_is_final BEFORE UPDATE ON attempt
            WHEN OLD.state NOT IN ('started', 'unknown')
            BEGIN SELECT RAISE(ABORT, 'the outcome of an attempt is final'); END;

        CREATE TABLE output (
            run INTEGER NOT NULL,
            step TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            stdout BLOB NOT NULL,
            stderr BLOB NOT NULL,
            UNIQUE (run, step, attempt),
            FOREIGN KEY (run, step, attempt) REFERENCES attempt (run, step, attempt)
        ) STRICT;

        CREATE TABLE decision (
            number INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            by_whom TEXT NOT NULL,
            run INTEGER NOT NULL REFERENCES run (number),
            step TEXT,
            what TEXT NOT NULL,
            reason TEXT NOT NULL
        ) STRICT;
        CREATE INDEX decision_by_run ON decision (run);

        CREATE TABLE allocation (
            job TEXT NOT NULL,
            worker TEXT NOT NULL,
            promoted_version TEXT,
            promoted_content TEXT,
            unfinished_version TEXT,
            unfinished_content TEXT,
            standing TEXT NOT NULL CHECK (standing IN ('active', 'stopped', 'removed')),
            run INTEGER NOT NULL REFERENCES run (number),
            changed_at INTEGER NOT NULL,
            PRIMARY KEY (job, worker),
            CHECK ((promoted_version IS NULL) = (promoted_content IS NULL)),
            CHECK ((unfinished_version IS NULL) = (unfinished_content IS NULL)),
            CHECK (unfinished_version IS NULL OR standing = 'active'),
            CHECK (promoted_version IS NULL OR standing != 'removed')
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE job (
            job TEXT PRIMARY KEY,
            gate_pending INTEGER NOT NULL DEFAULT 0 CHECK (gate_pending IN (0, 1)),
            incomplete INTEGER NOT NULL DEFAULT 0 CHECK (incomplete IN (0, 1))
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE port (
            job TEXT NOT NULL,
            name TEXT NOT NULL,
            number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 65535),
            PRIMARY KEY (job, name)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE deployment (
            run INTEGER NOT NULL REFERENCES run (number),
            job TEXT NOT NULL,
            version TEXT NOT NULL,
            content TEXT NOT NULL,
            allocations INTEGER NOT NULL,
            first_at INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            PRIMARY KEY (run, job, version, content)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE worker (
            worker TEXT PRIMARY KEY,
            address TEXT NOT NULL,
            port INTEGER,
            user TEXT,
            host_keys TEXT NOT NULL,
            zone TEXT,
            run INTEGER NOT NULL REFERENCES run (number),
            CHECK ((port IS NULL) = (user IS NULL))
        ) STRICT, WITHOUT ROWID;
        """
}
