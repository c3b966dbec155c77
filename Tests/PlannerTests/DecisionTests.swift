import Model
import Planner
import Plans
import Testing

/// The table of situations and actions, one after the other.
@Suite struct DecisionTests {
    @Test(arguments: [
        ("always", "", "restart/content_changed"), ("never", "", "sync/content_changed"),
        ("reload", "", "reload/content_changed"),
        ("reload", #", "restart_globs": ["app.*"]"#, "restart/glob_matched"),
        ("reload", #", "restart_globs": ["other"]"#, "reload/content_changed"),
    ])
    func changedContentActsByPolicy(_ policy: String, _ globs: String, _ expected: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        let fields = #""restart_policy": "\#(policy)"\#(globs)"#
        try bucket.job("api", fields)
        try bucket.deploy()
        try bucket.job("api", fields, content: "b\n")
        #expect(try bucket.plan().plan.decision("api", "w1") == expected)
    }

    @Test func newVersionAloneIsAVersionChange() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.job("api", version: "1.1.0")
        #expect(try bucket.plan().plan.decision("api", "w1") == "restart/version_changed")
        try bucket.job("api", version: "1.1.0", content: "b\n")
        #expect(try bucket.plan().plan.decision("api", "w1") == "restart/content_changed")
        try bucket.job("api", #""max_concurrent_starts": 2"#)
        #expect(try bucket.plan().plan.decision("api", "w1") == "restart/content_changed")
    }

    @Test func globsApplyToTheManifest() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        let fields = #""restart_policy": "reload", "restart_globs": ["*.json", "conf/"]"#
        try bucket.job("api", fields)
        try bucket.deploy()
        try bucket.job("api", version: "1.1.0", fields)
        let plan = try bucket.plan().plan
        #expect(plan.decision("api", "w1") == "restart/glob_matched")
        #expect(plan.matched == ["api": ["w1": ["manifest.json"]]])
    }

    @Test func unfinishedActsThoughTheWorkspaceWasPutBack() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        let fields = #""restart_policy": "reload", "restart_globs": ["extra/"]"#
        try bucket.job("api", fields)
        try bucket.deploy()
        try bucket.job("api", fields, content: "b\n")
        try bucket.write("jobs/api/extra/x", "x\n")
        try bucket.leaveUnfinished("api", "w1")
        try bucket.remove("jobs/api/extra")
        try bucket.job("api", fields)
        let plan = try bucket.plan().plan
        // What was begun may have put extra/x there, and taking it away matches the glob.
        #expect(plan.decision("api", "w1") == "restart/unfinished")
        #expect(plan.decision("api", "w2") == nil)
        let changes = try #require(plan.waves.first?.jobs.first?.changes.first?.value)
        #expect(changes.map { "\($0.kind.rawValue) \($0.path)" } == ["modified app.conf", "removed extra/x"])
        #expect(plan.work.body.summary.unchanged == 1)
    }

    @Test func unfinishedThatWasNeverPromotedStarts() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.leaveUnfinished("api", "w1")
        let plan = try bucket.plan().plan
        #expect(plan.decision("api", "w1") == "start/first_deploy")
        #expect(plan.waves.first?.jobs.first?.from.map(\.name) == ["a"])
    }

    @Test func forceLetsAllActAndSaysSo() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api", #""restart_policy": "reload""#)
        try bucket.job("web", #""restart_policy": "never""#)
        try bucket.deploy()
        try bucket.workers(3)
        let plan = try bucket.plan(force: true).plan
        #expect(plan.decision("api", "w1") == "reload/forced")
        #expect(plan.decision("web", "w2") == "sync/forced")
        #expect(plan.decision("web", "w3") == "start/first_deploy")
    }

    @Test func syncOnlyRunsNothingAndRefusesToStart() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api", #""health_check": {"checks": [{"type": "tcp", "port": 80}]}"#)
        try bucket.deploy()
        try bucket.job("api", version: "2.0.0", #""health_check": {"checks": [{"type": "tcp", "port": 80}]}"#)
        let plan = try bucket.plan(syncOnly: true).plan
        #expect(
            plan.decision("api", "w1") == "sync/content_changed" || plan.decision("api", "w1") == "sync/version_changed"
        )
        #expect(plan.batches(of: "api") == ["upgrade w1 | w2 (none)"])
        try bucket.workers(4)
        let errors = bucket.errors(syncOnly: true)
        #expect(errors.contains("api on w3, w4"), "\(errors)")
    }

    // MARK: Stops and returns

    @Test(arguments: [
        #"{"jobs": {"api": {}}}"#, #"{"jobs": {"api": {"allocations": ["w2"]}}}"#, #"{"workers": ["w2"]}"#,
    ])
    func disabledStopsOnceAndStartsAgain(_ disabled: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.write("disabled.json", disabled)
        let stop = try bucket.deploy()
        #expect(stop.decision("api", "w2") == "stop/disabled")
        try bucket.job("api", content: "b\n")
        #expect(try bucket.plan().plan.decision("api", "w2") == nil)
        try bucket.remove("disabled.json")
        let plan = try bucket.plan().plan
        #expect(plan.decision("api", "w2") == "start/re_enabled")
        let state = plan.waves.first?.jobs.first?.from.first { $0.value.stopped }
        #expect(state?.value.version == "1.0.0")
    }

    @Test func removedStopsAndComesBackNew() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.job("api")
        try bucket.job("web")
        try bucket.deploy()
        try bucket.workers(2)
        try bucket.remove("jobs/web")
        let plan = try bucket.deploy()
        #expect(plan.actions == ["api": ["w3": "stop"], "web": ["w1": "stop", "w2": "stop", "w3": "stop"]])
        #expect(plan.reconcile.allSatisfy { $0.reason == .removed })
        #expect(plan.fleet.workers.map(\.worker.text) == ["w1", "w2", "w3"])
        #expect(try bucket.plan().plan.isEmpty)
        try bucket.workers(3)
        #expect(try bucket.plan().plan.decision("api", "w3") == "start/first_deploy")
    }

    @Test func removalOfADisabledAllocationCleansUp() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.write("disabled.json", #"{"workers": ["w2"]}"#)
        try bucket.deploy()
        try bucket.remove("disabled.json")
        try bucket.workers(1)
        #expect(try bucket.plan().plan.decision("api", "w2") == "stop/removed")
    }

    @Test func stopsComeInReverseOrderOfTheDemands() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.demandChain(["a", "b", "c"])
        try bucket.job("gone")
        try bucket.deploy()
        try bucket.remove("jobs/gone")
        try bucket.write("disabled.json", #"{"workers": ["w1", "w2"]}"#)
        let plan = try bucket.plan().plan
        #expect(
            plan.reconcile.map { "\($0.allocation.job) \($0.allocation.worker)" } == [
                "gone w1", "gone w2", "c w1", "c w2", "b w1", "b w2", "a w1", "a w2",
            ])
    }

    // MARK: Unfinished jobs

    @Test func pendingGateComesFirst() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        let health = #""health_check": {"checks": [{"type": "tcp", "port": 80}]}"#
        try bucket.job("api", health)
        try bucket.deploy()
        let api = try #require(JobName("api"))
        bucket.catalog.jobs[api] = JobRecord(gatePending: true, incomplete: true)
        let alone = try bucket.plan().plan
        #expect(alone.waves.first?.jobs.first?.gateFirst == .unfinished)
        #expect(alone.waves.first?.jobs.first?.phases.isEmpty == true)
        #expect(alone.fleet.workers.map(\.worker.text) == ["w1"])
        try bucket.job("api", health, content: "b\n")
        let both = try bucket.plan().plan
        // A gate that failed never stands in the way of what changes what failed it.
        #expect(both.waves.first?.jobs.first?.gateFirst == nil)
        #expect(both.batches(of: "api") == ["recover w1 (after_each_batch_and_phase)"])
        #expect(both.decision("api", "w1") == "restart/content_changed")
        // Without a health check there is no gate, and the job only completes.
        try bucket.job("api")
        bucket.catalog.allocations[try bucket.allocation("api", "w1")] = nil
        #expect(try bucket.plan().plan.waves.first?.jobs.first?.gateFirst == nil)
    }

    @Test func incompleteJobIsInThePlanUnlessNothingOfItIsActive() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.deploy()
        bucket.catalog.jobs[try #require(JobName("api"))] = JobRecord(incomplete: true)
        let plan = try bucket.plan().plan
        #expect(plan.waves.count == 1 && plan.work.body.summary.actions == 0)
        #expect(!plan.isEmpty)
        try bucket.write("disabled.json", #"{"jobs": {"api": {}}}"#)
        #expect(try bucket.plan().plan.waves.isEmpty)
    }
}

extension TestWorkspace {
    /// Jobs of which each but the first demands the one before it.
    func demandChain(_ names: [String]) throws {
        for (index, name) in names.enumerated() {
            let demand =
                index == 0
                ? "" : #", "demands": {"job": "\#(names[index - 1])", "command": "command_\#(names[index - 1])"}"#
            try job(name, #""commands": {"command_\#(name)": {"executed_on": ["cli"]\#(demand)}}"#)
            try write("jobs/\(name)/_modules/command_\(name).py", "print()\n")
        }
    }
}
