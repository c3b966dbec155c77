import Model
import Plans
import Testing

@testable import Catalog

@Suite struct CatalogChangeTests {
    let folder: TemporaryFolder
    let catalog: Catalog
    let run: Run
    let one: AllocationID
    let v1 = Release(version: "1.0.0", content: Digest.of(Array("one".utf8)))
    let v2 = Release(version: "2.0.0", content: Digest.of(Array("two".utf8)))

    init() throws {
        folder = try TemporaryFolder()
        catalog = try Catalog.open(in: folder.path, bucket: bucket)
        run = try catalog.begin()
        one = try allocation("api", "10.0.0.1")
    }

    private func record(after changes: CatalogChange...) async throws -> AllocationRecord? {
        try await catalog.commit(Checkpoint(run: run.id, at: at(1), changes: changes))
        return try catalog.snapshot().allocations[one]
    }

    @Test func whatIsBegunIsUnsettledUntilItIsPromoted() async throws {
        #expect(try await record(after: .began(one, v1)) == AllocationRecord(unfinished: v1))
        #expect(try await record(after: .promoted(one, v1)) == AllocationRecord(promoted: v1))
        #expect(try await record(after: .began(one, v2)) == AllocationRecord(promoted: v1, unfinished: v2))
        #expect(try await record(after: .promoted(one, v2)) == AllocationRecord(promoted: v2))
    }

    @Test func aStoppedAllocationRemembersWhatLastRanThere() async throws {
        let stopped = AllocationRecord(promoted: v1, state: .stopped)
        #expect(try await record(after: .promoted(one, v1), .stopped(one, removed: false)) == stopped)
        #expect(try await record(after: .began(one, v2)) == AllocationRecord(promoted: v1, unfinished: v2))
        // Nobody knows which of its files are there.
        let stoppedHalfway = AllocationRecord(promoted: v2, unfinished: v2, state: .stopped)
        #expect(try await record(after: .stopped(one, removed: false)) == stoppedHalfway)
    }

    @Test func aRemovedAllocationReturnsAsNew() async throws {
        let removed = AllocationRecord(state: .removed)
        #expect(try await record(after: .promoted(one, v1), .began(one, v2), .stopped(one, removed: true)) == removed)
        #expect(try await record(after: .began(one, v2)) == AllocationRecord(unfinished: v2))
    }

    @Test func whatWasTakenBackIsRememberedUntilSomethingIsPromoted() async throws {
        var back = AllocationRecord(promoted: v1)
        back.takenBack = v2.content
        #expect(
            try await record(after: .promoted(one, v2), .promoted(one, v1), .tookBack(one, content: v2.content)) == back
        )
        #expect(try await record(after: .promoted(one, v2)) == AllocationRecord(promoted: v2))
    }

    @Test func theContentBeforeTheLastPromoteIsKept() async throws {
        _ = try await record(after: .promoted(one, v1))
        #expect(try catalog.previousContents() == [])
        _ = try await record(after: .promoted(one, v2))
        #expect(try catalog.previousContents() == [v1.content])
        // The same once more is no other one.
        _ = try await record(after: .promoted(one, v2))
        #expect(try catalog.previousContents() == [v1.content])
        _ = try await record(after: .promoted(one, v1))
        #expect(try catalog.previousContents() == [v2.content])
    }

    @Test func aRunThatGoesBackStaysOnItsWayAndEndsRolledBack() async throws {
        let other = Digest.of(Array("other".utf8))
        try catalog.beginWayBack(of: run.id, by: planDigest)
        try catalog.beginWayBack(of: run.id, by: other)
        #expect(try catalog.run(run.id)?.wayBack == planDigest)
        let revision = try catalog.revision()
        try catalog.finish(run.id, state: .rolledBack, detail: "it failed", at: at(9))
        let ended = try #require(try catalog.run(run.id))
        #expect((ended.state, ended.endedAt) == (.rolledBack, at(9)))
        #expect(try catalog.revision() == revision + 1)
        #expect(try catalog.unfinishedRun() == nil)
        #expect(throws: CatalogError.self) { try catalog.beginWayBack(of: run.id, by: other) }
    }

    @Test func stoppingWhatWasNeverThereIsNothing() async throws {
        #expect(try await record(after: .stopped(one, removed: true)) == nil)
    }

    @Test func jobsKeepTheirGateTheirCompletenessAndTheirPorts() async throws {
        try await catalog.commit(
            Checkpoint(
                run: run.id, at: at(1),
                changes: [
                    .promoted(one, v1), .gateOwed([one]), .incomplete(one.job, true),
                    .assignedPorts(one.job, ["http": 8080, "admin": 8081]),
                ]))
        #expect(
            try catalog.snapshot().jobs == [
                one.job: JobRecord(gatePending: true, incomplete: true, assignedPorts: ["http": 8080, "admin": 8081])
            ])
        try await catalog.commit(
            Checkpoint(
                run: run.id, at: at(2),
                changes: [.gatePassed(one.job, [one.worker]), .assignedPorts(one.job, ["http": 9000])]
            ))
        #expect(
            try catalog.snapshot().jobs == [one.job: JobRecord(incomplete: true, assignedPorts: ["http": 9000])])
    }

    @Test func aGateNamesWhoFailedItUntilOnePasses() async throws {
        let two = try allocation("api", "10.0.0.2")
        func debts() throws -> [GateDebt?] {
            let snapshot = try catalog.snapshot()
            return [one, two].map { snapshot.allocations[$0]?.gateDebt }
        }
        _ = try await record(after: .promoted(one, v1), .promoted(two, v1), .gateOwed([one]))
        #expect(try debts() == [.owed, nil])
        // A host may fail that has passed before.
        let both = [one.worker, two.worker]
        _ = try await record(after: .gateFailed(one.job, covered: both, failing: [two.worker]))
        #expect(try debts() == [.owed, .failed])
        #expect(try catalog.snapshot().jobs[one.job]?.gatePending == true)
        // Named is what the last gate has named; what it did not ask stays as it was.
        _ = try await record(after: .gateFailed(one.job, covered: [one.worker], failing: [one.worker]))
        #expect(try debts() == [.failed, .failed])
        _ = try await record(after: .gateFailed(one.job, covered: both, failing: [one.worker]))
        #expect(try debts() == [.failed, nil])
        _ = try await record(after: .gatePassed(one.job, [two.worker]))
        #expect(try debts() == [.failed, nil])
        _ = try await record(after: .gatePassed(one.job, both))
        #expect(try debts() == [nil, nil])
        #expect(try catalog.snapshot().jobs[one.job]?.gatePending != true)
    }

    @Test func whatIsStoppedOwesNoGate() async throws {
        let stopped = try await record(after: .promoted(one, v1), .gateOwed([one]), .stopped(one, removed: false))
        #expect(stopped == AllocationRecord(promoted: v1, state: .stopped))
    }

    @Test func aRunRemembersWhatItLeftBehind() async throws {
        var checkpoint = Checkpoint(run: run.id, at: at(1))
        checkpoint.leftBehind = [LeftBehind(.allocation(one), reason: "no answer")]
        try await catalog.commit(checkpoint)
        #expect(try catalog.leftBehind(by: run.id) == [LeftBehind(.allocation(one), reason: "no answer")])
        var back = Checkpoint(run: run.id, at: at(2))
        back.takesIn = true
        try await catalog.commit(back)
        #expect(try catalog.leftBehind(by: run.id).isEmpty)
        #expect(try catalog.takenIn(by: run.id) == [.allocation(one)])
        checkpoint.leftBehind = [LeftBehind(.allocation(one), reason: "still none")]
        try await catalog.commit(checkpoint)
        #expect(try catalog.leftBehind(by: run.id) == [LeftBehind(.allocation(one), reason: "still none")])
    }

    @Test func aChangeHoldsOnlyTogetherWithItsStep() async throws {
        await #expect(throws: CatalogError.self) {
            try await catalog.commit(run, outcome("never-begun", 1, .succeeded), changes: [.promoted(one, v1)])
        }
        await #expect(throws: CatalogError.self) {
            try await catalog.commit(run, changes: [.promoted(one, v1), .assignedPorts(one.job, ["http": 70_000])])
        }
        #expect(try catalog.snapshot().allocations.isEmpty)
        #expect(try catalog.deployments(limit: 10).isEmpty)
    }

    @Test func listsTellWhatRunsWhereAndSinceWhichRun() async throws {
        let (two, three) = (try allocation("api", "10.0.0.2"), try allocation("web", "10.0.0.2"))
        try await catalog.commit(
            Checkpoint(
                run: run.id, at: at(1), changes: [.promoted(one, v1), .promoted(two, v2), .began(three, v1)]))
        try await catalog.commit(Checkpoint(run: run.id, at: at(2), changes: [.promoted(three, v1)]))
        try await catalog.commit(Checkpoint(run: run.id, at: at(3), changes: [.began(two, v1)]))
        #expect(
            try catalog.jobs() == [
                JobEntry(
                    job: one.job, record: JobRecord(), active: 2, stopped: 0, unfinished: 1,
                    versions: ["1.0.0": 1, "2.0.0": 1]),
                JobEntry(
                    job: three.job, record: JobRecord(), active: 1, stopped: 0, unfinished: 0, versions: ["1.0.0": 1]),
            ])
        #expect(try catalog.allocations().map(\.allocation) == [one, two, three])
        #expect(try catalog.allocations().map(\.changedAt) == [at(1), at(3), at(2)])
        let facts = try catalog.records(of: [two, try allocation("api", "elsewhere")])
        #expect(facts[two] == AllocationRecord(promoted: v2, unfinished: v1))
        #expect(facts.values.contains(.none) && facts.count == 2)
        let deployments = try catalog.deployments(limit: 10)
        #expect(deployments.map(\.job) == [one.job, one.job, three.job])
        #expect(deployments.map(\.release) == [v1, v2, v1])
        #expect(deployments.map(\.lastAt) == [at(1), at(1), at(2)])
    }
}
