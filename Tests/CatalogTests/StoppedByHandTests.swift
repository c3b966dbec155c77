import GRDB
import Model
import Plans
import Testing

@testable import Catalog

/// What a person stops and starts, and what comes over from a catalog that knows no such stops.
@Suite struct StoppedByHandTests {
    let folder: TemporaryFolder
    let one: AllocationID
    let v1 = Release(version: "1.0.0", content: Digest.of(Array("one".utf8)))

    init() throws {
        folder = try TemporaryFolder()
        one = try allocation("api", "10.0.0.1")
    }

    private func commit(_ catalog: Catalog, _ run: Run, _ changes: CatalogChange...) async throws -> AllocationRecord? {
        try await catalog.commit(Checkpoint(run: run.id, at: at(1), changes: changes))
        return try catalog.snapshot().allocations[one]
    }

    @Test func itIsUnfinishedUntilTheTargetHasEnded() async throws {
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try catalog.begin()
        let begun = AllocationRecord(promoted: v1, unfinished: v1)
        let stopped = AllocationRecord(promoted: v1, state: .stoppedByHand)
        #expect(try await commit(catalog, run, .promoted(one, v1), .began(one, v1)) == begun)
        #expect(try await commit(catalog, run, .stoppedByHand(one)) == stopped)
        #expect(stopped.fromState.stoppedByHand && !stopped.fromState.stopped && !stopped.isRunning && stopped.isThere)
        #expect(try await commit(catalog, run, .began(one, v1)) == begun)
        #expect(try await commit(catalog, run, .started(one)) == AllocationRecord(promoted: v1))
    }

    @Test func aStopOwesNoGateAndAStartLeavesWhatIsOwed() async throws {
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try catalog.begin()
        #expect(try await commit(catalog, run, .promoted(one, v1), .gateOwed([one]))?.owesGate == true)
        #expect(try await commit(catalog, run, .stoppedByHand(one))?.owesGate == false)
        #expect(try catalog.snapshot().jobs[one.job]?.gatePending != true)
        #expect(try await commit(catalog, run, .started(one), .gateOwed([one]))?.owesGate == true)
    }

    @Test func startingOrStoppingWhatWasNeverThereIsNothing() async throws {
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try catalog.begin()
        #expect(try await commit(catalog, run, .stoppedByHand(one)) == nil)
        #expect(try await commit(catalog, run, .started(one)) == nil)
    }

    @Test func itIsCountedAmongWhatIsStopped() async throws {
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try catalog.begin()
        _ = try await commit(catalog, run, .promoted(one, v1), .stoppedByHand(one))
        #expect(try catalog.jobs().map { [$0.active, $0.stopped] } == [[0, 1]])
    }

    @Test func everyRowOfAnEarlierCatalogStaysAsItIs() async throws {
        let two = try allocation("api", "10.0.0.2")
        let three = try allocation("api", "10.0.0.3")
        let old = try Catalog.open(in: folder.path, bucket: bucket, migrations: Array(Schema.migrations.prefix(12)))
        try old.close()
        let v2 = Release(version: "2.0.0", content: Digest.of(Array("two".utf8)))
        try await DatabaseQueue(path: folder.file("maand.db")).write { [v1, one] db in
            let rows: [(AllocationID, Release?, String, Bool)] = [
                (one, nil, "active", true), (two, v2, "active", false), (three, nil, "stopped", false),
            ]
            try db.execute(
                sql: """
                    INSERT INTO run (number, nonce, plan, state, started_at, started_by, base_revision)
                    VALUES (1, 'n1', ?, 'running', 1, 'ann', 0)
                    """, arguments: [planDigest.hex])
            for (allocation, unfinished, standing, owes) in rows {
                try db.execute(
                    sql: """
                        INSERT INTO allocation (job, worker, promoted_version, promoted_content, unfinished_version,
                            unfinished_content, standing, gate_owed, run, changed_at)
                        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
                        """,
                    arguments: [
                        allocation.job.text, allocation.worker.text, v1.version, v1.content.hex, unfinished?.version,
                        unfinished?.content.hex, standing, owes, 1,
                    ])
            }
        }
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let found = try catalog.snapshot().allocations
        #expect(found[one] == AllocationRecord(promoted: v1, owesGate: true))
        #expect(found[two] == AllocationRecord(promoted: v1, unfinished: v2))
        #expect(found[three] == AllocationRecord(promoted: v1, state: .stopped))
        let run = try #require(try catalog.unfinishedRun())
        #expect((run.id, run.wayBack) == (RunID(1), nil))
        #expect(
            try await commit(catalog, run, .stoppedByHand(one))
                == AllocationRecord(promoted: v1, state: .stoppedByHand))
        // What is no standing is refused by the table itself.
        #expect(throws: (any Error).self) {
            try DatabaseQueue(path: folder.file("maand.db")).write { db in
                try db.execute(sql: "UPDATE allocation SET standing = 'asleep'")
            }
        }
    }
}
