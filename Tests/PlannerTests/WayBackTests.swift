import Model
import Planner
import Plans
import Testing

@Suite struct WayBackTests {
    private let gate = #""health_check": {"checks": [{"type": "ssh", "command": "true"}]}"#

    private func deployed(_ workers: Int = 3, _ fields: String = "") throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(workers)
        try bucket.job("api", fields)
        try bucket.deploy()
        return bucket
    }

    private func section(_ bucket: TestWorkspace, syncOnly: Bool = false, force: Bool = false) throws -> WayBack {
        let result = try bucket.plan(force: force, syncOnly: syncOnly, onFailure: .rollback)
        try bucket.keep(result)
        return try #require(result.plan.wayBack)
    }

    private func entries(_ wave: Plan.Wave?) -> [String] {
        (wave?.jobs ?? []).flatMap { job in
            job.phases.flatMap { phase in
                phase.batches.enumerated().flatMap { index, batch in
                    batch.map { "\(job.job) \(phase.kind.rawValue) \(index + 1) \($0.worker) \($0.action.rawValue)" }
                }
            }
        }
    }

    // MARK: The section

    @Test func eachAllocationGoesBackToWhatItWasWithTheRulesOfBefore() throws {
        let bucket = try deployed(3, #""max_concurrent_upgrades": 2, "timeouts": {"action": 11}"#)
        try bucket.job("api", version: "2.0.0", #""max_concurrent_upgrades": 3"#, content: "b\n")
        let back = try section(bucket)
        let job = try #require(back.waves.first?.jobs.first)
        #expect((job.version, job.timeouts.action, job.batching.upgrades) == ("1.0.0", 11, 2))
        #expect(
            entries(back.waves.first) == [
                "api upgrade 1 w1 restart", "api upgrade 1 w2 restart", "api upgrade 2 w3 restart",
            ])
        #expect(job.from.map(\.value.version) == ["2.0.0"])
        #expect(job.changes.first?.value.map(\.path) == ["app.conf", "manifest.json"])
        #expect(job.phases.flatMap(\.batches).joined().allSatisfy { $0.reason == .rolledBack })
        #expect(back.stops.isEmpty)
        // A host that is down keeps no other from going back.
        #expect(job.batching.maxUnreachable == 3)
    }

    @Test func aPlanThatOnlyStopsAfterAFailureHasNone() throws {
        let bucket = try deployed()
        try bucket.job("api", version: "2.0.0", content: "b\n")
        for policy in [nil, FailurePolicy.stop, .continue] {
            let plan = try bucket.plan(onFailure: policy).plan
            #expect(plan.wayBack == nil)
            #expect(!String(decoding: PlanFile(plan).bytes, as: UTF8.self).contains("rollback"))
        }
    }

    @Test func whatIsNewIsStoppedAndGatesLeaveItOut() throws {
        let bucket = try deployed(2, gate)
        try bucket.workers(3)
        try bucket.job("api", version: "2.0.0", gate, content: "b\n")
        try bucket.job("web", "", content: "c\n")
        let back = try section(bucket)
        #expect(
            back.stops.map { "\($0.allocation) \($0.end.rawValue)" } == [
                "api on w3 removed", "web on w1 removed", "web on w2 removed", "web on w3 removed",
            ])
        #expect(back.waves.first?.jobs.map(\.job.text) == ["api"])
        #expect(back.waves.first?.jobs.first?.active.map(\.text) == ["w1", "w2"])
    }

    @Test func whatWasStoppedBeforeIsStoppedAgain() throws {
        let bucket = try deployed(2)
        bucket.catalog.allocations[try bucket.allocation("api", "w1")]?.state = .stopped
        try bucket.job("api", version: "2.0.0", content: "b\n")
        #expect(try section(bucket).stops.map { "\($0.allocation) \($0.end.rawValue)" } == ["api on w1 stopped"])
    }

    @Test(arguments: [
        ("always", "always", false, "restart"), ("never", "never", false, "sync"),
        ("reload", "reload", false, "reload"),
        ("always", "reload", false, "restart"), ("reload", "always", false, "restart"),
        ("never", "always", false, "restart"),
        ("always", "always", true, "sync"),
    ])
    func whatHasRunATargetRunsOneAgainAndNeverAWeakerOne(
        _ before: String, _ after: String, isSyncOnly: Bool, _ action: String
    ) throws {
        let bucket = try deployed(1, #""restart_policy": "\#(before)""#)
        try bucket.job("api", version: "2.0.0", #""restart_policy": "\#(after)""#, content: "b\n")
        #expect(try entries(section(bucket, syncOnly: isSyncOnly).waves.first) == ["api upgrade 1 w1 \(action)"])
    }

    @Test func jobsGoBackBeforeThoseThatTheyDemand() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        let command = #""commands": {"command_x": {"executed_on": ["cli"]"#
        func lay(_ version: String) throws {
            try bucket.job("base", version: version, command + "}}", content: version)
            try bucket.job(
                "front", version: version,
                command + #", "demands": {"job": "base", "command": "command_x", "config": {}}}}"#, content: version)
            for job in ["base", "front"] { try bucket.write("jobs/\(job)/_modules/command_x.py", "") }
        }
        try lay("1.0.0")
        try bucket.deploy()
        try lay("2.0.0")
        let back = try section(bucket)
        #expect(back.waves.map(\.deploymentSequence) == [1, 0])
        #expect(back.waves.flatMap(\.jobs).map(\.job.text) == ["front", "base"])
    }

    @Test func aManifestOfBeforeThatIsGoneIsNamed() throws {
        let bucket = try deployed()
        try bucket.job("api", version: "2.0.0", content: "b\n")
        bucket.files = [:]
        #expect(throws: PlanningError.self) { try bucket.plan(onFailure: .rollback) }
    }

    // MARK: What was begun

    @Test func aRunLeavesOutWhatItHasNotBegunAndPutsFirstWhatIsBroken() throws {
        let bucket = try deployed(4, gate)
        try bucket.job("api", version: "2.0.0", gate, content: "b\n")
        let result = try bucket.plan(onFailure: .rollback)
        let old = bucket.catalog.allocations
        let new = Release(version: "2.0.0", content: try #require(result.plan.waves[0].jobs[0].content.first?.tree))
        let (one, two, three) = (
            try bucket.allocation("api", "w1"), try bucket.allocation("api", "w2"), try bucket.allocation("api", "w3")
        )
        let begun = [
            one: AllocationRecord(promoted: new),
            two: AllocationRecord(promoted: new, owesGate: true, failedGate: true),
            three: AllocationRecord(promoted: old[three]?.promoted, unfinished: new),
        ]
        let back = try #require(result.plan.goingBack(RunID(3), from: begun))
        #expect(
            entries(back.waves.first) == [
                "api recover 1 w2 restart", "api recover 2 w3 restart", "api upgrade 1 w1 restart",
            ])
        let graph = StepGraph(back)
        #expect(graph.steps.allSatisfy { $0.id.text.hasPrefix("rollback/api/") })
        #expect(try PlanFile.read(PlanFile(back).bytes, file: "back").plan == back)
        // What is back needs nothing.
        #expect(result.plan.goingBack(RunID(3), from: old)?.isEmpty == true)
    }

    @Test func hooksThatNothingOfItRunsAreLeftOut() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        let fields =
            #""restart_policy": "never", "commands": {"command_x": {"executed_on": ["after_allocation_started"]}}"#
        func lay(_ version: String) throws {
            try bucket.job("api", version: version, fields, content: version)
            try bucket.write("jobs/api/_modules/command_x.py", "")
        }
        try lay("1.0.0")
        try bucket.deploy()
        let (one, two) = (try bucket.allocation("api", "w1"), try bucket.allocation("api", "w2"))
        // A start by itself was interrupted on the first, so that a target runs there; the other one only gets files.
        let promoted = bucket.catalog.allocations[one]?.promoted
        bucket.catalog.allocations[one]?.unfinished = promoted
        bucket.catalog.allocations[one]?.isInterrupted = true
        try lay("2.0.0")
        let plan = try bucket.plan(onFailure: .rollback).plan
        let new = Release(version: "2.0.0", content: try #require(plan.waves[0].jobs[0].content.first?.tree))
        let back = try #require(plan.goingBack(RunID(3), from: [two: AllocationRecord(promoted: new)]))
        #expect(back.waves.flatMap(\.jobs).map(\.hooks) == [nil])
        #expect(try PlanFile.read(PlanFile(back).bytes, file: "back").plan == back)
    }

    // MARK: rollback

    @Test func aRunIsTakenBackAsItIsRecorded() throws {
        let bucket = try deployed()
        try bucket.job("api", version: "2.0.0", content: "b\n")
        let forth = try bucket.plan().plan
        try bucket.deploy()
        let begun = Set(try ["w1", "w2"].map { try bucket.allocation("api", $0) })
        let plan = try bucket.planRollback(forth, begun: begun)
        #expect(plan.origin?.rollback == RunID(7))
        #expect(entries(plan.waves.first) == ["api upgrade 1 w1 restart", "api upgrade 2 w2 restart"])
        #expect(plan.work.request == .rollback(RunID(7), jobs: []))
        #expect(StepGraph(plan).steps.allSatisfy { !$0.id.text.hasPrefix("rollback/") })
    }

    @Test func whatALaterRunHasChangedIsRefusedWithItsNumber() throws {
        let bucket = try deployed()
        try bucket.job("api", version: "2.0.0", content: "b\n")
        let forth = try bucket.plan().plan
        try bucket.deploy()
        try bucket.job("api", version: "3.0.0", content: "c\n")
        try bucket.deploy()
        let begun: Set = [try bucket.allocation("api", "w1")]
        #expect {
            try bucket.planRollback(forth, begun: begun)
        } throws: { "\($0)".contains("run 9 has changed api on w1 since") }
        // What was stopped since runs nothing that could be taken back.
        bucket.catalog.allocations[try bucket.allocation("api", "w1")]?.state = .stoppedByHand
        #expect(try bucket.planRollback(forth, begun: begun).isEmpty)
    }

    @Test func aWorkerThatIsGoneIsNamed() throws {
        let bucket = try deployed()
        try bucket.job("api", version: "2.0.0", content: "b\n")
        let forth = try bucket.plan().plan
        try bucket.deploy()
        try bucket.workers(2)
        let begun = Set(try ["w1", "w2", "w3"].map { try bucket.allocation("api", $0) })
        #expect { try bucket.planRollback(forth, begun: begun) } throws: { "\($0)".contains("w3") }
    }
}
