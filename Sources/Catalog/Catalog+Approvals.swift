internal import Foundation
internal import GRDB
public import Model

/// Whose approvals of a run's plan counted, and by which policy.
public struct ApprovalRecord: Equatable, Sendable {
    /// One person's approval.
    public struct Approval: Equatable, Sendable {
        /// The person's name in the list of signers.
        public let principal: String
        /// The key's fingerprint.
        public let key: String
        /// When the signature's file was written, as far as it is known.
        public let writtenAt: Timestamp?

        public init(principal: String, key: String, writtenAt: Timestamp?) {
            self.principal = principal
            self.key = key
            self.writtenAt = writtenAt
        }
    }

    /// Digest of `policy`.
    public let digest: Digest
    /// The policy file's bytes.
    public let policy: [UInt8]
    /// In the order in which they came.
    public let approvals: [Approval]

    public init(digest: Digest, policy: [UInt8], approvals: [Approval]) {
        self.digest = digest
        self.policy = policy
        self.approvals = approvals
    }
}

extension Catalog {
    /// What is recorded of a run; nil where it began without a policy. Approvals are in the order in which they came.
    public func approvals(of run: RunID) throws(CatalogError) -> ApprovalRecord? {
        try read { db in
            let policies = try self.rows(
                of: "approval_policy", db, "SELECT run, digest, text FROM approval_policy WHERE run = ?", [run.number])
            guard let policy = policies.first else { return nil }
            let rows = try self.rows(
                of: "approval", db,
                """
                SELECT principal, key, written_at FROM approval WHERE run = ? ORDER BY recorded_at, principal, key
                """, [run.number])
            return ApprovalRecord(
                digest: try policy.digest(1), policy: try policy.bytes(2),
                approvals: try rows.map { row in
                    ApprovalRecord.Approval(
                        principal: try row.text(0), key: try row.text(1), writtenAt: try row.optional(2, row.time))
                })
        }
    }

    /// Adds to what is recorded of a run. Its first policy stays.
    public func record(_ record: ApprovalRecord, of run: RunID, at now: Timestamp) throws(CatalogError) {
        try write { db in try self.insert(record, run.number, now, db) }
    }

    func insert(_ record: ApprovalRecord, _ run: Int, _ now: Timestamp, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR IGNORE INTO approval_policy (run, digest, text, recorded_at) VALUES (?, ?, ?, ?)",
            arguments: [run, record.digest.hex, Data(record.policy), now.milliseconds])
        for approval in record.approvals {
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO approval (run, principal, key, written_at, recorded_at)
                    VALUES (?, ?, ?, ?, ?)
                    """,
                arguments: [
                    run, approval.principal, approval.key, approval.writtenAt?.milliseconds, now.milliseconds,
                ])
        }
    }
}
