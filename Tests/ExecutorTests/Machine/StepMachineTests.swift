import Model
import Plans
import SimulatedWorkers
import StepMachinery
import Testing
import Windows

/// The machine's rules, held under seeded random interleavings of outcomes, crashes and resumes.
@Suite struct StepMachineTests {
    @Test func aRunGoesOnWithoutWhatItLeavesBehind() throws {
        let job = try PlanSample.job("api", upgrades: [["w1"], ["w2"], ["w3"]], hooks: [.postDeploy: 1])
        let plan = try PlanSample.plan(waves: [[job]])
        let gone = AllocationID(job: job.job, worker: try #require(WorkerName("w2")))
        var simulation = Simulation(StepGraph(plan, leftBehind: [.allocation(gone)]), seed: 1)
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(simulation.violations.isEmpty)
        #expect(!simulation.order.contains { $0.text.contains("w2") })
        #expect(simulation.order.contains { $0.text == "api/post_deploy/w3/command_post_deploy1" })
        let states = StepMachine.states(simulation.graph, recorded: simulation.recorded)
        #expect(Array(states) == [.succeeded])
    }

    @Test func whatIsTakenInAgainIsSeenHealthyBeforeTheJobIsComplete() throws {
        var job = try PlanSample.job("api", upgrades: [["w1"], ["w2"]], hooks: [.postDeploy: 1])
        job.batching.maxUnreachable = 1
        let plan = try PlanSample.plan(waves: [[job]])
        let gone = AllocationID(job: job.job, worker: try #require(WorkerName("w1")))
        var simulation = Simulation(StepGraph(plan, leftBehind: [.allocation(gone)]), seed: 1)
        #expect(simulation.process(crashRate: 0) == .succeeded)
        let before = simulation.order.count
        simulation.takeIn()
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(simulation.violations.isEmpty)
        #expect(
            simulation.order[before...].map(\.text) == [
                "api/upgrade/1/w1/push", "api/upgrade/1/w1/restart", "api/upgrade/1/gate", "api/upgrade/2/gate",
                "api/post_deploy/w1/command_post_deploy1", "api/complete",
            ])
    }

    @Test(arguments: 0..<20) func randomRunsThatLeaveHostsBehindEndForTheOthers(seed: UInt64) throws {
        var random = SeededRandom(seed)
        var simulation = Simulation(StepGraph(try PlanSample.random(&random)), seed: seed)
        simulation.leaveRate = 20
        var result: StepMachine.Result?
        for _ in 0..<200 where result != .succeeded { result = simulation.process(crashRate: 4) }
        #expect(result == .succeeded)
        #expect(simulation.violations.isEmpty)
    }

    @Test func runsAPlanInOrder() throws {
        var simulation = Simulation(StepGraph(try PlanSample.twoWaves()), seed: 1)
        simulation.failureRate = 0
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(
            simulation.order.map(\.text) == [
                "db/start/1/w1/push", "db/start/1/w1/start", "db/start/gate", "db/complete",
                "api/upgrade/1/w1/push", "api/upgrade/1/w1/restart", "api/upgrade/1/gate",
                "api/upgrade/2/w2/push", "api/upgrade/2/w2/restart", "api/upgrade/2/gate", "api/complete",
            ])
    }

    @Test func aFailedActionBlocksDependentsAndSaysSoAgain() throws {
        let graph = StepGraph(try PlanSample.twoWaves())
        var simulation = Simulation(graph, seed: 1)
        simulation.failureRate = 0
        simulation.alwaysFailing = ["db/start/1/w1/start"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.map(\.text) == ["db/start/1/w1/push", "db/start/1/w1/start"])
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.count == 2, "the same command touches nothing")
        simulation.alwaysFailing = []
        #expect(simulation.process(crashRate: 0, retryFailed: true) == .succeeded)
        #expect(simulation.attempts["db/start/1/w1/start"] == 2)
        #expect(simulation.attempts["db/start/1/w1/push"] == 1)
    }

    @Test func aFailedGateIsProbedAgainByTheSameCommand() throws {
        var simulation = Simulation(StepGraph(try PlanSample.twoWaves()), seed: 1)
        simulation.failureRate = 0
        simulation.alwaysFailing = ["api/upgrade/1/gate"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(!simulation.order.contains(StepID("api/upgrade/2/w2/push")))
        simulation.alwaysFailing = []
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(simulation.attempts["api/upgrade/1/w1/restart"] == 1)
    }

    @Test func parkingEndsWhatIsInFlightAndBeginsNothing() throws {
        let graph = StepGraph(try PlanSample.twoWaves())
        var machine = StepMachine(graph)
        #expect(machine.advance() == [.check([0])])
        #expect(machine.checked([0], isStale: false) == [.perform(0, attempt: 1)])
        machine.park()
        #expect(machine.finished(0, .succeeded) == [])
        #expect(machine.result == .parked)
    }

    @Test func nothingOfAStaleBatchBegins() throws {
        var machine = StepMachine(StepGraph(try PlanSample.twoWaves()))
        #expect(machine.advance() == [.check([0])])
        #expect(machine.result == nil)
        #expect(machine.checked([0], isStale: true) == [])
        #expect(machine.result == .stale)
    }

    @Test func aBatchThatWasCheckedWhileParkingDoesNotBegin() throws {
        var machine = StepMachine(StepGraph(try PlanSample.twoWaves()))
        _ = machine.advance()
        machine.park()
        #expect(machine.checked([0], isStale: false) == [])
        #expect(machine.result == .parked)
    }

    @Test func aBatchThatAnEarlierProcessBeganIsCheckedWhereNothingHasBegun() throws {
        let graph = StepGraph(
            try PlanSample.plan(waves: [[PlanSample.job("a", upgrades: [["w1", "w2", "w3"]])]]))
        let step = { (id: String) in try #require(graph.steps.firstIndex { $0.id == StepID(id) }) }
        let recorded: [StepID: StepMachine.Recorded] = [
            StepID("a/upgrade/1/w1/push"): .init(state: .started, attempt: 1)
        ]
        let fresh = [try step("a/upgrade/1/w2/push"), try step("a/upgrade/1/w3/push")]

        var machine = StepMachine(graph, recorded: recorded)
        #expect(machine.advance() == [.check(fresh)])
        let begun = try step("a/upgrade/1/w1/push")
        #expect(
            machine.checked(fresh, isStale: true) == [.settle(begun, attempt: 1)], "what has begun finishes")
        let restart = try step("a/upgrade/1/w1/restart")
        #expect(machine.finished(begun, .succeeded) == [.perform(restart, attempt: 1)])
        let promote = try step("a/upgrade/1/w1/promote")
        #expect(machine.finished(restart, .succeeded) == [.promote([.init(promote, 1)])])
        #expect(machine.promoted([promote]) == [])
        #expect(machine.result == .stale)

        var parking = StepMachine(graph, recorded: recorded)
        parking.park()
        #expect(parking.advance() == [.settle(begun, attempt: 1)])
        #expect(parking.finished(begun, .succeeded) == [])
        #expect(parking.result == .parked)
    }

    /// Twenty-five layers of two jobs, each of which demands both of the layer before.
    @Test func aFailureBlocksAllThatDemandsItHoweverManyWaysLeadThere() throws {
        let waves = try (0..<25).map { layer in
            try ["a", "b"].map { side in
                try PlanSample.job(
                    "\(side)\(layer)", demands: layer == 0 ? [] : ["a\(layer - 1)", "b\(layer - 1)"],
                    upgrades: [["w1"]])
            }
        }
        let graph = StepGraph(try PlanSample.plan(waves: waves, onFailure: .continue))
        var simulation = Simulation(graph, seed: 1)
        simulation.alwaysFailing = ["a0/upgrade/1/w1/push"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.contains(StepID("b0/complete")))
        #expect(simulation.order.allSatisfy { $0.text.hasPrefix("a0/") || $0.text.hasPrefix("b0/") })
        let states = StepMachine.states(graph, recorded: simulation.recorded)
        #expect(Array(states) == [.failed, .succeeded] + Array(repeating: .blocked, count: 48))
    }

    @Test func noMoreJobsOfAWaveRunAtOnceThanThePlanAllows() throws {
        let jobs = try (0..<600).map { try PlanSample.job("j\($0)", upgrades: [["w1"]], hasGate: false) }
        let graph = StepGraph(try PlanSample.plan(waves: [jobs]))
        var simulation = Simulation(graph, seed: 5)
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(simulation.widest == graph.plan.policy.jobParallelism)
    }

    @Test func whatTheWindowHasNoRoomForHoldsItsJobAndNoOther() throws {
        var machine = StepMachine(StepGraph(try PlanSample.independent(onFailure: .stop)))
        let commands = machine.advance()
        #expect(commands.count == 2)
        guard case .check(let first)? = commands.first, case .check(let second)? = commands.last else { return }
        #expect(machine.checked(first, isStale: false, isHeld: true) == [])
        #expect(machine.result == nil)
        #expect(machine.checked(second, isStale: false) == [.perform(second[0], attempt: 1)])
        #expect(machine.finished(second[0], .interrupted) == [], "it was too late for it")
        #expect(machine.result == .parked)
    }

    @Test func continueLetsIndependentJobsGoOn() throws {
        let graph = StepGraph(try PlanSample.independent(onFailure: .continue))
        var simulation = Simulation(graph, seed: 3)
        simulation.failureRate = 0
        simulation.alwaysFailing = ["a/upgrade/1/w1/restart"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.contains(StepID("b/complete")))
        #expect(!simulation.order.contains { $0.text.hasPrefix("a/upgrade/2") })
        #expect(!simulation.order.contains { $0.text.hasPrefix("c/") }, "c demands a")
        #expect(simulation.order.contains(StepID("d/complete")), "d demands b alone")
    }

    /// A job whose three batches have one allocation each, of which one may fail.
    private func tolerant() throws -> StepGraph {
        let job = try PlanSample.job("a", upgrades: [["w1"], ["w2"], ["w3"]], bakeSeconds: 1, maxFailures: 1)
        let dependent = try PlanSample.job("b", demands: ["a"], upgrades: [["w1"]])
        return StepGraph(try PlanSample.plan(waves: [[job], [dependent]], onFailure: .continue))
    }

    @Test func batchesGoOnUpToTheFailuresThatAJobAllows() throws {
        var simulation = Simulation(try tolerant(), seed: 1)
        simulation.alwaysFailing = ["a/upgrade/1/w1/restart"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(
            simulation.order.map(\.text) == [
                "a/upgrade/1/w1/push", "a/upgrade/1/w1/restart", "a/upgrade/1/gate", "a/upgrade/1/bake",
                "a/upgrade/2/w2/push", "a/upgrade/2/w2/restart", "a/upgrade/2/gate", "a/upgrade/2/bake",
                "a/upgrade/3/w3/push", "a/upgrade/3/w3/restart", "a/upgrade/3/gate", "a/upgrade/3/bake",
            ], "the job is not complete, and what demands it does not run")
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.count == 12, "the same command touches nothing")
        simulation.alwaysFailing = []
        #expect(simulation.process(crashRate: 0, retryFailed: true) == .succeeded)
        let rest = simulation.order.dropFirst(12).prefix(5).map(\.text)
        #expect(
            rest == ["a/upgrade/1/w1/restart", "a/upgrade/1/gate", "a/upgrade/1/bake", "a/end/gate", "a/complete"],
            "the batch has to pass its gate with the one that it was passed without")
        #expect(simulation.violations.isEmpty)
    }

    @Test func aGateThatWasPassedWithoutACanaryHoldsTheNextBatch() throws {
        var simulation = Simulation(try tolerant(), seed: 1)
        simulation.alwaysFailing = ["a/upgrade/1/w1/restart", "a/upgrade/2/w2/restart"]
        #expect(simulation.process(crashRate: 0) == .failed)
        simulation.alwaysFailing = ["a/upgrade/1/gate"]
        #expect(simulation.process(crashRate: 0, retryFailed: true) == .failed)
        #expect(simulation.order.suffix(2).map(\.text) == ["a/upgrade/1/w1/restart", "a/upgrade/1/gate"])
        // Also in a process that retries nothing.
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.last == StepID("a/upgrade/1/gate"))
        #expect(simulation.violations.isEmpty)
    }

    @Test func oneFailureTooManyEndsTheJob() throws {
        var simulation = Simulation(try tolerant(), seed: 1)
        simulation.alwaysFailing = ["a/upgrade/1/w1/restart", "a/upgrade/2/w2/push"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.order.last == StepID("a/upgrade/2/w2/push"))
    }

    @Test func aProbeThatWasLeftBecauseTheRunParksIsSettledByTheNextProcess() throws {
        let graph = StepGraph(try PlanSample.twoWaves())
        var simulation = Simulation(graph, seed: 1)
        simulation.alwaysFailing = ["db/start/gate"]
        _ = simulation.process(crashRate: 0)
        let gate = try #require(graph.steps.firstIndex { $0.id == StepID("db/start/gate") })
        var machine = StepMachine(graph, recorded: simulation.recorded)
        #expect(machine.advance() == [.perform(gate, attempt: 2)])
        machine.park()
        #expect(machine.finished(gate, .interrupted) == [])
        #expect(machine.result == .parked)
        var recorded = simulation.recorded
        recorded[StepID("db/start/gate")] = .init(state: .started, attempt: 2)
        var next = StepMachine(graph, recorded: recorded)
        #expect(next.advance() == [.settle(gate, attempt: 2)])
    }

    @Test(arguments: 0..<400)
    func holdsItsRulesUnderCrashes(_ seed: UInt64) throws {
        var random = SeededRandom(seed)
        var plan = try PlanSample.random(&random)
        // The other half has windows that may have no room.
        if seed % 2 == 0 { plan.window = MaintenanceWindow(zone: ZoneDatabase.utc, openings: []) }
        var simulation = Simulation(StepGraph(plan), seed: seed)
        simulation.reorderRate = seed % 3 == 1 ? 60 : 0
        simulation.failureRate = seed % 3 == 0 ? 0 : 8
        simulation.holdRate = seed % 2 == 0 ? 20 : 0
        simulation.staleRate = seed % 5 == 0 ? 10 : 0
        var result: StepMachine.Result?
        var processes = 0
        while result != .succeeded {
            processes += 1
            try #require(processes < 500, "seed \(seed) does not end")
            // A person retries what failed; after a while nothing fails any more, so every run has to end.
            if processes > 20 {
                simulation.failureRate = 0
                simulation.staleRate = 0
                simulation.holdRate = 0
            }
            result = simulation.process(crashRate: processes > 40 ? 0 : 6, retryFailed: true)
        }
        #expect(simulation.violations.isEmpty, "seed \(seed): \(simulation.violations)")
        for step in StepGraph(plan, orders: simulation.graph.orders).steps {
            #expect(simulation.recorded[step.id]?.state == .succeeded, "seed \(seed): \(step.id)")
        }
        // Whatever the order: the same actions, each once.
        func actions(_ ids: some Sequence<StepID>) -> [String] {
            ids.map { id in id.text.split(separator: "/").enumerated().filter { $0.offset != 2 }.map(\.element).joined()
            }
            .sorted()
        }
        let acting = simulation.order.filter { id in
            ["push", "restart", "start"].contains { id.text.hasSuffix("/\($0)") }
        }
        let planned = StepGraph(plan).steps.map(\.id).filter { id in
            ["push", "restart", "start"].contains { id.text.hasSuffix("/\($0)") }
        }
        if simulation.failureRate == 0, processes <= 20 { #expect(actions(acting) == actions(planned), "seed \(seed)") }
    }

    @Test func hooksOfABatchFollowItsTargetsCommandByCommand() throws {
        let plan = try PlanSample.plan(waves: [
            [
                PlanSample.job(
                    "api", upgrades: [["w1", "w2"]], hooks: [.afterAllocationStarted: 2, .preDeploy: 1, .postDeploy: 1])
            ]
        ])
        var simulation = Simulation(StepGraph(plan), seed: 3)
        #expect(simulation.process(crashRate: 0) == .succeeded)
        let order = simulation.order.map(\.text)
        func last(_ part: String) -> Int { order.lastIndex { $0.contains(part) } ?? -1 }
        func first(_ part: String) -> Int { order.firstIndex { $0.contains(part) } ?? .max }
        #expect(last("/pre_deploy/") < first("rollout_order"))
        #expect(first("rollout_order") < first("/push"))
        #expect(last("/restart") < first("command_after_allocation_started1"))
        #expect(last("command_after_allocation_started1") < first("command_after_allocation_started2"))
        #expect(last("command_after_allocation_started2") < first("/gate"))
        #expect(last("/gate") < first("/post_deploy/"))
        #expect(last("/post_deploy/") < first("/complete"))
    }

    @Test func aFailedHookKeepsItsWholeBatchFromBeingPromoted() throws {
        let plan = try PlanSample.plan(waves: [
            [
                PlanSample.job(
                    "api", upgrades: [["w1", "w2"], ["w3"]], hooks: [.afterAllocationStarted: 1], maxFailures: 9)
            ],
            [PlanSample.job("web", demands: ["api"], upgrades: [["w1"]])],
        ])
        var simulation = Simulation(StepGraph(plan), seed: 4)
        let hook = "api/upgrade/1/w2/after_allocation_started/command_after_allocation_started1"
        simulation.alwaysFailing = [hook]
        #expect(simulation.process(crashRate: 0) == .failed)
        for step in ["api/upgrade/1/w1/promote", "api/upgrade/2/w3/push", "web/upgrade/1/w1/push"] {
            #expect(simulation.recorded[StepID(step)] == nil, "\(step)")
        }
        // A retry runs the hook alone, and then promotes.
        simulation.alwaysFailing = []
        #expect(simulation.process(crashRate: 0, retryFailed: true) == .succeeded)
        #expect(simulation.attempts[hook] == 2)
        #expect(simulation.attempts["api/upgrade/1/w2/restart"] == 1)
        #expect(simulation.violations.isEmpty)
    }

    @Test func allocationsBesideAFailedOneGoThroughTheirHooks() throws {
        let plan = try PlanSample.plan(waves: [
            [PlanSample.job("api", upgrades: [["w1", "w2"], ["w3"]], hooks: [.afterAllocationStarted: 1])]
        ])
        var simulation = Simulation(StepGraph(plan), seed: 5)
        simulation.alwaysFailing = ["api/upgrade/1/w2/restart"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.recorded[StepID("api/upgrade/1/w1/promote")]?.state == .succeeded)
        let hook = "after_allocation_started/command_after_allocation_started1"
        #expect(simulation.recorded[StepID("api/upgrade/1/w2/\(hook)")] == nil)
        #expect(simulation.recorded[StepID("api/upgrade/2/w3/push")] == nil)
    }

    @Test func aFailedPreDeployHookKeepsTheJobFromBeginning() throws {
        let plan = try PlanSample.plan(waves: [
            [PlanSample.job("api", upgrades: [["w1"], ["w2"]], hooks: [.preDeploy: 2], maxFailures: 9)]
        ])
        var simulation = Simulation(StepGraph(plan), seed: 6)
        simulation.alwaysFailing = ["api/pre_deploy/w2/command_pre_deploy1"]
        #expect(simulation.process(crashRate: 0) == .failed)
        #expect(simulation.recorded.keys.allSatisfy { $0.text.hasPrefix("api/pre_deploy/") })
        #expect(!simulation.recorded.keys.contains { $0.text.hasSuffix("command_pre_deploy2") })
    }

    @Test func anOrderThatHooksPutCutsTheBatchesAgain() throws {
        let plan = try PlanSample.plan(waves: [
            [PlanSample.job("api", upgrades: [["w1"], ["w2"], ["w3"]], hooks: [.preDeploy: 1])]
        ])
        var simulation = Simulation(StepGraph(plan), seed: 7)
        let order = try ["w3", "w1", "w2"].map { try #require(WorkerName($0)) }
        simulation.orders = [try #require(JobName("api")): order]
        #expect(simulation.process(crashRate: 0) == .succeeded)
        #expect(
            simulation.order.map(\.text).filter { $0.hasSuffix("/restart") }
                == ["api/upgrade/1/w3/restart", "api/upgrade/2/w1/restart", "api/upgrade/3/w2/restart"])
        #expect(simulation.violations.isEmpty)
        // Another process that reads what is recorded sees the same steps.
        let again = StepGraph(plan, orders: simulation.graph.orders)
        #expect(again.units.flatMap(\.steps).map { again.steps[$0].id.text }.contains("api/upgrade/1/w3/restart"))
        #expect(!again.steps.contains { $0.id.text == "api/upgrade/1/w1/restart" })
    }
}

/// Executes a machine's commands in random order, with random outcomes and crashes, and keeps what a database would.
struct Simulation {
    private(set) var graph: StepGraph
    /// Of 100 jobs whose hooks may, how many get another order.
    var reorderRate: UInt64 = 0
    /// Orders that hooks put.
    var orders: [JobName: [WorkerName]] = [:]
    var failureRate: UInt64 = 0
    /// Of a hundred checks.
    var staleRate: UInt64 = 0
    /// Units that had steps in flight at the same time, at most.
    private(set) var widest = 0
    /// Of 100 batches, how many the window has no room for.
    var holdRate: UInt64 = 0
    /// Of 100 allocations whose turn comes, how many are left behind.
    var leaveRate: UInt64 = 0
    private var takenIn = Set<Subject>()
    var alwaysFailing: Set<String> = []
    private(set) var recorded: [StepID: StepMachine.Recorded] = [:]
    /// Steps whose work was done, in the order in which it was.
    private(set) var order: [StepID] = []
    private(set) var attempts: [String: Int] = [:]
    var violations: [String] = []
    /// Where gates last failed.
    private(set) var gateFailing: [StepID: Set<WorkerName>] = [:]
    private var random: SeededRandom

    init(_ graph: StepGraph, seed: UInt64) {
        self.graph = graph
        random = SeededRandom(seed &+ 77)
    }

    /// One process: from its start to its end, or to a crash (nil).
    mutating func process(crashRate: UInt64, retryFailed: Bool = false) -> StepMachine.Result? {
        // Of a process that died after it had recorded an order, the next one reads it.
        let known = orders.filter { job, _ in recorded[StepID("\(job)/rollout_order")]?.state == .succeeded }
        graph = StepGraph(graph.plan, orders: known, leftBehind: graph.leftBehind, takenIn: takenIn)
        var machine = StepMachine(graph, recorded: recorded, retryFailed: retryFailed)
        var pending = machine.advance()
        var flying: [StepIndex] = []
        var held = Set<UnitIndex>()
        while true {
            while !pending.isEmpty {
                switch pending.removeFirst() {
                case .check(let steps):
                    for step in steps where recorded[graph.steps[step].id] != nil {
                        violations.append("\(graph.steps[step].id) is checked after it began")
                    }
                    let isStale = staleRate > 0 && random.below(100) < staleRate
                    let isHeld = !isStale && holds(steps, &held)
                    let leaving = isStale || isHeld ? [] : leaves(steps)
                    machine.leave(Set(leaving))
                    graph.leave(leaving)
                    let commands = machine.checked(steps, isStale: isStale, isHeld: isHeld)
                    if isStale, commands.contains(where: { $0.begins(steps) }) {
                        violations.append("\(steps.map { graph.steps[$0].id }) begin on stale facts")
                    }
                    pending += commands
                case .admit(let steps):
                    for step in steps where recorded[graph.steps[step].id] == nil {
                        violations.append("\(graph.steps[step].id) goes on before it began")
                    }
                    let isHeld = holds(steps, &held)
                    pending += machine.checked(steps, isStale: false, isHeld: isHeld)
                case .perform(let step, let attempt):
                    if graph.comesFirst(step), let row = recorded[graph.steps[step].id], row.attempt + 2 == attempt {
                        reopen(step)
                    }
                    check(step, attempt)
                    if held.contains(graph.places[step].unit), graph.places[step].chain != nil, !graph.mustGoOn(step) {
                        violations.append("\(graph.steps[step].id) begins, and its job is held")
                    }
                    recorded[graph.steps[step].id] = .init(state: .started, attempt: attempt)
                    if attempt > 1 || graph.isTakenIn(step) || graph.comesLast(step) {
                        graph.reopened(by: step).forEach { reopen($0) }
                    }
                    if graph.isLeftBehind(step) { violations.append("\(graph.steps[step].id) was left behind") }
                    flying.append(step)
                case .settle(let step, _):
                    flying.append(step)
                case .promote(let attempts):
                    let steps = attempts.map(\.step)
                    for step in steps { recorded[graph.steps[step].id] = .init(state: .succeeded, attempt: 1) }
                    if crashRate > 0, random.below(100) < crashRate { return nil }
                    pending += machine.promoted(steps)
                }
            }
            if let result = machine.result {
                checkEnd(machine)
                return result
            }
            widest = max(widest, Set(flying.map { graph.places[$0].unit }).count)
            guard !flying.isEmpty else {
                violations.append("nothing in flight and no result")
                return nil
            }
            if crashRate > 0, random.below(100) < crashRate { return nil }
            let step = flying.remove(at: Int(random.below(UInt64(flying.count))))
            let id = graph.steps[step].id
            if case .order = graph.steps[step].task { putOrder(step, &machine) }
            let fails = alwaysFailing.contains(id.text) || (failureRate > 0 && random.below(100) < failureRate)
            let outcome: StepMachine.Outcome = fails && !graph.steps[step].task.isInstant ? .failed : .succeeded
            order.append(id)
            attempts[id.text] = recorded[id]?.attempt
            recorded[id]?.state = outcome == .succeeded ? .succeeded : .failed
            pending = machine.finished(step, outcome, failing: outcome == .failed ? failing(step) : [])
        }
    }

    /// As the runner does: recorded with the step's outcome, before the machine hears of that.
    private mutating func putOrder(_ step: StepIndex, _ machine: inout StepMachine) {
        guard let job = graph.rules(step).job else { return }
        if reorderRate > 0, random.below(100) < reorderRate, orders[job.job] == nil {
            orders[job.job] = job.active.map { ($0, random.below(1000)) }.sorted { $0.1 < $1.1 }.map(\.0)
        }
        guard let order = orders[job.job] else { return }
        machine.reorder(graph.places[step].unit, order)
        graph = machine.graph
    }

    /// As `--retry-failed` does.
    mutating func takeIn() {
        let left = graph.leftBehind
        takenIn = left
        graph = StepGraph(graph.plan, orders: graph.orders, takenIn: left)
    }

    /// Workers that do not answer when their turn comes; nothing of an allocation that is left behind has begun.
    private mutating func leaves(_ steps: [StepIndex]) -> [Subject] {
        guard leaveRate > 0 else { return [] }
        return steps.map(graph.leaving).filter { _ in random.below(100) < leaveRate }
    }

    /// As the catalog does.
    private mutating func reopen(_ probe: StepIndex) {
        let id = graph.steps[probe].id
        guard let row = recorded[id], row.state == .succeeded else { return }
        recorded[id] = .init(state: .pending, attempt: row.attempt + 1)
    }

    /// Where a gate that fails does not pass.
    private mutating func failing(_ gate: StepIndex) -> [WorkerName] {
        let workers = graph.coverage(of: gate)
        let failing = workers.filter { _ in random.below(2) == 0 }
        gateFailing[graph.steps[gate].id] = Set(failing.isEmpty ? workers : failing)
        return failing
    }

    private mutating func holds(_ steps: [StepIndex], _ held: inout Set<UnitIndex>) -> Bool {
        guard holdRate > 0, random.below(100) < holdRate else { return false }
        held.insert(graph.places[steps[0]].unit)
        return true
    }

    private mutating func check(_ step: StepIndex, _ attempt: Int) {
        let id = graph.steps[step].id
        let before = recorded[id]
        if before?.state == .succeeded { violations.append("\(id) is repeated") }
        if before?.state == .started { violations.append("\(id) begins twice") }
        if attempt != (before?.attempt ?? 0) + 1 { violations.append("\(id) has attempt \(attempt)") }
        for unit in graph.units {
            var earlier: [StepIndex] = []
            for stage in unit.stages {
                let own: [StepIndex]
                switch stage {
                case .single(let single): own = [single]
                case .afterHooks(let hooks):
                    if stage.steps.contains(step) { check(step, in: hooks, of: unit) }
                    own = []
                case .batch(let batch):
                    own = stage.steps
                    if own.contains(step) { check(step, in: batch) }
                }
                // A gate also speaks for those beside what has failed.
                if own.contains(step), !unit.isAskedInSpiteOfFailures(step) {
                    let open = earlier.filter { !graph.isLeftBehind($0) }.map { graph.steps[$0] }.filter {
                        recorded[$0.id]?.state != .succeeded
                    }
                    // What completes a job, and the gate before it, ask for all allocations.
                    let isClosing = graph.steps[step].task.isComplete || id.text.hasSuffix("/end/gate")
                    let limit = isClosing ? 0 : graph.rules(step).job?.batching.maxFailures ?? 0
                    if Set(open.map(\.worker)).count > limit || open.contains(where: { $0.worker == nil }) {
                        violations.append("\(id) begins before \(open.map(\.id)) succeeded")
                    }
                    for lower in graph.units where lower.level < unit.level {
                        guard
                            graph.plan.policy.onFailure == .stop
                                || unit.demands.contains(where: { $0 == lower.job })
                        else { continue }
                        for stage in lower.stages {
                            guard case .single(let last) = stage, graph.steps[last].task.isComplete else {
                                continue
                            }
                            if recorded[graph.steps[last].id]?.state != .succeeded {
                                violations.append("\(id) begins before \(graph.steps[last].id)")
                            }
                        }
                    }
                }
                earlier += own
            }
        }
    }
}

extension Simulation {
    /// A hook of a batch follows all of its targets and every hook of the rounds before.
    private mutating func check(_ step: StepIndex, in batch: StepGraph.Batch) {
        for lead in batch.lead where lead < step && !isDone(lead) {
            violations.append("\(graph.steps[step].id) begins before \(graph.steps[lead].id) succeeded")
        }
        let round = graph.places[step].round
        guard round > 0 else { return }
        for chain in batch.chains {
            for other in chain.steps where recorded[graph.steps[other].id]?.state == .started {
                violations.append("\(graph.steps[step].id) begins before \(graph.steps[other].id) has ended")
            }
            for other in chain.hooks.prefix(round - 1) where chain.steps.allSatisfy(isDone) && !isDone(other) {
                violations.append("\(graph.steps[step].id) begins before \(graph.steps[other].id) succeeded")
            }
        }
    }

    func isDone(_ step: StepIndex) -> Bool { recorded[graph.steps[step].id]?.state == .succeeded }
}

extension StepTask {
    fileprivate var isComplete: Bool { if case .complete = self { true } else { false } }

    /// It only records, and so cannot fail.
    fileprivate var isInstant: Bool {
        switch self {
        case .order, .complete: true
        case .push, .target, .remove, .hook, .promote, .gate, .bake, .shell, .boot, .reboot, .pause: false
        }
    }
}

extension StepMachine.Command {
    fileprivate func begins(_ steps: [StepIndex]) -> Bool {
        if case .perform(let step, _) = self { steps.contains(step) } else { false }
    }
}
