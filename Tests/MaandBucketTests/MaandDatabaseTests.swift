import Foundation
import GRDB
import MaandBucket
import Model
import Testing

/// A database that the real Maand has written, and what may be wrong with one.
@Suite struct MaandDatabaseTests {
    private static let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("fixtures/maand/settled").path

    /// A bucket in a folder of its own, with the fixture's database after a change of it.
    private func bucket(_ change: String = "", key: Bool = true) throws -> String {
        let folder = NSTemporaryDirectory() + "maand-bucket-\(UUID().uuidString)"
        let files = FileManager.default
        try files.createDirectory(atPath: folder + "/data", withIntermediateDirectories: true)
        try files.createDirectory(atPath: folder + "/secrets", withIntermediateDirectories: true)
        try files.copyItem(atPath: Self.fixture + "/data/maand.db", toPath: folder + "/data/maand.db")
        if key { try files.copyItem(atPath: Self.fixture + "/secrets/kv.key", toPath: folder + "/secrets/kv.key") }
        if !change.isEmpty {
            let queue = try DatabaseQueue(path: folder + "/data/maand.db")
            try queue.write { db in try db.execute(sql: change) }
            try queue.close()
        }
        return folder
    }

    private func texts(_ records: MaandRecords, _ folder: String) throws -> [String] {
        let key = MaandKey(in: folder)
        return try records.values.map { try key.open($0) }
    }

    @Test func readsWhatIsTakenOver() throws {
        let folder = try bucket()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let records = try #require(try MaandDatabase.read(in: folder))
        #expect(records.bucketID == "4bd79701-2b35-4af6-ae74-068cd71ca5cc")
        #expect(records.allocations.count == 9)
        #expect(records.workerIDs.count == 4)
        let ledger = try #require(JobName("ledger"))
        #expect(records.ports[ledger] == ["ledger_port": 31002, "ledger_metrics_port": 31001])
        #expect(try texts(records, folder) == ["throw-away-Pa55", "EUR", "one"])
        #expect(records.certificates.values.map { $0.keys.count } == [4, 4])
        let front = try #require(records.allocations.first { $0.id.job.text == "front" })
        #expect(front.hash?.version == "1.2")
        #expect(front.hash?.previousFiles["static/index.html"] == "3569c731ceef3006d2568fb73bb257b7")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder + "/data") == ["maand.db"], "it stays as it is")
    }

    @Test func withoutADatabaseThereIsNothing() throws {
        let records = try MaandDatabase.read(in: "/nowhere")
        #expect(records?.bucketID == nil)
    }

    @Test func theNewestVersionOfAKeyCounts() throws {
        let folder = try bucket(
            """
            INSERT INTO key_value SELECT key, 'two', namespace, 9, ttl, created_date, 0 FROM key_value WHERE key = 'seeded';
            INSERT INTO key_value SELECT key, '', namespace, 9, ttl, created_date, 1 FROM key_value WHERE key = 'currency';
            """)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let records = try #require(try MaandDatabase.read(in: folder))
        #expect(try texts(records, folder) == ["throw-away-Pa55", "two"])
    }

    @Test func withoutItsKeyASecretIsAnError() throws {
        let folder = try bucket(key: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let records = try #require(try MaandDatabase.read(in: folder))
        let error = #expect(throws: MaandProblem.self) { try texts(records, folder) }
        #expect(error?.description.contains("secrets/kv.key is missing") == true)
        try Data(repeating: 7, count: 32).write(to: URL(fileURLWithPath: folder + "/secrets/kv.key"))
        let other = #expect(throws: MaandProblem.self) { try texts(records, folder) }
        #expect(other?.description.contains("password of secrets/job/ledger cannot be decrypted") == true)
    }

    @Test(arguments: ["DELETE FROM bucket", "DROP TABLE allocations", "UPDATE bucket SET bucket_id = NULL"])
    func whatIsNoDatabaseOfMaandIsAnError(_ change: String) throws {
        let folder = try bucket(change)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(throws: MaandProblem.self) { try MaandDatabase.read(in: folder) }
    }

    @Test func otherColumnsAndTablesAreIgnoredAndStrangeNamesAreNamed() throws {
        let folder = try bucket(
            """
            ALTER TABLE allocations ADD COLUMN post_deploy_status TEXT;
            CREATE TABLE something_new (a TEXT);
            INSERT INTO allocations (alloc_id, worker_ip, job, disabled, removed, deployment_seq, new_version)
                VALUES ('x', '127.0.1.1', 'My Job', 0, 0, 0, '1.0');
            UPDATE hash SET current_version = 'unknown', previous_files = 'no json' WHERE namespace = 'edgecache_allocation';
            """)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let records = try #require(try MaandDatabase.read(in: folder))
        #expect(records.strangeNames == ["My Job"])
        let edge = try #require(records.allocations.first { $0.id.job.text == "edgecache" })
        #expect(edge.hash?.version == "0.0.0")
        #expect(edge.hash?.previousFiles.isEmpty == true)
    }
}
