import Model
import Plans
import StepMachinery
import Testing

/// Chains of reboots in the step machine.
@Suite struct WorkerChainTests {
    /// w1 and w2 in one batch, then w3; the job `api` on w1 and w3.
    private func graph(
        onlyIf: String? = nil, pause: Int = 0, leftBehind: Set<Subject> = [], takenIn: Set<Subject> = []
    ) throws -> StepGraph {
        var plan = try PlanSample.plan(waves: [[PlanSample.job("api", upgrades: [["w1"], ["w3"]])]])
        var job = plan.waves[0].jobs[0]
        job.phases = [
            .init(
                kind: .operation,
                batches: [
                    job.active.map { Plan.Entry(worker: $0, action: .run, reason: .requested, from: "a") }
                ], gate: .none)
        ]
        let (w1, w2, w3) = (try worker("w1"), try worker("w2"), try worker("w3"))
        plan.work = .reboot(
            Reboot(
                .init(command: "reboot", onlyIf: onlyIf, pauseSeconds: pause), options: .init(),
                workers: WorkerBatches([[w1, w2], [w3]]),
                waves: [Plan.Wave(deploymentSequence: 0, jobs: [.operated(job)])]))
        return StepGraph(plan, leftBehind: leftBehind, takenIn: takenIn)
    }

    private func worker(_ name: String) throws -> WorkerName { try #require(WorkerName(name)) }

    private let whole = [
        "api/reboot/1/w1/stop", "@workers/1/w1/boot", "@workers/1/w1/reboot", "api/reboot/1/w1/start",
    ]

    /// Lets everything succeed, one step after the other. `meanwhile` is called after each.
    private func run(
        _ machine: inout StepMachine, _ meanwhile: (StepID, inout StepMachine) -> Void = { _, _ in }
    ) -> [String] {
        var found: [String] = []
        var commands = machine.advance()[...]
        while let command = commands.popFirst() {
            switch command {
            case .check(let steps), .admit(let steps): commands += machine.checked(steps, isStale: false)
            case .perform(let step, _), .settle(let step, _):
                found.append(machine.graph.steps[step].id.text)
                meanwhile(machine.graph.steps[step].id, &machine)
                commands += machine.finished(step, .succeeded)
            case .promote(let attempts): commands += machine.promoted(attempts.map(\.step))
            }
        }
        return found
    }

    @Test func eachWorkerIsStoppedRebootedAndStarted() throws {
        var machine = StepMachine(try graph())
        let order = run(&machine)
        #expect(order.filter { $0.contains("w1") } == whole)
        #expect(order.filter { $0.contains("w2") } == ["@workers/1/w2/boot", "@workers/1/w2/reboot"])
        let gate = try #require(order.firstIndex(of: "api/reboot/1/gate"))
        #expect(order[gate...].dropFirst().first == "api/reboot/2/w3/stop")
        #expect(order.last == "api/reboot/2/gate")
        #expect(machine.result == .succeeded)
    }

    @Test func aChainGoesOnToItsEndWhileTheRunParks() throws {
        for moment in whole {
            var machine = StepMachine(try graph())
            let order = run(&machine) { step, machine in
                if step.text == moment { machine.park() }
            }
            #expect(order.filter { $0.contains("w1") } == whole, "parked at \(moment)")
            #expect(!order.contains { $0.contains("w3") || $0.contains("gate") }, "parked at \(moment)")
            #expect(machine.result == .parked)
            #expect(!machine.isMidChain)
        }
    }

    @Test func whatIsUnderWayIsToldFromWhatIsNot() throws {
        var machine = StepMachine(try graph())
        #expect(!machine.isMidChain)
        let commands = machine.advance()
        guard case .check(let steps)? = commands.first else { return #expect(Bool(false)) }
        #expect(!machine.isMidChain)
        let begun = machine.checked(steps, isStale: false)
        #expect(begun.count == 2 && machine.isMidChain)
        #expect(!steps.contains { machine.graph.mustGoOn($0) })
        let later = machine.graph.indices[StepID("api/reboot/1/w1/start")]
        #expect(later.map { machine.graph.mustGoOn($0) } == true)
    }

    @Test func aWorkerThatNeedsNoRebootIsLeftAlone() throws {
        for spared in [["w1"], ["w1", "w2"]] {
            var machine = StepMachine(try graph(onlyIf: "true", pause: 5))
            let order = run(&machine) { step, machine in
                for name in spared where step.text == "@workers/1/\(name)/only-if" {
                    machine.spare(WorkerName(name) ?? machine.graph.plan.fleet.workers[0].worker)
                }
            }
            #expect(order.filter { $0.contains("w1") } == ["@workers/1/w1/only-if"])
            #expect(order.contains("@workers/1/w2/reboot") == (spared.count == 1))
            // Nothing was rebooted, and nothing is waited for.
            #expect(order.contains("@workers/1/pause") == (spared.count == 1))
            #expect(order.contains("@workers/2/w3/reboot"))
            #expect(machine.result == .succeeded)
        }
    }

    @Test func gatesAreAskedAgainForAWorkerThatIsTakenIn() throws {
        let left = Subject.worker(try worker("w1"))
        var machine = StepMachine(try graph(leftBehind: [left]))
        let before = run(&machine)
        #expect(!before.contains { $0.contains("w1") })
        #expect(machine.result == .succeeded)
        let recorded = Dictionary(
            uniqueKeysWithValues: before.map {
                (StepID($0), StepMachine.Recorded(state: .succeeded, attempt: 1))
            })
        var again = StepMachine(try graph(takenIn: [left]), recorded: recorded)
        #expect(run(&again) == whole + ["api/reboot/1/gate", "api/reboot/2/gate"])
    }

    @Test func othersOfABatchComeToTheirEndWhenOneFails() throws {
        var machine = StepMachine(try graph())
        guard case .check(let first)? = machine.advance().first else { return #expect(Bool(false)) }
        var commands = machine.checked(first, isStale: false)[...]
        var order: [String] = []
        while let command = commands.popFirst() {
            guard case .perform(let step, _) = command else { continue }
            let id = machine.graph.steps[step].id.text
            order.append(id)
            commands += machine.finished(step, id == "@workers/1/w2/boot" ? .failed : .succeeded)
        }
        #expect(order.filter { $0.contains("w1") } == whole)
        #expect(!order.contains { $0.contains("w3") })
        #expect(machine.result == .failed)
    }
}
