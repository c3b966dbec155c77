import Model
import Planner
import Plans
import Testing

/// Plans that run a target on what is deployed, and deploys for some workers.
@Suite struct OperationTests {
    private let health = #""health_check": {"checks": [{"type": "tcp", "port": 80}]}"#

    private func deployed(_ count: Int = 3, _ fields: String = "") throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(count)
        try bucket.job("api", fields)
        try bucket.deploy()
        return bucket
    }

    private func options(
        _ jobs: [String] = ["api"], workers: [String] = [], labels: [String] = [], exclude: [String] = [],
        batch: HostCount? = nil, hasGate: Bool = true, allowsDrift: Bool = false
    ) throws -> Operation.Options {
        Operation.Options(
            jobs: try jobs.map { try #require(JobName($0)) },
            selection: .init(
                workers: try workers.map { try #require(WorkerName($0)) }, labels: labels,
                exclude: try exclude.map { try #require(WorkerName($0)) }),
            batch: batch, hasGate: hasGate, allowsDrift: allowsDrift)
    }

    private func plan(
        _ bucket: TestWorkspace, _ verb: Operation.Verb, _ options: Operation.Options
    ) throws -> Plan {
        let workspace = try Workspace.read(bucket.folder, bucket.configuration)
        let plan = try Planner.planOperation(
            verb, options: options, workspace, bucket.configuration, bucket.catalog,
            trees: { try #require(bucket.trees[$0]) }
        ).plan
        // Every plan that a test makes is one that an apply would accept.
        let file = PlanFile(plan)
        #expect(try PlanFile.read(file.bytes, file: "plan").plan == plan)
        return plan
    }

    private func refusal(
        _ bucket: TestWorkspace, _ verb: Operation.Verb, _ options: Operation.Options
    ) -> PlanningError? {
        #expect(throws: PlanningError.self) { try plan(bucket, verb, options) }
    }

    private func active(_ plan: Plan) -> [String] { plan.waves.flatMap(\.jobs).flatMap(\.active).map(\.text) }

    private func stop(_ bucket: TestWorkspace, _ workers: String...) throws {
        for worker in workers {
            bucket.catalog.allocations[try bucket.allocation("api", worker)]?.state = .stoppedByHand
        }
    }

    @Test func batchesAreThoseOfAnUpgrade() throws {
        let bucket = try deployed(4, #""max_concurrent_upgrades": 3, "# + health)
        #expect(
            try plan(bucket, .restart, options()).batches(of: "api") == [
                "operation w1 w2 w3 | w4 (after_each_batch)"
            ])
        #expect(
            try plan(bucket, .stop, options()).batches(of: "api") == ["operation w1 w2 w3 | w4 (none)"])
        #expect(
            try plan(bucket, .start, options(hasGate: false)).batches(of: "api") == ["operation w1 w2 w3 | w4 (none)"])
    }

    @Test(arguments: [
        (HostCount.hosts(1), "w1 | w2 | w3 | w4"), (.hosts(2), "w1 w2 | w3 w4"), (.hosts(9), "w1 w2 w3 w4"),
        (.percent(50), "w1 w2 | w3 w4"), (.percent(1), "w1 | w2 | w3 | w4"),
    ])
    func aSizeReplacesTheManifests(_ size: HostCount, _ batches: String) throws {
        let bucket = try deployed(4, #""rollout": {"batches": [1, 3]}"#)
        #expect(
            try plan(bucket, .target("backup"), options(batch: size)).batches(of: "api") == [
                "operation \(batches) (none)"
            ])
    }

    @Test func jobsInWavesAndStopsInReverse() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.write("jobs/base/_modules/command_base.py", "")
        try bucket.job("base", #""commands": {"command_base": {"executed_on": ["cli"]}}"#)
        try bucket.write("jobs/front/_modules/command_front.py", "")
        try bucket.job(
            "front",
            #""commands": {"command_front": {"executed_on": ["cli"], "demands": {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}}}"#
        )
        try bucket.deploy()
        let jobs = try options(["front", "base", "front"])
        #expect(try plan(bucket, .restart, jobs).waves.map(\.deploymentSequence) == [0, 1])
        let stop = try plan(bucket, .stop, jobs)
        #expect(stop.waves.map(\.deploymentSequence) == [1, 0])
        #expect(stop.waves.map { $0.jobs.map(\.job.text) } == [["front"], ["base"]])
    }

    @Test func onlyWhatWasSelectedActsAndGatesAskWhatRuns() throws {
        let bucket = try deployed(4, health)
        let one = try plan(bucket, .restart, options(workers: ["w2"]))
        #expect(one.batches(of: "api") == ["operation w2 (after_each_batch)"])
        #expect(active(one) == ["w1", "w2", "w3", "w4"])
        try stop(bucket, "w1")
        bucket.catalog.allocations[try bucket.allocation("api", "w3")] = nil
        for verb in [Operation.Verb.restart, .start, .target("backup")] {
            let some = try plan(bucket, verb, options(exclude: ["w1", "w3"]))
            #expect(active(some) == ["w2", "w4"])
            #expect(some.stoppedByHand.map(\.value) == [[try #require(WorkerName("w1"))]])
        }
    }

    @Test func whatAPersonStoppedOnlyStartStarts() throws {
        let bucket = try deployed()
        try stop(bucket, "w1")
        for verb in [Operation.Verb.restart, .stop, .target("backup")] {
            #expect(try plan(bucket, verb, options()).actions["api"]?["w1"] == nil)
        }
        #expect(try plan(bucket, .start, options()).actions["api"]?.keys.sorted() == ["w1", "w2", "w3"])
        try stop(bucket, "w2", "w3")
        #expect(try plan(bucket, .restart, options()).isEmpty)
    }

    @Test func whatIsNotDeployedOrUnfinishedIsRefused() throws {
        let bucket = try deployed()
        let second = try bucket.allocation("api", "w2")
        try bucket.leaveUnfinished("api", "w2")
        #expect(refusal(bucket, .restart, try options()) == .unfinished([second]))
        #expect(try plan(bucket, .restart, options(exclude: ["w2"])).actions["api"]?.keys.sorted() == ["w1", "w3"])
        bucket.catalog.allocations[second] = nil
        #expect(refusal(bucket, .restart, try options()) == .notDeployed([second]))
        let first = bucket.catalog.allocations[try bucket.allocation("api", "w1")]
        bucket.catalog.allocations[second] = first
        bucket.catalog.allocations[second]?.state = .stopped
        #expect(refusal(bucket, .start, try options()) == .notDeployed([second]))
    }

    @Test func changedFilesThatARunFoundAreUnfinishedUnlessTheyMayBe() throws {
        let bucket = try deployed()
        let second = try bucket.allocation("api", "w2")
        let promoted = bucket.catalog.allocations[second]?.promoted
        bucket.catalog.allocations[second]?.drifted = promoted
        #expect(refusal(bucket, .restart, try options()) == .unfinished([second]))
        let allowed = try plan(bucket, .restart, options(allowsDrift: true))
        #expect(allowed.actions["api"]?.keys.sorted() == ["w1", "w2", "w3"])
        // The catalog has to hold what the plan says.
        let recorded = try #require(bucket.catalog.allocations[second]).fromState
        #expect(allowed.waves.flatMap(\.jobs).flatMap(\.from).map(\.value).contains(recorded))
        try bucket.leaveUnfinished("api", "w2")
        #expect(refusal(bucket, .restart, try options(allowsDrift: true)) == .unfinished([second]))
    }

    @Test func disabledOnesStaySoAndAreRefusedByName() throws {
        let bucket = try deployed()
        try bucket.write("disabled.json", #"{"jobs": {"api": {"allocations": ["w1"]}}, "workers": []}"#)
        #expect(try plan(bucket, .start, options()).actions["api"]?.keys.sorted() == ["w2", "w3"])
        #expect(
            refusal(bucket, .start, try options(workers: ["w1"])) == .disabled([try bucket.allocation("api", "w1")]))
    }

    @Test func whatDoesNotExistIsRefused() throws {
        let bucket = try deployed()
        try bucket.job("web")
        let workers = try ["w1", "w2", "w3"].map { try #require(WorkerName($0)) }
        let (api, web) = (try #require(JobName("api")), try #require(JobName("web")))
        let unknown = try #require(WorkerName("w9"))
        #expect(
            refusal(bucket, .restart, try options(["ap"]))
                == .unknownJobs([try #require(JobName("ap"))], known: [api, web]))
        #expect(refusal(bucket, .restart, try options(workers: ["w9"])) == .unknownWorkers([unknown], known: workers))
        #expect(refusal(bucket, .restart, try options(exclude: ["w9"])) == .unknownWorkers([unknown], known: workers))
        #expect(
            refusal(bucket, .restart, try options(labels: ["wrker"])) == .unknownLabels(["wrker"], known: ["worker"]))
        try bucket.write(
            "workers.json",
            #"[{"host": "w1", "labels": ["one"], "memory": "1 gb", "cpu": "1 ghz"}, {"host": "w2", "memory": "1 gb", "cpu": "1 ghz"}]"#
        )
        try bucket.write(
            "jobs/api/manifest.json", #"{"version": "1.0.0", "selectors": ["one"]}"#)
        let second = try #require(WorkerName("w2"))
        #expect(
            refusal(bucket, .restart, try options(workers: ["w2"]))
                == .notOfJob([second], api, known: [try #require(WorkerName("w1"))]))
    }

    @Test func severalVersionsAreOnePlan() throws {
        let bucket = try deployed()
        let second = try bucket.allocation("api", "w2")
        let tree = try #require(bucket.catalog.allocations[second]?.promoted?.content)
        bucket.catalog.allocations[second]?.promoted = Release(version: "0.9.0", content: tree)
        let job = try #require(try plan(bucket, .restart, options()).waves.first?.jobs.first)
        #expect(job.from.map(\.value.version) == ["1.0.0", "0.9.0"])
        #expect(job.version == "0.0.0")
    }

    @Test func filesThatTheServiceMayRewriteAreListed() throws {
        let bucket = try deployed(2, #""changed_by_service": ["*.conf"]"#)
        #expect(try plan(bucket, .restart, options()).waves.first?.jobs.first?.changedByService == ["app.conf"])
    }

    // MARK: Deploys for some workers

    private func deploy(_ bucket: TestWorkspace, _ selection: Plan.Selection, includeStopped: Bool = false) throws
        -> Plan
    {
        let workspace = try Workspace.read(bucket.folder, bucket.configuration)
        let plan = try Planner.plan(
            workspace, bucket.configuration, bucket.catalog, trees: { try #require(bucket.trees[$0]) },
            options: .init(selection: selection, includeStopped: includeStopped)
        ).plan
        let file = PlanFile(plan)
        #expect(try PlanFile.read(file.bytes, file: "plan").plan == plan)
        return plan
    }

    private func excluded(_ plan: Plan) -> [String: [String]] {
        guard case .deploy(let deploy) = plan.work else { return [:] }
        return Dictionary(uniqueKeysWithValues: deploy.excluded.map { ($0.name, $0.value.map(\.text)) })
    }

    @Test func aDeploySaysWhatItLeavesOut() throws {
        let bucket = try deployed(4, health)
        try bucket.job("api", version: "2.0.0", health)
        try stop(bucket, "w4")
        let two = try Plan.Selection(workers: ["w1", "w4"].map { try #require(WorkerName($0)) })
        let plan = try deploy(bucket, two)
        #expect(plan.actions == ["api": ["w1": "restart"]])
        #expect(excluded(plan) == ["api": ["w2", "w3"]])
        #expect(plan.stoppedByHand.map(\.value.count) == [1])
        #expect(active(plan) == ["w1", "w2", "w3"])
        let all = try deploy(bucket, two, includeStopped: true)
        #expect(all.decision("api", "w4") == "start/stopped_by_hand")
        #expect(active(all) == ["w1", "w2", "w3", "w4"])
    }

    @Test func gatesOfADeployAskNothingThatIsLeftOutAndDoesNotRun() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.job("api", health)
        let first = Plan.Selection(workers: [try #require(WorkerName("w1"))])
        #expect(active(try deploy(bucket, first)) == ["w1"])
        try bucket.deploy()
        try stop(bucket, "w2")
        try bucket.job("api", version: "2.0.0", health)
        let plan = try deploy(bucket, first, includeStopped: true)
        #expect(excluded(plan) == ["api": ["w2", "w3"]])
        #expect(active(plan) == ["w1", "w3"])
    }

    @Test func whatLeftTheWorkspaceIsLeftOutToo() throws {
        let bucket = try deployed(3)
        try bucket.workers(2)
        let first = Plan.Selection(workers: [try #require(WorkerName("w1"))])
        #expect(excluded(try deploy(bucket, first)) == ["api": ["w3"]])
        try stop(bucket, "w3")
        let plan = try deploy(bucket, .init(workers: [try #require(WorkerName("w3"))]))
        #expect(plan.decision("api", "w3") == "stop/removed")
    }
}
