import Model
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
        let run = try old.beginRun(plan: planDigest, nonce: "n", at: at(0), by: "ann@control", workers: [])
        try old.close()
        let reader = try #require(try Catalog.openReadOnly(in: folder.path, bucket: bucket))
        #expect(try reader.approvals(of: run.id) == nil)
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        try catalog.record(Self.record("two", "anna"), of: run.id, at: at(2))
        #expect(try catalog.approvals(of: run.id)?.approvals.map(\.principal) == ["anna"])
    }
}
