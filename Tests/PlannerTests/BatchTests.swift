import Model
import Planner
import Plans
import Testing
import YAML

@Suite struct BatchTests {
    private static let health = #""health_check": {"checks": [{"type": "tcp", "port": 80}]}"#

    @Test(arguments: [
        (0, "start w1 w2 w3 w4 w5 (after_phase)"), (2, "start w1 w2 | w3 w4 | w5 (after_phase)"),
        (9, "start w1 w2 w3 w4 w5 (after_phase)"),
    ])
    func starts(_ size: Int, _ expected: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(5)
        try bucket.job("api", #""max_concurrent_starts": \#(size), \#(Self.health)"#)
        #expect(try bucket.plan().plan.batches(of: "api") == [expected])
    }

    @Test(arguments: [
        (0, "upgrade w1 | w2 | w3 (after_each_batch)"), (1, "upgrade w1 | w2 | w3 (after_each_batch)"),
        (2, "upgrade w1 w2 | w3 (after_each_batch)"), (7, "upgrade w1 w2 w3 (after_each_batch)"),
    ])
    func upgrades(_ size: Int, _ expected: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.job("api", #""max_concurrent_upgrades": \#(size), \#(Self.health)"#)
        try bucket.deploy()
        try bucket.job("api", #""max_concurrent_upgrades": \#(size), \#(Self.health)"#, content: "b\n")
        #expect(try bucket.plan().plan.batches(of: "api") == [expected])
    }

    @Test func startsComeBeforeUpgradesInTheOrderOfTheWorkers() throws {
        let bucket = try TestWorkspace()
        try bucket.write("workers.json", #"[{"host": "w3"}, {"host": "w1"}]"#)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.write("workers.json", #"[{"host": "w3"}, {"host": "w2"}, {"host": "w1"}]"#)
        try bucket.job("api", content: "b\n")
        let plan = try bucket.plan().plan
        #expect(plan.batches(of: "api") == ["start w2 (none)", "upgrade w3 | w1 (none)"])
        let job = try #require(plan.waves.first?.jobs.first)
        #expect(job.active.map(\.text) == ["w3", "w2", "w1"])
        #expect(job.from.map(\.name) == ["new", "a"])
        #expect(job.content.map { $0.workers.map(\.text) } == [["w3", "w2", "w1"]])
    }

    @Test(arguments: [
        ("first", "start w1 w4 (after_phase)", "upgrade w2 | w3 w5 (after_each_batch)"),
        ("with", "upgrade w1 | w2 w3 | w4 w5 (after_each_batch)", nil),
        ("last", "upgrade w2 | w3 w5 (after_each_batch)", "start w1 w4 (after_phase)"),
    ])
    func newHostsHaveTheirTurnAsTheManifestSays(_ when: String, _ first: String, _ second: String?) throws {
        let bucket = try TestWorkspace()
        let rules = #""rollout": {"batches": [1, 2], "new_hosts": "\#(when)"}, \#(Self.health)"#
        try bucket.write("workers.json", #"[{"host": "w2"}, {"host": "w3"}, {"host": "w5"}]"#)
        try bucket.job("api", rules)
        // Beside nothing that is upgraded it makes no difference.
        #expect(try bucket.deploy().batches(of: "api") == ["start w2 w3 w5 (after_phase)"])
        try bucket.workers(5)
        try bucket.job("api", rules, content: "b\n")
        let plan = try bucket.plan().plan
        #expect(plan.batches(of: "api") == [first, second].compactMap(\.self))
        #expect(
            plan.actions == [
                "api": ["w1": "start", "w2": "restart", "w3": "restart", "w4": "start", "w5": "restart"]
            ])
    }

    @Test func jobControlTakesNewHostsAmongTheOthersInAnyCase() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.write("jobs/api/_modules/command_a.sh", "")
        try bucket.job(
            "api", #""commands": {"command_a": {"executed_on": ["job_control"]}}, "rollout": {"new_hosts": "last"}"#)
        #expect(try bucket.plan().warnings.map(\.message).contains { $0.contains("new_hosts has no effect") })
    }

    @Test(arguments: [
        (#""batches": [1, "25%", "100%"]"#, 9, "upgrade w1 | w2 w3 | w4 w5 w6 w7 w8 w9 (none)"),
        (#""batches": [1, 3]"#, 9, "upgrade w1 | w2 w3 w4 | w5 w6 w7 | w8 w9 (none)"),
        (#""batches": ["1%"]"#, 3, "upgrade w1 | w2 | w3 (none)"), (#""batches": [9]"#, 2, "upgrade w1 w2 (none)"),
    ])
    func sizesOfTheRolloutBlock(_ block: String, _ workers: Int, _ expected: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(workers)
        try bucket.job("api", "\"rollout\": {\(block)}")
        try bucket.deploy()
        try bucket.job("api", "\"rollout\": {\(block)}", content: "b\n")
        #expect(try bucket.plan().plan.batches(of: "api") == [expected])
    }

    @Test func noBatchReachesIntoAnotherZone() throws {
        let bucket = try TestWorkspace()
        let rows = ["a", "b", "a", "c", "b", "a"].enumerated().map {
            #"{"host": "w\#($0.offset + 1)", "tags": {"zone": "\#($0.element)"}}"#
        }
        try bucket.write("workers.json", "[" + (rows + [#"{"host": "w7"}"#]).joined(separator: ",") + "]")
        let block = #""rollout": {"spread": "zone", "batches": [1, 2]}, "max_concurrent_starts": 2"#
        try bucket.job("api", block)
        #expect(try bucket.deploy().batches(of: "api") == ["start w1 w3 | w6 | w2 w5 | w4 | w7 (none)"])
        try bucket.job("api", block, content: "b\n")
        let plan = try bucket.plan().plan
        #expect(plan.batches(of: "api") == ["upgrade w1 | w3 w6 | w2 w5 | w4 | w7 (none)"])
        #expect(plan.waves.first?.jobs.first?.batching == .init(starts: 2, upgrades: 2, first: [1], spread: "zone"))
    }

    @Test func wavesFollowTheLongestPathOfDemands() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.demandChain(["c", "b", "a"])
        let plan = try bucket.plan().plan
        #expect(plan.levels == ["c": 0, "b": 1, "a": 2])
        #expect(plan.waves.last?.jobs.first?.demands.map(\.text) == ["b", "c"])
    }

    @Test func selectionPlansOnlyTheseJobs() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        for name in ["a", "b", "c"] { try bucket.job(name) }
        let plan = try bucket.plan(jobs: ["c", "a", "c"]).plan
        #expect(plan.actions.keys.sorted() == ["a", "c"])
        #expect(plan.work.body.options.jobs.map(\.text) == ["a", "c"])
        try bucket.deploy()
        try bucket.remove("jobs/b")
        #expect(try bucket.plan(jobs: ["a"]).plan.isEmpty)
        #expect(try bucket.plan(jobs: ["b"]).plan.actions == ["b": ["w1": "stop"]])
        #expect(bucket.errors(jobs: ["aa", "d"]).contains("no job aa"))
    }

    // MARK: Ports

    @Test func assignedPortsAreTheLowestFreeOnesAndStay() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.write("bucket.conf", "port_min = \"7000\"\nport_max = 7003\nother = 1\n")
        try bucket.job("b", #""resources": {"ports": {"x": {}, "fixed": 7000}}"#)
        #expect(try bucket.deploy().ports == ["b": ["fixed": 7000, "x": 7001]])
        let health = #", "health_check": {"checks": [{"type": "tcp", "port": "y"}]}"#
        try bucket.job("a", #""resources": {"ports": {"y": {}}}\#(health)"#)
        try bucket.job("b", #""resources": {"ports": {"x": {}, "fixed": 7000}}"#, content: "b\n")
        let plan = try bucket.plan().plan
        #expect(plan.ports == ["a": ["y": 7002], "b": ["fixed": 7000, "x": 7001]])
        #expect(plan.waves.first?.jobs.first?.healthCheck?.checks == [.tcp(port: 7002)])
        try bucket.job("c", #""resources": {"ports": {"p": {}, "q": {}}}"#)
        #expect(bucket.errors().contains("no number between 7000 and 7003 is free for q"))
    }
}

extension Plan {
    /// Job -> port -> number.
    fileprivate var ports: [String: [String: Int]] {
        var ports: [String: [String: Int]] = [:]
        for job in waves.flatMap(\.jobs) {
            ports[job.job.text] = Dictionary(uniqueKeysWithValues: job.ports.map { ($0.name, $0.value) })
        }
        return ports
    }
}
