import Model
import Planner
import Plans
import Testing

/// Plans that run a command on workers, or reboot them.
@Suite struct WorkerPlanTests {
    private func running(_ fields: String = "") throws -> TestWorkspace {
        let workspace = try TestWorkspace()
        try workspace.workers(4)
        try workspace.job("api", fields)
        try workspace.deploy()
        return workspace
    }

    private func reboot(_ workspace: TestWorkspace, _ options: Reboot.Options = .init()) throws -> Plan {
        let result = try Planner.planReboot(
            .init(), options: options, try Workspace.read(workspace.folder, workspace.configuration),
            workspace.configuration, workspace.catalog, trees: { try #require(workspace.trees[$0]) })
        let file = PlanFile(result.plan)
        #expect(try PlanFile.read(file.bytes, file: "plan").plan == result.plan)
        return result.plan
    }

    private func batches(_ plan: Plan) -> String {
        (plan.work.workerBatches?.batches ?? []).map { $0.map(\.text).joined(separator: " ") }.joined(separator: " | ")
    }

    private func refusal(_ workspace: TestWorkspace, _ options: Reboot.Options = .init()) -> PlanningError? {
        #expect(throws: PlanningError.self) { _ = try reboot(workspace, options) }
    }

    @Test func batchesAreAsWideAsTheConcurrency() throws {
        let workspace = try running()
        #expect(batches(try reboot(workspace)) == "w1 | w2 | w3 | w4")
        #expect(batches(try reboot(workspace, .init(concurrency: .hosts(3)))) == "w1 w2 w3 | w4")
        #expect(batches(try reboot(workspace, .init(concurrency: .percent(50)))) == "w1 w2 | w3 w4")
        #expect(batches(try reboot(workspace, .init(concurrency: .hosts(9)))) == "w1 w2 w3 w4")
    }

    @Test func noBatchHoldsTwoValuesOfATag() throws {
        let workspace = try TestWorkspace()
        let rows = zip(["w1", "w2", "w3", "w4"], ["a", "b", "a", "b"]).map {
            #"{"host": "\#($0)", "memory": "1 gb", "cpu": "1 ghz", "tags": {"zone": "\#($1)"}}"#
        }
        try workspace.write("workers.json", "[" + rows.joined(separator: ",\n") + "]\n")
        let plan = try reboot(workspace, .init(concurrency: .hosts(3), spread: "zone"))
        #expect(batches(plan) == "w1 w3 | w2 w4")
    }

    @Test func jobsAreStoppedWhereTheyRun() throws {
        let workspace = try running()
        let stopped = try workspace.allocation("api", "w2")
        workspace.catalog.allocations[stopped]?.state = .stoppedByHand
        let plan = try reboot(workspace)
        #expect(plan.actions["api"]?.keys.sorted() == ["w1", "w3", "w4"])
        #expect(plan.stoppedByHand.map(\.value) == [[stopped.worker]])
        #expect(batches(plan) == "w1 | w2 | w3 | w4")
    }

    @Test func aBudgetThatCannotBeKeptIsRefused() throws {
        let workspace = try running(#""rollout": {"max_unavailable": 1}"#)
        #expect(batches(try reboot(workspace)) == "w1 | w2 | w3 | w4")
        guard
            case .budgetExceeded(_, let batch, let acting, let others, let limit)? = refusal(
                workspace, .init(concurrency: .hosts(2)))
        else { return #expect(Bool(false), "it is not refused for its budget") }
        #expect(batch == 1 && acting.map(\.text) == ["w1", "w2"] && others.isEmpty && limit == 1)
        // What a person has stopped counts before anything else is stopped.
        workspace.catalog.allocations[try workspace.allocation("api", "w4")]?.state = .stoppedByHand
        guard case .budgetExceeded(_, _, _, let unavailable, _)? = refusal(workspace) else {
            return #expect(Bool(false), "it is not refused for what is unavailable")
        }
        #expect(unavailable.map(\.text) == ["w4"])
        #expect(
            batches(try reboot(workspace, .init(selection: .init(workers: [try #require(WorkerName("w4"))])))) == "w4")
    }

    @Test func whatIsUnfinishedOrUnwantedIsRefused() throws {
        let workspace = try running()
        try workspace.leaveUnfinished("api", "w2")
        guard case .unfinished(let unfinished)? = refusal(workspace) else {
            return #expect(Bool(false), "what is unfinished is not refused")
        }
        #expect(unfinished.map(\.worker.text) == ["w2"])
        let other = try running()
        try other.write("disabled.json", #"{"jobs": {"api": {"allocations": ["w3"]}}}"#)
        guard case .runsUnwanted(let disabled)? = refusal(other) else {
            return #expect(Bool(false), "what is disabled is not refused")
        }
        #expect(disabled.map(\.worker.text) == ["w3"])
        try other.remove("disabled.json")
        try other.remove("jobs/api")
        guard case .runsUnwanted(let removed)? = refusal(other) else {
            return #expect(Bool(false), "what was removed is not refused")
        }
        #expect(removed.count == 4)
    }

    @Test func aCommandHasGatesOnlyIfTheyAreAskedFor() throws {
        let workspace = try running(#""health_check": {"checks": [{"type": "ssh", "command": "true"}]}"#)
        for hasGates in [false, true] {
            let result = try Planner.planRunCommand(
                WorkerCommand(text: "uptime", timeout: 1), options: .init(hasGates: hasGates),
                try Workspace.read(workspace.folder, workspace.configuration), workspace.configuration,
                workspace.catalog)
            #expect(result.plan.waves.flatMap(\.jobs).map(\.job.text) == (hasGates ? ["api"] : []))
            #expect(batches(result.plan) == "w1 | w2 | w3 | w4")
        }
    }
}
