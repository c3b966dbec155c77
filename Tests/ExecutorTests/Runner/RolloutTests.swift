import Catalog
import Executor
import Foundation
import Model
import Plans
import SimulatedWorkers
import StepMachinery
import Testing
import UseCases
import Workers

@Suite struct RolloutTests {
    /// Whatever the network swallows, no command runs twice and none is lost.
    @Test(arguments: 0..<12)
    func lostConnections(_ seed: UInt64) async throws {
        let transport = SimulatedTransport(seed: seed, lossRate: 12)
        let bench = try Bench(transport)
        let file = try bench.plan(workers: 6, jobs: 3, batch: 3)
        var processes = 0
        while true {
            processes += 1
            try #require(processes < 200)
            if try await bench.apply(file, retryFailed: true) == .succeeded { break }
        }
        #expect(transport.executions.count == 18)
        #expect(transport.executions.values.allSatisfy { $0 == 1 })
        let allocations = try bench.catalog().allocations()
        #expect(allocations.count == 18)
        #expect(allocations.allSatisfy { $0.record.promoted != nil && $0.record.unfinished == nil })
    }

    @Test(arguments: [-3_600_000, 0, 86_400_000])
    func clockJumps(_ step: Int64) async throws {
        let transport = SimulatedTransport()
        let bench = try Bench(transport, clockStep: step)
        let result = try await bench.apply(bench.plan(workers: 4, jobs: 2, batch: 2))
        #expect(result == .succeeded)
        #expect(transport.executions.count == 8)
    }

    /// A push compares once more. What it finds is a stale fact: nobody has to decide about it, only to put it back.
    @Test func filesThatChangeBetweenTheCheckAndThePush() async throws {
        let transport = SimulatedTransport()
        let bench = try Bench(transport)
        let file = try bench.plan(workers: 2, jobs: 1, batch: 2)
        transport.setDrifting(["w1"])
        for _ in 0..<2 {
            let stopped = try await bench.apply(file)
            #expect(stopped == .stale)
        }
        #expect(transport.executions.count == 1)
        transport.setDrifting([])
        let ended = try await bench.apply(file)
        #expect(ended == .succeeded)
        #expect(transport.executions.count == 2 && transport.executions.values.allSatisfy { $0 == 1 })
    }

    /// It is gone, or its address has been given to another host, or its account was taken away.
    @Test(arguments: [TransportError.Kind.unreachable, .changedHostKey, .unknownHostKey, .authentication])
    func aRemovedWorkerThatIsGoneHoldsNobodyUp(_ kind: TransportError.Kind) async throws {
        let transport = SimulatedTransport()
        let bench = try Bench(transport)
        let first = try await bench.apply(bench.plan(workers: 2, jobs: 1, batch: 2))
        #expect(first == .succeeded)
        let allocation = AllocationID(job: try #require(JobName("j0")), worker: try #require(WorkerName("w1")))
        let record = try bench.catalog().records(of: [allocation])[allocation]
        var plan = try PlanSample.plan(waves: [])
        plan.work.body.reconcile = [
            Plan.Stop(allocation: allocation, reason: .removed, from: try #require(record).fromState, timeout: 5)
        ]
        plan.fleet.workers = [PlanWorker(worker: allocation.worker, address: "w1")]
        transport.setAbsent(["w1"], kind)
        // A worker that is still in the workspace has to be who it was; where it does not answer, its stop waits for it.
        if kind == .unreachable {
            let left = try await bench.apply(PlanFile(plan))
            #expect(left == .succeeded)
        } else {
            await #expect(throws: RolloutError.self) { try await bench.apply(PlanFile(plan)) }
        }
        #expect(try bench.catalog().unfinishedRun() == nil)
        #expect(try bench.catalog().records(of: [allocation])[allocation] == record)
        plan.fleet.workers[0].isRemoved = true
        let second = try await bench.apply(PlanFile(plan))
        #expect(second == .succeeded)
        #expect(try bench.catalog().records(of: [allocation])[allocation]?.state == .removed)
        #expect(bench.warnings.contains { $0.contains("w1") && $0.contains("no route to host") })
    }

    @Test func manyWorkers() async throws {
        let (workers, jobs) = (200, 10)
        let transport = SimulatedTransport()
        let bench = try Bench(transport)
        let file = try bench.plan(workers: workers, jobs: jobs, batch: 500, last: 3)
        let parked = try await bench.apply(file, lastWave: 0)
        #expect(parked == .parked)
        let words = transport.commands
        let ended = try await bench.apply(file)
        #expect(ended == .succeeded)
        #expect(transport.executions.count == workers * (jobs - 1) + 3)
        #expect(transport.executions.values.allSatisfy { $0 == 1 })
        // Only the workers on which something is left are asked again, and nothing that is recorded is repeated.
        #expect(transport.commands - words < 30)
    }
}
