import Foundation
import Model
import Planner
import Plans
import Testing

/// The gate that comes after stops, for allocations that go on.
@Suite struct StopGateTests {
    private static let gate = #""health_check": {"checks": [{"type": "tcp", "port": 80}]}"#

    private func deployed(_ fields: String = gate) throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.write("jobs/api/_modules/command_a.py", "")
        try bucket.job("api", fields + #", "commands": {"command_a": {"executed_on": ["post_deploy", "pre_deploy"]}}"#)
        try bucket.deploy()
        return bucket
    }

    private func disable(_ bucket: TestWorkspace, _ workers: String...) throws {
        let list = workers.map { "\"\($0)\"" }.joined(separator: ", ")
        try bucket.write("disabled.json", "{\"workers\": [\(list)]}")
    }

    private func api(_ plan: Plan) -> Plan.Job? { plan.waves.lazy.flatMap(\.jobs).first { $0.job.text == "api" } }

    @Test func theJobHasAGateAndNothingElse() throws {
        let bucket = try deployed()
        try disable(bucket, "w2")
        let plan = try bucket.plan().plan
        let job = try #require(api(plan))
        #expect(job.gateFirst == .afterStops && job.phases.isEmpty && job.hooks == nil)
        #expect(job.active.map(\.text) == ["w1", "w3"])
        let graph = StepGraph(plan)
        #expect(graph.steps.map(\.id.text) == ["api/stop/1/w2/stop", "api/gate", "api/complete"])
        // From the stop on the others owe the gate, and the gate leaves nothing to complete.
        let owed = try ["w1", "w3"].map { try bucket.allocation("api", $0) }
        #expect(
            graph.steps.first?.task.rules.changesAtSuccess == [
                .stopped(try bucket.allocation("api", "w2"), removed: false), .gateOwed(owed),
            ])
        for (index, step) in graph.steps.indexed where step.id.text == "api/gate" {
            #expect(step.task.rules.changesAtStart(index, in: graph) == [])
        }
    }

    @Test func aToleratedFailureAsksNoSecondGate() throws {
        let bucket = try deployed(Self.gate + #", "rollout": {"max_failures": 1}"#)
        try disable(bucket, "w2")
        #expect(
            StepGraph(try bucket.plan().plan).steps.map(\.id.text) == [
                "api/stop/1/w2/stop", "api/gate", "api/complete",
            ])
    }

    @Test func filesAloneHaveNoGateOfTheirOwn() throws {
        let bucket = try deployed(Self.gate + #", "restart_policy": "never""#)
        try disable(bucket, "w2")
        try bucket.write("jobs/api/app.conf", "b\n")
        let job = try #require(api(try bucket.plan().plan))
        #expect(job.gateFirst == .afterStops && job.entries.map(\.action) == [.sync, .sync])
        try bucket.write("jobs/api/manifest.json", #"{"version": "1.0.0", "selectors": ["worker"], \#(Self.gate)}"#)
        let acting = try #require(api(try bucket.plan().plan))
        #expect(acting.gateFirst == nil && acting.phases.map(\.gate) == [.afterEachBatch])
    }

    @Test func nothingIsAskedWithoutAHealthCheckOrWithoutSurvivors() throws {
        let bucket = try deployed(#""max_concurrent_upgrades": 1"#)
        try disable(bucket, "w2")
        #expect(api(try bucket.plan().plan) == nil)
        let other = try deployed()
        try disable(other, "w1", "w2", "w3")
        #expect(api(try other.plan().plan) == nil)
    }

    @Test func aPlanWithoutTheStopIsRefused() throws {
        let bucket = try deployed()
        try disable(bucket, "w2")
        var plan = try bucket.plan().plan
        guard case .deploy(var deploy) = plan.work else { return }
        deploy = Deploy(options: deploy.options, unchanged: deploy.summary.unchanged, waves: deploy.waves)
        plan.work = .deploy(deploy)
        let bytes = PlanFile(plan).bytes
        #expect { try PlanFile.read(bytes, file: "plan") } throws: {
            "\($0)".contains("its gate comes after stops, and none of it is stopped before")
        }
    }
}
