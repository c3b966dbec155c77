import Model
import Plans
import StepMachinery
import Testing

/// Hooks around batches and allocations in the step machine.
@Suite struct AroundTests {
    private static let all: [HookEvent: Int] = [
        .beforeBatch: 1, .beforeAllocation: 1, .afterAllocationHealthy: 1, .afterAllocation: 1,
    ]

    private func simulation(
        _ upgrades: [[String]], starts: [[String]] = [], hooks: [HookEvent: Int] = all, hasGate: Bool = true,
        bakeSeconds: Int = 0, maxFailures: Int = 0
    ) throws -> Simulation {
        let job = try PlanSample.job(
            "api", starts: starts, upgrades: upgrades, hooks: hooks, hasGate: hasGate, bakeSeconds: bakeSeconds,
            maxFailures: maxFailures)
        return Simulation(StepGraph(try PlanSample.plan(waves: [[job]])), seed: 1)
    }

    private func short(_ ids: some Sequence<StepID>) -> [String] {
        ids.map { id in
            id.text.split(separator: "/").dropFirst(2).filter { !$0.hasPrefix("command_") }.joined(separator: "/")
        }
    }

    @Test func hooksComeInTheirOrder() throws {
        var simulation = try simulation([["w1"], ["w2"]], bakeSeconds: 1)
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(
            simulation.order.prefix(10).map(\.text) == [
                "api/upgrade/1/before_batch/command_before_batch1",
                "api/upgrade/1/w1/before_allocation/command_before_allocation1", "api/upgrade/1/w1/push",
                "api/upgrade/1/w1/restart", "api/upgrade/1/gate",
                "api/upgrade/1/w1/after_allocation_healthy/command_after_allocation_healthy1",
                "api/upgrade/1/w1/after_allocation/command_after_allocation1", "api/upgrade/1/bake",
                "api/upgrade/2/before_batch/command_before_batch1",
                "api/upgrade/2/w2/before_allocation/command_before_allocation1",
            ])
        #expect(simulation.violations.isEmpty)
    }

    @Test func withoutAGateWhatIsPromotedIsWell() throws {
        var simulation = try simulation([["w1"]], hasGate: false)
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(
            short(simulation.order) == [
                "1/before_batch", "1/w1/before_allocation", "1/w1/push", "1/w1/restart",
                "1/w1/after_allocation_healthy",
                "1/w1/after_allocation", "",
            ])
    }

    @Test func startsWaitForTheGateOfTheirPhase() throws {
        var simulation = try simulation([], starts: [["w1"], ["w2"]])
        #expect(simulation.process(crashRate: 0) == .succeeded)
        let order = short(simulation.order)
        let gate = try #require(order.firstIndex(of: "gate"))
        #expect(order[..<gate].contains("2/w2/start"))
        #expect(
            Set(order[gate...].prefix(5).dropFirst()) == [
                "1/w1/after_allocation_healthy", "1/w1/after_allocation", "2/w2/after_allocation_healthy",
                "2/w2/after_allocation",
            ])
    }

    @Test func aFailedBeforeBatchLeavesTheBatchUntouched() throws {
        var simulation = try simulation([["w1", "w2"]], maxFailures: 9)
        simulation.alwaysFailing = ["api/upgrade/1/before_batch/command_before_batch1"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(short(simulation.order) == ["1/before_batch"])
        simulation.alwaysFailing = []
        #expect(simulation.process(crashRate: 0, retryFailed: true) == .succeeded)
        #expect(simulation.violations.isEmpty)
    }

    @Test func aFailedBeforeAllocationLeavesItUntouchedAndTheOthersGoOn() throws {
        var simulation = try simulation([["w1", "w2"], ["w3"]])
        simulation.alwaysFailing = ["api/upgrade/1/w2/before_allocation/command_before_allocation1"]
        #expect(simulation.process(crashRate: 0) == .failed)
        let order = short(simulation.order)
        #expect(!order.contains("1/w2/push"))
        #expect(!order.contains { $0.hasPrefix("2/") })
        // The others are seen well, and w2 is no more than over.
        #expect(
            Array(order.suffix(4).filter { $0.contains("w1") }) == [
                "1/w1/after_allocation_healthy", "1/w1/after_allocation",
            ])
        #expect(order.contains("1/w2/after_allocation"))
        #expect(!order.contains("1/w2/after_allocation_healthy"))
        #expect(simulation.violations.isEmpty)
        let count = simulation.order.count
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.count == count, "the same command touches nothing")
    }

    @Test func whatIsTriedAgainIsPreparedAgain() throws {
        var simulation = try simulation([["w1", "w2"]])
        simulation.alwaysFailing = ["api/upgrade/1/w2/restart"]
        #expect(simulation.process(crashRate: 0) == .failed)
        simulation.alwaysFailing = []
        let count = simulation.order.count
        #expect(simulation.process(crashRate: 0, retryFailed: true) == .succeeded)
        #expect(
            short(simulation.order[count...]) == [
                "1/w2/before_allocation", "1/w2/restart", "1/gate", "1/w2/after_allocation_healthy",
                "1/w2/after_allocation", "",
            ])
        #expect(simulation.attempts["api/upgrade/1/w1/after_allocation_healthy/command_after_allocation_healthy1"] == 1)
        #expect(simulation.violations.isEmpty)
    }

    @Test func aProcessThatRetriesNothingEndsWhatAnotherHasPreparedAgain() throws {
        var simulation = try simulation([["w1"]])
        simulation.alwaysFailing = ["api/upgrade/1/w1/restart"]
        #expect(simulation.process(crashRate: 0) == .failed)
        var machine = StepMachine(simulation.graph, recorded: simulation.recorded, retryFailed: true)
        let before = StepID("api/upgrade/1/w1/before_allocation/command_before_allocation1")
        let index = try #require(simulation.graph.indices[before])
        #expect(machine.advance() == [.perform(index, attempt: 3)])
        // As the catalog has it when the process dies there: the last hook is to be done again.
        var recorded = simulation.recorded
        let after = StepID("api/upgrade/1/w1/after_allocation/command_after_allocation1")
        recorded[before] = .init(state: .started, attempt: 3)
        recorded[after] = .init(state: .pending, attempt: 2)
        var next = StepMachine(simulation.graph, recorded: recorded)
        #expect(next.advance() == [.settle(index, attempt: 3)])
        let last = try #require(simulation.graph.indices[after])
        #expect(next.finished(index, .succeeded) == [.perform(last, attempt: 3)])
        #expect(next.finished(last, .succeeded) == [])
        #expect(next.result == .failed)
    }

    @Test func aGateThatFailsForOnePutsTheOtherBack() throws {
        let simulation = try simulation([["w1", "w2"]])
        let graph = simulation.graph
        var machine = StepMachine(graph)
        let w2 = try #require(WorkerName("w2"))
        let order = run(&machine) { id in
            id.text.hasSuffix("/gate") ? (.failed, [w2]) : (.succeeded, [])
        }
        #expect(
            Array(order.suffix(3)).sorted() == [
                "1/w1/after_allocation", "1/w1/after_allocation_healthy", "1/w2/after_allocation",
            ])
        #expect(machine.result == .failed)
        // When the gate has passed, the other follows.
        var recorded = Dictionary(
            uniqueKeysWithValues: graph.steps.map {
                ($0.id, StepMachine.Recorded(state: .succeeded, attempt: 1))
            })
        recorded[StepID("api/upgrade/1/gate")] = .init(state: .failed, attempt: 1)
        recorded[StepID("api/upgrade/1/w2/after_allocation_healthy/command_after_allocation_healthy1")] = nil
        recorded[StepID("api/complete")] = nil
        var next = StepMachine(graph, recorded: recorded)
        #expect(run(&next) == ["1/gate", "1/w2/after_allocation_healthy", "1/w2/after_allocation", ""])
        #expect(next.result == .succeeded)
    }

    @Test func aPreparedAllocationGoesOnToItsEndWhileTheRunParks() throws {
        let simulation = try simulation([["w1"], ["w2"]])
        let moments = ["before_allocation", "push", "restart", "gate", "after_allocation_healthy"]
        for moment in moments {
            var machine = StepMachine(simulation.graph)
            let order = run(&machine) { _ in
                (.succeeded, [])
            } meanwhile: { id, machine in
                if id.text.contains(moment) { machine.park() }
            }
            #expect(
                order == [
                    "1/before_batch", "1/w1/before_allocation", "1/w1/push", "1/w1/restart", "1/gate",
                    "1/w1/after_allocation_healthy", "1/w1/after_allocation",
                ], "parked at \(moment)")
            #expect(machine.result == .parked)
        }
    }

    @Test func anUnknownOutcomeKeepsTheLastHooksWaiting() throws {
        let simulation = try simulation([["w1", "w2"]])
        var machine = StepMachine(simulation.graph)
        let order = run(&machine) { id in
            id.text.hasSuffix("w2/restart") ? (.unknown, []) : (.succeeded, [])
        }
        #expect(machine.result == .unknown)
        #expect(!order.contains { $0.contains("after_") || $0.contains("gate") })
    }

    @Test func aFailedLastHookFailsTheJobAndHidesNothing() throws {
        var simulation = try simulation([["w1"], ["w2"]])
        simulation.alwaysFailing = ["api/upgrade/1/w1/after_allocation/command_after_allocation1"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(!short(simulation.order).contains { $0.hasPrefix("2/") })
        simulation.alwaysFailing = []
        #expect(simulation.process(crashRate: 0, retryFailed: true) == .succeeded)
        #expect(simulation.attempts["api/upgrade/1/w1/before_allocation/command_before_allocation1"] == 1)
        #expect(simulation.violations.isEmpty)
    }

    @Test func noOtherJobBeginsABatchBetweenAFailureAndItsLastHooks() throws {
        let first = try PlanSample.job("a", upgrades: [["w1"]], hooks: Self.all)
        let second = try PlanSample.job("b", upgrades: [["w1"], ["w2"]])
        var machine = StepMachine(StepGraph(try PlanSample.plan(waves: [[first, second]])))
        var order: [String] = []
        var commands = machine.advance()[...]
        while let command = commands.popFirst() {
            switch command {
            case .check(let steps), .admit(let steps): commands += machine.checked(steps, isStale: false)
            case .perform(let step, _), .settle(let step, _):
                let id = machine.graph.steps[step].id.text
                order.append(id)
                commands += machine.finished(step, id == "a/upgrade/1/w1/push" ? .failed : .succeeded)
            case .promote(let attempts): commands += machine.promoted(attempts.map(\.step))
            }
        }
        #expect(order.last?.hasPrefix("a/upgrade/1/w1/after_allocation/") == true || order.contains("b/upgrade/1/gate"))
        #expect(!order.contains { $0.hasPrefix("b/upgrade/2") })
        #expect(machine.result == .failed)
    }

    /// Carries out what the machine commands, one step after the other.
    private func run(
        _ machine: inout StepMachine,
        _ outcome: (StepID) -> (StepMachine.Outcome, failing: [WorkerName]) = { _ in (.succeeded, []) },
        meanwhile: (StepID, inout StepMachine) -> Void = { _, _ in }
    ) -> [String] {
        var found: [StepID] = []
        var commands = machine.advance()[...]
        while let command = commands.popFirst() {
            switch command {
            case .check(let steps), .admit(let steps): commands += machine.checked(steps, isStale: false)
            case .perform(let step, _), .settle(let step, _):
                let id = machine.graph.steps[step].id
                found.append(id)
                meanwhile(id, &machine)
                let (outcome, failing) = outcome(id)
                commands += machine.finished(step, outcome, failing: failing)
            case .promote(let attempts): commands += machine.promoted(attempts.map(\.step))
            }
        }
        return short(found)
    }
}

extension Simulation {
    /// Hooks that come last follow everything else of their allocation; one for a well allocation follows its promote, and a
    /// gate that has not named it.
    mutating func check(_ step: StepIndex, in hooks: StepGraph.AfterHooks, of unit: StepGraph.Unit) {
        let id = graph.steps[step].id
        guard let own = hooks.chains.first(where: { $0.steps.contains(step) }),
            case .batch(let batch) = unit.stages[own.batch]
        else { return violations.append("\(id) belongs to no allocation") }
        let chain = batch.chains[own.chain]
        if chain.steps.first.flatMap({ recorded[graph.steps[$0].id] }) == nil {
            violations.append("\(id) begins, and nothing of its allocation has begun")
        }
        for other in chain.allSteps where recorded[graph.steps[other].id]?.state == .started {
            violations.append("\(id) begins before \(graph.steps[other].id) has ended")
        }
        guard own.healthy.contains(step) else { return }
        if !chain.allSteps.allSatisfy(isDone) { violations.append("\(id) begins, and its allocation is not done") }
        guard let gate = hooks.gate, !isDone(gate), let worker = graph.steps[step].worker else { return }
        let gateID = graph.steps[gate].id
        if recorded[gateID]?.state != .failed || gateFailing[gateID]?.contains(worker) != false {
            violations.append("\(id) begins, and the gate has not found it well")
        }
    }

    /// When a job has failed or succeeded, the last hooks were tried for everything that had begun, and of which it is known
    /// how it ended.
    mutating func checkEnd(_ machine: StepMachine) {
        // What is stale waits for a person.
        if machine.result == .stale { return }
        for (index, unit) in graph.units.indexed {
            switch machine.state(of: index) {
            case .succeeded, .failed: break
            case .waiting, .running, .unknown, .blocked: continue
            }
            for case .afterHooks(let hooks) in unit.stages {
                for own in hooks.chains {
                    guard case .batch(let batch) = unit.stages[own.batch],
                        let first = batch.chains[own.chain].steps.first,
                        recorded[graph.steps[first].id] != nil, let last = own.after.first,
                        !batch.chains[own.chain].allSteps.contains(where: {
                            recorded[graph.steps[$0].id]?.state == .started
                        })
                    else { continue }
                    switch recorded[graph.steps[last].id]?.state {
                    case .succeeded, .failed: continue
                    default: violations.append("\(graph.steps[last].id) was not tried, and the run has ended")
                    }
                }
            }
        }
    }
}

extension StepGraph.Unit {
    /// Whether it is a gate behind which hooks wait.
    func isAskedInSpiteOfFailures(_ step: StepIndex) -> Bool {
        stages.contains { if case .afterHooks(let hooks) = $0 { hooks.gate == step } else { false } }
    }
}
