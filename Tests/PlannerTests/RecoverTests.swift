import Model
import Planner
import Plans
import Testing

/// What was never seen healthy acts first, and its gate comes before any healthy allocation is touched.
@Suite struct RecoverTests {
    private let health = #""health_check": {"checks": [{"type": "tcp", "port": 80}]}"#

    /// Five workers with 1.0.0, of which some have not passed their gate.
    private func bucket(
        _ fields: String = "", failed: [String] = [], owed: [String] = [], unfinished: [String] = []
    ) throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(5)
        try bucket.job("api", fields.isEmpty ? health : health + ", " + fields)
        try bucket.deploy()
        for worker in failed { bucket.catalog.allocations[try bucket.allocation("api", worker)]?.failedGate = true }
        for worker in owed { bucket.catalog.allocations[try bucket.allocation("api", worker)]?.owesGate = true }
        for worker in unfinished { try bucket.leaveUnfinished("api", worker) }
        bucket.catalog.jobs[try #require(JobName("api"))] = JobRecord(
            gatePending: !failed.isEmpty || !owed.isEmpty, incomplete: true)
        return bucket
    }

    private func api(_ plan: Plan) throws -> Plan.Job {
        try #require(plan.waves.flatMap(\.jobs).first { $0.job.text == "api" })
    }

    private func steps(_ plan: Plan) -> [String] { StepGraph(plan).steps.map(\.id.text) }

    @Test func theFailingComeFirstAndTheHealthyLast() throws {
        let bucket = try bucket(failed: ["w4"], owed: ["w2"], unfinished: ["w3"])
        try bucket.job("api", health, content: "fixed\n")
        let plan = try bucket.plan().plan
        #expect(
            plan.batches(of: "api") == [
                "recover w4 | w2 | w3 (after_each_batch_and_phase)", "upgrade w1 | w5 (after_each_batch)",
            ])
        let job = try api(plan)
        #expect(job.gateFirst == nil)
        #expect(job.phases[0].batches.joined().map(\.gate) == [.failed, .owed, nil])
    }

    @Test func onlyTheBatchIsProbedAndThenAllThatRuns() throws {
        let bucket = try bucket(failed: ["w1", "w2"])
        try bucket.job("api", health, content: "fixed\n")
        try bucket.workers(6)
        let graph = StepGraph(try bucket.plan().plan)
        var coverage: [String: [String]] = [:]
        for (index, step) in graph.steps.indexed {
            guard case .gate = step.task else { continue }
            coverage[step.id.text] = graph.coverage(of: index).map(\.text)
        }
        #expect(
            coverage == [
                "api/recover/1/gate": ["w1"], "api/recover/2/gate": ["w2"],
                // w6 has not been started yet.
                "api/recover/gate": ["w1", "w2", "w3", "w4", "w5"],
                "api/start/gate": ["w1", "w2", "w3", "w4", "w5", "w6"],
                "api/upgrade/1/gate": ["w1", "w2", "w3", "w4", "w5", "w6"],
                "api/upgrade/2/gate": ["w1", "w2", "w3", "w4", "w5", "w6"],
                "api/upgrade/3/gate": ["w1", "w2", "w3", "w4", "w5", "w6"],
            ])
    }

    @Test func sizesBeginAgainWithTheUpgrades() throws {
        let sizes = #""rollout": {"batches": [1, 2]}"#
        let bucket = try bucket(sizes, failed: ["w5", "w4"])
        try bucket.job("api", health + ", " + sizes, content: "fixed\n")
        #expect(
            try bucket.plan().plan.batches(of: "api") == [
                "recover w4 | w5 (after_each_batch_and_phase)", "upgrade w1 | w2 w3 (after_each_batch)",
            ])
    }

    @Test func whatFailedAndStaysAsItIsHasItsGateFirst() throws {
        let bucket = try bucket(failed: ["w1"])
        let unchanged = try api(bucket.plan().plan)
        #expect(unchanged.gateFirst == .unfinished && unchanged.phases.isEmpty)
        // Another host is new; the one that failed stays as it is.
        try bucket.workers(6)
        let grown = try api(bucket.plan().plan)
        #expect(grown.gateFirst == .unfinished && grown.phases.map(\.kind) == [.start])
    }

    @Test func recoverPutsEverythingThatActsIntoThePhase() throws {
        let bucket = try bucket(failed: ["w1"])
        try bucket.job("api", health, content: "fixed\n")
        let plan = try bucket.plan(recover: ["api"]).plan
        #expect(plan.batches(of: "api") == ["recover w1 | w2 | w3 | w4 | w5 (after_each_batch_and_phase)"])
        #expect(plan.work.body.options.recover.map(\.text) == ["api"])
    }

    @Test func recoverNamesJobsOfThePlan() throws {
        let bucket = try bucket()
        try bucket.job("web")
        #expect(throws: PlanningError.self) { try bucket.plan(recover: ["nope"]) }
        #expect(throws: PlanningError.self) { try bucket.plan(jobs: ["web"], recover: ["api"]) }
    }

    @Test func whereOnlyTheJobIsKnownToHaveAGatePendingAllThatActsRecovers() throws {
        let bucket = try bucket()
        let name = try #require(JobName("api"))
        bucket.catalog.jobs[name] = JobRecord(gatePending: true, incomplete: true)
        #expect(try api(bucket.plan().plan).gateFirst == .unfinished)
        try bucket.job("api", health, content: "fixed\n")
        #expect(
            try bucket.plan().plan.batches(of: "api") == ["recover w1 | w2 | w3 | w4 | w5 (after_each_batch_and_phase)"]
        )
    }

    @Test func aJobWithoutAHealthCheckOwesNoGate() throws {
        let bucket = try bucket(failed: ["w1"])
        try bucket.job("api", content: "fixed\n")
        #expect(try bucket.plan().plan.batches(of: "api") == ["upgrade w1 | w2 | w3 | w4 | w5 (none)"])
    }

    @Test func unfinishedHostsRecoverAlsoWithoutAGate() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.leaveUnfinished("api", "w3")
        try bucket.job("api", content: "fixed\n")
        let plan = try bucket.plan().plan
        #expect(plan.batches(of: "api") == ["recover w3 (none)", "upgrade w1 | w2 (none)"])
        #expect(!steps(plan).contains { $0.hasSuffix("/gate") })
    }

    @Test func aFirstDeployThatFailedIsStartedInThePhase() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", health)
        try bucket.leaveUnfinished("api", "w1")
        let job = try api(bucket.plan().plan)
        let entry = try #require(job.phases.first?.batches.first?.first)
        #expect(job.phases.map(\.kind) == [.recover])
        #expect(entry.action == .start && entry.reason == .firstDeploy)
        #expect(job.deployPhase(of: entry) == "new")
    }

    @Test func aSyncHasNoGate() throws {
        let bucket = try bucket(failed: ["w1"])
        try bucket.job("api", health, content: "fixed\n")
        let plan = try bucket.plan(syncOnly: true).plan
        #expect(plan.batches(of: "api") == ["recover w1 (none)", "upgrade w2 | w3 | w4 | w5 (none)"])
        #expect(!steps(plan).contains { $0.hasSuffix("/gate") })
        #expect(try !api(plan).hasGate)
    }

    @Test func jobControlCountsItsBatchesOverBothPhases() throws {
        let commands = #""commands": {"command_c": {"executed_on": ["job_control"]}}"#
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.write("jobs/api/_modules/command_c.sh", "exit 0\n")
        try bucket.job("api", health + ", " + commands)
        try bucket.deploy()
        bucket.catalog.allocations[try bucket.allocation("api", "w3")]?.failedGate = true
        bucket.catalog.jobs[try #require(JobName("api"))] = JobRecord(gatePending: true)
        try bucket.job("api", health + ", " + commands, content: "fixed\n")
        let plan = try bucket.plan().plan
        #expect(
            plan.batches(of: "api") == [
                "recover w3 (after_each_batch_and_phase)", "job_control w1 | w2 (after_each_batch)",
            ])
        let graph = StepGraph(plan)
        let cuts = graph.units.first?.stages.compactMap { stage -> String? in
            if case .batch(let batch) = stage, let cut = batch.position { "\(cut.index) of \(cut.count)" } else { nil }
        }
        #expect(cuts == ["0 of 3", "1 of 3", "2 of 3"])
        #expect(
            graph.steps.map(\.id.text).filter { $0.hasPrefix("api/recover") } == [
                "api/recover/1/w3/push", "api/recover/1/w3/command_c", "api/recover/1/w3/promote",
                "api/recover/1/gate", "api/recover/gate",
            ])
    }

    @Test func anotherOrderLeavesTheFailingFirst() throws {
        let commands = #""commands": {"command_c": {"executed_on": ["pre_deploy"]}}, "max_concurrent_upgrades": 2"#
        let bucket = try bucket(failed: ["w4"], owed: ["w2", "w3"])
        try bucket.write("jobs/api/_modules/command_c.sh", "exit 0\n")
        try bucket.job("api", health + ", " + commands, content: "fixed\n")
        let plan = try bucket.plan().plan
        let order = ["w5", "w3", "w2", "w1", "w4"].compactMap { WorkerName($0) }
        let graph = StepGraph(plan, orders: [try #require(JobName("api")): order])
        let batches = graph.units.first?.stages.compactMap { stage -> String? in
            guard case .batch(let batch) = stage, batch.position != nil else { return nil }
            return batch.chains.compactMap { graph.steps[$0.steps[0]].worker?.text }.joined(separator: " ")
        }
        #expect(batches == ["w4 w3", "w2", "w5 w1"])
    }

    @Test func spreadKeepsTheFailingFirst() throws {
        let bucket = try TestWorkspace()
        let rows = ["a", "b", "a", "b"].enumerated().map { #"{"host": "w\#($0 + 1)", "tags": {"zone": "\#($1)"}}"# }
        try bucket.write("workers.json", "[" + rows.joined(separator: ",") + "]")
        let spread = #""rollout": {"spread": "zone"}, "max_concurrent_upgrades": 4"#
        try bucket.job("api", health + ", " + spread)
        try bucket.deploy()
        for (worker, isFailed) in [("w1", false), ("w2", true), ("w3", true)] {
            let allocation = try bucket.allocation("api", worker)
            bucket.catalog.allocations[allocation]?.failedGate = isFailed
            bucket.catalog.allocations[allocation]?.owesGate = true
        }
        bucket.catalog.jobs[try #require(JobName("api"))] = JobRecord(gatePending: true)
        try bucket.job("api", health + ", " + spread, content: "fixed\n")
        #expect(
            try bucket.plan().plan.batches(of: "api") == [
                "recover w2 | w3 | w1 (after_each_batch_and_phase)", "upgrade w4 (after_each_batch)",
            ])
    }

    // MARK: Limits

    @Test func sharesOfHostsAreRoundedDown() throws {
        func limit(_ fields: String, _ option: HostCount? = nil) throws -> Int {
            let bucket = try TestWorkspace()
            try bucket.workers(5)
            try bucket.job("api", fields)
            return try api(bucket.plan(maxUnreachable: option).plan).batching.maxUnreachable
        }
        #expect(try limit("") == 0)
        #expect(try limit(#""rollout": {"max_unreachable": 2}"#) == 2)
        #expect(try limit(#""rollout": {"max_unreachable": "39%"}"#) == 1)
        #expect(try limit(#""rollout": {"max_unreachable": "2%"}"#) == 0)
        #expect(try limit(#""rollout": {"max_unreachable": "2%"}"#, .hosts(3)) == 3)
        #expect(try limit("", .percent(100)) == 5)
    }

    @Test(arguments: ["", "%", "-1", "101%", "1.5", " 2", "2 %", "+3", "99999999999999999999"])
    func onlyNumbersAndSharesAreHostCounts(_ text: String) { #expect(HostCount(text) == nil) }

    @Test func aGateMayAskForSeveralAnswers() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        let wait = #""wait": {"initial_delay_seconds": 3, "successes": 4}"#
        try bucket.job("api", #""health_check": {"checks": [{"type": "tcp", "port": 80}], \#(wait)}"#)
        let check = try #require(try api(bucket.plan().plan).healthCheck)
        #expect(check.initialDelaySeconds == 3 && check.successes == 4)
    }
}
