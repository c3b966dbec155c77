import GRDB
import Model
import Plans
import Testing

@testable import Catalog

@Suite struct CatalogApprovalTests {
    private static func record(_ policy: String, _ names: String...) -> ApprovalRecord {
        let bytes = Array(policy.utf8)
        return ApprovalRecord(
            digest: Digest.of(bytes), policy: bytes,
            approvals: names.map { .init(principal: $0, key: "SHA256:\($0)", writtenAt: at(1)) })
    }

    @Test func theFirstPolicyStaysAndApprovalsAreAdded() throws {
        let folder = try TemporaryFolder()
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try catalog.beginRun(
            plan: planDigest, nonce: "n", at: at(0), by: "ann@control", workers: [],
            approval: Self.record("two", "anna", "ben"))
        #expect(try catalog.approvals(of: run.id) == Self.record("two", "anna", "ben"))
        try catalog.record(Self.record("one", "carl", "anna"), of: run.id, at: at(2))
        #expect(try catalog.approvals(of: run.id) == Self.record("two", "anna", "ben", "carl"))
        try catalog.finish(run.id, state: .abandoned, detail: nil, at: at(3))
        let free = try catalog.beginRun(plan: planDigest, nonce: "m", at: at(4), by: "ann@control", workers: [])
        #expect(try catalog.approvals(of: free.id) == nil)
    }

    /// A database of a release without approvals keeps its runs, which have none.
    @Test func aDatabaseFromBeforeIsMigrated() throws {
        let folder = try TemporaryFolder()
        let before = Array(Schema.migrations.prefix { $0 != Schema.approvals })
        #expect(before.count < Schema.migrations.count)
        let old = try Catalog.open(in: folder.path, bucket: bucket, migrations: before)
        try old.write { db in
            try db.execute(
                sql: """
                    INSERT INTO run (nonce, plan, state, started_at, started_by, base_revision)
                    VALUES ('n', ?, 'running', 0, 'ann@control', 0)
                    """, arguments: [planDigest.hex])
        }
        try old.close()
        let run = RunID(1)
        let reader = try #require(try Catalog.openReadOnly(in: folder.path, bucket: bucket))
        #expect(try reader.approvals(of: run) == nil)
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        try catalog.record(Self.record("two", "anna"), of: run, at: at(2))
        #expect(try catalog.approvals(of: run)?.approvals.map(\.principal) == ["anna"])
    }

    /// A database that knew only of a job that its gate is pending: it counts for what runs of that job.
    @Test func aPendingGateOfAJobBecomesOneOfItsAllocations() throws {
        let folder = try TemporaryFolder()
        let before = Array(Schema.migrations.prefix { $0 != Schema.gates })
        let old = try Catalog.open(in: folder.path, bucket: bucket, migrations: before)
        let digest = planDigest.hex
        try old.write { db in
            try db.execute(
                sql: """
                    INSERT INTO run (nonce, plan, state, started_at, started_by, base_revision)
                        VALUES ('n', '\(digest)', 'running', 0, 'ann@control', 0);
                    INSERT INTO job (job, gate_pending, incomplete) VALUES ('api', 1, 1), ('web', 0, 1);
                    INSERT INTO allocation (job, worker, promoted_version, promoted_content, standing, run, changed_at)
                        VALUES ('api', 'w1', '1', '\(digest)', 'active', 1, 0),
                            ('api', 'w2', '1', '\(digest)', 'stopped', 1, 0),
                            ('web', 'w1', '1', '\(digest)', 'active', 1, 0);
                    INSERT INTO allocation (job, worker, unfinished_version, unfinished_content, standing, run, changed_at)
                        VALUES ('api', 'w3', '1', '\(digest)', 'active', 1, 0);
                    """)
        }
        try old.close()
        let snapshot = try Catalog.open(in: folder.path, bucket: bucket).snapshot()
        let owing = snapshot.allocations.filter { $0.value.owesGate || $0.value.failedGate }.keys.map(\.description)
        #expect(owing == ["api on w1"])
        #expect(snapshot.jobs.filter { $0.value.gatePending }.keys.map(\.text) == ["api"])
        #expect(snapshot.jobs.values.count { $0.incomplete } == 2)
    }
}
