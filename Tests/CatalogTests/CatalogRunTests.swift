import GRDB
import Model
import Plans
import Testing

@testable import Catalog

@Suite struct CatalogRunTests {
    let folder: TemporaryFolder
    let catalog: Catalog

    init() throws {
        folder = try TemporaryFolder()
        catalog = try Catalog.open(in: folder.path, bucket: bucket)
    }

    @Test func aRunIsRecordedAndTheRevisionAdvancesWhenItBeginsAndWhenItEnds() throws {
        let run = try catalog.begin()
        #expect(run.id == RunID(1) && run.state == .running && run.baseRevision == 0 && run.endedAt == nil)
        #expect(run.startedBy == "ann@control" && run.startedAt == at(0))
        #expect(try catalog.snapshot().revision == 1)
        try catalog.finish(run.id, state: .parked, detail: "the window closed", at: at(5))
        #expect(try catalog.snapshot().revision == 1)
        #expect(try catalog.unfinishedRun()?.detail == "the window closed")
        try catalog.finish(run.id, state: .running, detail: nil, at: at(6))
        try catalog.finish(run.id, state: .succeeded, detail: nil, at: at(7))
        #expect(try catalog.snapshot().revision == 2 && catalog.revision() == 2)
        #expect(try catalog.run(run.id)?.endedAt == at(7))
        #expect(try catalog.unfinishedRun() == nil)
    }

    @Test func noOtherRunBeginsWhileOneIsUnfinished() throws {
        let run = try catalog.begin()
        for state in [RunState.failed, .parked] {
            try catalog.finish(run.id, state: state, detail: nil, at: at(1))
            let unfinished = try #require(try catalog.run(run.id))
            #expect(throws: CatalogError.unfinishedRun(unfinished)) {
                try catalog.begin(plan: stepDigest, nonce: "n2")
            }
        }
        try catalog.finish(run.id, state: .abandoned, detail: "given up", at: at(2))
        #expect(try catalog.begin(plan: stepDigest, nonce: "n2").baseRevision == 2)
    }

    @Test func runsAreFoundByPlanAndListedNewestFirst() throws {
        for (number, plan) in [planDigest, stepDigest, planDigest].enumerated() {
            let run = try catalog.begin(plan: plan, nonce: "n\(number)")
            try catalog.finish(run.id, state: .succeeded, detail: nil, at: at(1))
        }
        #expect(try catalog.latestRun(of: planDigest)?.id == RunID(3))
        #expect(try catalog.latestRun(of: stepDigest)?.id == RunID(2))
        #expect(try catalog.latestRun(of: Digest.of([])) == nil)
        #expect(try catalog.runs(limit: 2).map(\.id) == [RunID(3), RunID(2)])
        #expect(try catalog.run(RunID(9)) == nil)
    }

    @Test func anEndIsFinalAndOnlyARunningRunSucceeds() async throws {
        let run = try catalog.begin()
        try catalog.finish(run.id, state: .failed, detail: nil, at: at(1))
        #expect(throws: CatalogError.illegalRunTransition(run: run.id, from: .failed, to: .succeeded)) {
            try catalog.finish(run.id, state: .succeeded, detail: nil, at: at(2))
        }
        try catalog.finish(run.id, state: .abandoned, detail: nil, at: at(3))
        let ended = CatalogError.runEnded(run: run.id, state: .abandoned)
        #expect(throws: ended) { try catalog.finish(run.id, state: .running, detail: nil, at: at(4)) }
        await #expect(throws: ended) { try await catalog.commit(run, begin("a")) }
        #expect(throws: CatalogError.unknownRun(RunID(7))) {
            try catalog.finish(RunID(7), state: .failed, detail: nil, at: at(5))
        }
    }

    @Test func decisionsAreKeptInOrder() async throws {
        let run = try catalog.begin()
        let retry = Decision(at: at(3), by: "ann@control", run: run.id, what: .retryFailed, reason: "the disk was full")
        try catalog.record(retry)
        var checkpoint = Checkpoint(run: run.id, at: at(4), runState: .init(.abandoned, detail: "wrong version"))
        let abandon = Decision(at: at(4), by: "bob@control", run: run.id, what: .abandon, reason: "wrong version")
        checkpoint.decisions = [abandon]
        try await catalog.commit(checkpoint)
        #expect(try catalog.decisions(run.id) == [retry, abandon])
        #expect(try catalog.run(run.id)?.state == .abandoned)
    }

    @Test func tagsAreRememberedWithThoseBeforeTheRun() throws {
        var seen = PlanWorker(worker: try #require(WorkerName("w1")), address: "w1", zone: "a")
        seen.tags = ["environment": "pro\"duction", "é": "="]
        let run = try catalog.begin(workers: [seen])
        var entry = try #require(try catalog.workers().first)
        #expect(entry.worker == seen && entry.tags == seen.allTags && entry.tagsBefore == nil)
        #expect(try catalog.snapshot().workers[seen.worker] == seen)
        let export = CatalogExport(bucket: "b", snapshot: try catalog.snapshot(), trees: [:])
        #expect(try CatalogExport.read(export.bytes, file: "e").snapshot.workers[seen.worker] == seen)
        try catalog.finish(run.id, state: .succeeded, detail: nil, at: at(1))
        _ = try catalog.begin(nonce: "n2", workers: [PlanWorker(worker: seen.worker, address: "w1")])
        entry = try #require(try catalog.workers().first)
        #expect(entry.tags == [:] && entry.tagsBefore == seen.allTags)
    }

    @Test func aDatabaseFromBeforeKnowsNoTags() throws {
        let folder = try TemporaryFolder()
        let old = try Catalog.open(
            in: folder.path, bucket: bucket, migrations: Array(Schema.migrations.prefix { $0 != Schema.tags }))
        try old.write { db in
            try db.execute(
                sql: """
                    INSERT INTO run (nonce, plan, state, started_at, started_by, base_revision, ended_at)
                        VALUES ('n', '\(planDigest.hex)', 'succeeded', 0, 'ann@control', 0, 1);
                    INSERT INTO worker (worker, address, host_keys, zone, run) VALUES ('w1', 'w1', '', 'a', 1);
                    """)
        }
        try old.close()
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        #expect(try catalog.workers().map(\.tags) == [nil])
        _ = try catalog.begin(workers: [PlanWorker(worker: try #require(WorkerName("w1")), address: "w1", zone: "b")])
        let entry = try #require(try catalog.workers().first)
        #expect(entry.tags == ["zone": "b"] && entry.tagsBefore == [:])
    }

    @Test func workersAreRememberedAsTheyWereLastReached() throws {
        let worker = try #require(WorkerName("10.0.0.1"))
        var seen = PlanWorker(worker: worker, address: "10.0.0.1", zone: "a")
        var run = try catalog.begin(workers: [seen])
        #expect(try catalog.snapshot().workers == [worker: seen])
        try catalog.finish(run.id, state: .succeeded, detail: nil, at: at(1))
        seen.ssh = .init(port: 2222, user: "agent", hostKeys: ["SHA256:abc", "SHA256:def"])
        seen.zone = nil
        run = try catalog.begin(nonce: "n2", workers: [seen])
        #expect(
            try catalog.workers() == [
                WorkerEntry(worker: seen, run: run.id, activeAllocations: 0, tags: [:], tagsBefore: ["zone": "a"])
            ])
    }
}
