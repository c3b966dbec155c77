import Catalog
import Foundation
import Model
import Plans
import SimulatedWorkers
import StepMachinery
import Synchronization
import Testing
import UseCases
import Windows
import Workers

@testable import Executor

@Suite struct WindowRunTests {
    /// What ran when, in milliseconds of the injected clock.
    private final class Log: Sendable {
        let rows = Mutex<[(worker: String, from: Int64, until: Int64)]>([])
    }

    private static func at(_ text: String) throws -> Timestamp { try #require(Timestamp(utcText: text)) }

    /// Twelve hosts, one after the other; each target takes so many milliseconds.
    private func bench(
        _ window: String, workers: Int = 12, action: Int = 2, target: Int64 = 4000
    ) throws -> (Bench, PlanFile, Log) {
        let transport = SimulatedTransport()
        let bench = try Bench(transport, isVirtual: true)
        var plan = try bench.plan(workers: workers, jobs: 1, batch: 1).plan
        plan.work.body.waves[0].jobs[0].timeouts = .init(action: action, hook: 1, push: 1)
        plan.window = try WindowText.parse(window, database: .system)
        let log = Log()
        bench.whenDone { verb, worker in
            guard verb == "run" else { return }
            let from = bench.now.milliseconds
            bench.advance(target)
            log.rows.withLock { $0.append((worker, from, bench.now.milliseconds)) }
        }
        return (bench, PlanFile(plan), log)
    }

    /// Applies in one opening after the other until the run is done; returns how many it took.
    private func applyInOpenings(_ bench: Bench, _ file: PlanFile, limit: Int = 20) async throws -> Int {
        for opening in 1...limit {
            do {
                let result = try await bench.apply(file)
                if result == .succeeded { return opening }
                #expect(result == .parked)
            } catch is WindowHold {}
            let calendar = WindowCalendar(
                file.plan.window, rules: try #require(ZoneDatabase.system.rules("Europe/Berlin")))
            let now = bench.now
            let next = calendar.openings(from: now, limit: 2).first { $0.from > now }
            bench.setTime(try #require(next).from)
        }
        Issue.record("not done after \(limit) openings")
        return limit
    }

    @Test func twelveBatchesInShortWindows() async throws {
        let (bench, file, log) = try bench("daily 22:00 for 14s in Europe/Berlin")
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        let openings = try await applyInOpenings(bench, file)
        let rows = log.rows.withLock { $0 }
        #expect(rows.count == 12)
        #expect(Set(rows.map(\.worker)).count == 12)
        // Two or three of four seconds each have room in fourteen, as something is expected of the steps around them.
        #expect((4...6).contains(openings))
        let calendar = WindowCalendar(file.plan.window, rules: try #require(ZoneDatabase.system.rules("Europe/Berlin")))
        for row in rows {
            let opening = try #require(calendar.opening(at: Timestamp(milliseconds: row.from)))
            #expect(row.until <= opening.cutoff.milliseconds)
        }
        // The clocks were set forward between the first and the second opening.
        let hours = Set(rows.map { ($0.from / 3_600_000) % 24 })
        #expect(hours == [21, 20])
    }

    @Test func theCutoffCounts() async throws {
        let (bench, file, log) = try bench(
            "daily 22:00 for 40s in Europe/Berlin cutoff 20s", workers: 14, target: 2000)
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        let openings = try await applyInOpenings(bench, file)
        #expect(openings == 2)
        for row in log.rows.withLock({ $0 }) { #expect((row.until / 1000) % 60 <= 20) }
    }

    @Test func outsideNothingIsTouched() async throws {
        let (bench, file, log) = try bench("daily 22:00 for 14s in Europe/Berlin")
        bench.setTime(try Self.at("2026-03-28T12:00:00Z"))
        let hold = await #expect(throws: WindowHold.self) { try await bench.apply(file) }
        #expect(hold?.next?.utcText == "2026-03-28T21:00:00Z")
        #expect(hold?.description.contains("Sat 2026-03-28 22:00:00 +01:00 (2026-03-28T21:00:00Z)") == true)
        #expect(log.rows.withLock { $0.isEmpty } && bench.transport.commands == 0)
        #expect(try bench.catalog().unfinishedRun() == nil)
    }

    @Test func whatNeverFitsIsRefusedBeforeTheStart() async throws {
        let (bench, file, _) = try bench("daily 22:00 for 14s in Europe/Berlin", action: 60)
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        let error = await #expect(throws: RolloutError.self) { try await bench.apply(file) }
        guard case .neverFits("j0/start/1", 71, false)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(bench.transport.commands == 0)
    }

    @Test func aWindowThatIsOver() async throws {
        let (bench, file, _) = try bench("2026-03-28T22:00 for 1h in Europe/Berlin")
        bench.setTime(try Self.at("2026-03-28T22:00:00Z"))
        let error = await #expect(throws: RolloutError.self) { try await bench.apply(file) }
        guard case .windowIsOver? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func startBefore() async throws {
        var (bench, file, _) = try bench("daily 22:00 for 14s in Europe/Berlin", workers: 5)
        var plan = file.plan
        plan.policy.startBefore = try Self.at("2026-03-28T21:00:03Z")
        file = PlanFile(plan)
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        let first = try await bench.apply(file)
        #expect(first == .parked)
        // It has begun, so it may go on.
        let openings = try await applyInOpenings(bench, file)
        #expect(openings > 1)
        plan.policy.startBefore = try Self.at("2026-03-28T21:00:04Z")
        let late = PlanFile(plan)
        await #expect(throws: RolloutError.self) { try await bench.apply(late) }
    }

    @Test func aFreezeThatBeginsHoldsAParkedRunAndNamesTheHosts() async throws {
        let (bench, file, log) = try bench("daily 22:00 for 14s in Europe/Berlin", workers: 6)
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        let first = try await bench.apply(file)
        #expect(first == .parked)
        let done = log.rows.withLock { $0.count }
        try FileManager.default.createDirectory(atPath: bench.folder + "/workspace", withIntermediateDirectories: true)
        try Data("zone: UTC\nfreezes:\n  - {from: \"2026-03-29\", until: \"2026-04-01\", reason: a fair}\n".utf8)
            .write(to: URL(fileURLWithPath: bench.folder + "/workspace/freezes.yaml"))
        bench.setTime(try Self.at("2026-03-29T20:00:00Z"))
        let hold = await #expect(throws: WindowHold.self) { try await bench.apply(file) }
        #expect(hold?.reason == "a freeze holds everything (a fair)")
        #expect(hold?.next?.utcText == "2026-04-01T20:00:00Z")
        #expect(hold?.mixed.first?.hasPrefix("j0: 1.0.0 on w0, w1") == true)
        #expect(log.rows.withLock { $0.count } == done)
        bench.setTime(try Self.at("2026-04-01T20:00:00Z"))
        _ = try await applyInOpenings(bench, file)
        #expect(log.rows.withLock { $0.count } == 6)
    }

    @Test func aClockThatIsSetBackWinsNoTime() async throws {
        let (bench, file, log) = try bench("daily 22:00 for 20s in Europe/Berlin")
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        let open = bench.now.milliseconds
        bench.whenDone { verb, _ in
            guard verb == "run" else { return }
            let from = bench.now.milliseconds
            bench.advance(2000)
            log.rows.withLock { $0.append(("", from, 0)) }
            if log.rows.withLock({ $0.count }) == 2 { bench.setWallClock(forward: -8000) }
        }
        let result = try await bench.apply(file)
        #expect(result == .parked)
        // By the time since the beginning at most nine batches have room, whatever the wall clock says.
        #expect(log.rows.withLock { $0.count } <= 9)
        #expect(bench.warnings.contains { $0.contains("set back by 8 s") })
        #expect(bench.now.milliseconds < open + 20_000)
    }

    @Test func aSuspendedMachineIsNoticed() async throws {
        let (bench, file, log) = try bench("daily 22:00 for 1h in Europe/Berlin")
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        bench.whenDone { verb, _ in
            guard verb == "run" else { return }
            bench.advance(1000)
            log.rows.withLock { $0.append(("", 0, 0)) }
            if log.rows.withLock({ $0.count }) == 3 { bench.suspend(7_200_000) }
        }
        let result = try await bench.apply(file)
        #expect(result == .parked)
        #expect(log.rows.withLock { $0.count } == 3)
        #expect(bench.warnings.contains { $0.contains("suspended for 7200 s") })
        #expect(bench.warnings.contains { $0.contains("after the cutoff") })
    }

    /// While a first half of a batch is done when the window closes, the rest waits, and is done once.
    @Test func whatWasPushedIsNotStartedAfterTheEnd() async throws {
        let (bench, file, log) = try bench("daily 22:00 for 14s in Europe/Berlin", workers: 1)
        bench.setTime(try Self.at("2026-03-28T21:00:00Z"))
        bench.whenDone { verb, _ in
            if verb == "push" { bench.advance(60_000) }
            if verb == "run" { log.rows.withLock { $0.append(("", 0, 0)) } }
        }
        let result = try await bench.apply(file)
        #expect(result == .parked)
        #expect(log.rows.withLock { $0.isEmpty })
        bench.whenDone { verb, _ in
            if verb == "run" { log.rows.withLock { $0.append(("", 0, 0)) } }
        }
        bench.setTime(try Self.at("2026-03-29T20:00:00Z"))
        let second = try await bench.apply(file)
        #expect(second == .succeeded)
        #expect(bench.transport.executions.values.allSatisfy { $0 == 1 } && log.rows.withLock { $0.count } == 1)
    }
}

@Suite struct EstimateTests {
    @Test func theNinthOfTenThenTheTimeouts() throws {
        var plan = try PlanSample.plan(waves: [
            [PlanSample.job("a", upgrades: [["w1", "w2"], ["w3"]], bakeSeconds: 5)]
        ])
        plan.work.body.waves[0].jobs[0].timeouts = .init(action: 60, hook: 1, push: 30)
        let graph = StepGraph(plan)
        let name = try #require(JobName("a"))
        func seconds(_ recorded: [String: [Int64]]) -> Estimate {
            Estimator(graph, recorded: [name: recorded]).batch(unit: 0, stage: 0)
        }
        // Push, restart with its grace, gate (one try of one second) and bake with the gate again.
        #expect(seconds([:]) == Estimate(duration: 30_000 + 60_000 + 10_000 + 1000 + 5000 + 1000, isRecorded: false))
        let ten = (1...10).map { Int64($0) * 100 }
        #expect(
            seconds(["push": ten, "restart": [2000], "gate": [10], "bake": [5100]])
                == Estimate(duration: 900 + 2000 + 10 + 5100))
        // What took longer than it may was interrupted in between.
        #expect(
            seconds(["push": [100], "restart": [2000, 600_000_000], "gate": [10], "bake": [400]])
                == Estimate(duration: 100 + 2000 + 10 + 5000))
    }

    @Test func hooksAroundAllocationsTakeTheirTime() throws {
        let hooks: [HookEvent: Int] = [
            .beforeBatch: 1, .beforeAllocation: 1, .afterAllocationHealthy: 1, .afterAllocation: 1,
        ]
        var plan = try PlanSample.plan(waves: [[PlanSample.job("a", upgrades: [["w1", "w2"], ["w3"]], hooks: hooks)]])
        plan.work.body.waves[0].jobs[0].timeouts = .init(action: 60, hook: 1, push: 30)
        let graph = StepGraph(plan)
        let estimate = Estimator(graph, recorded: [:]).batch(unit: 0, stage: 0)
        // Push, restart with its grace, a gate of one try; and four hooks, each with its grace.
        #expect(estimate == Estimate(duration: 30_000 + 70_000 + 1000 + 4 * 11_000, isRecorded: false))
        // What has ended takes none.
        let rest = Estimator(graph, recorded: [:]).batch(unit: 0, stage: 0) { !graph.comesLast($0) }
        #expect(rest == Estimate(duration: 2 * 11_000, isRecorded: false))
    }

    @Test func whatIsLeftBehindTakesNoTime() throws {
        var plan = try PlanSample.plan(waves: [[PlanSample.job("a", upgrades: [["w1"], ["w2"]])]])
        plan.work.body.waves[0].jobs[0].timeouts = .init(action: 60, hook: 1, push: 30)
        let left = AllocationID(job: try #require(JobName("a")), worker: try #require(WorkerName("w1")))
        let graph = StepGraph(plan, leftBehind: [.allocation(left)])
        let estimate = Estimator(graph, recorded: [:]).batch(unit: 0, stage: 0, isDone: graph.isDone(by: []))
        // The gate alone: one try of one second.
        #expect(estimate == Estimate(duration: 1000, isRecorded: false))
    }

    @Test func verdictsAtTheEdges() throws {
        let window = try WindowText.parse("daily 22:00 for 1h in UTC cutoff 10m", database: .system)
        let calendar = WindowCalendar(window, rules: .utc)
        func verdict(_ time: String, _ seconds: Int64) throws -> Bool {
            let now = try #require(Timestamp(utcText: time))
            if case .begin = WindowGuard.verdict(calendar, at: [now], duration: seconds * 1000) { return true }
            return false
        }
        #expect(try verdict("2026-01-01T22:00:00Z", 3000))
        #expect(try !verdict("2026-01-01T22:00:00Z", 3001))
        #expect(try !verdict("2026-01-01T21:59:59Z", 0))
        #expect(try verdict("2026-01-01T22:50:00Z", 0))
        #expect(try !verdict("2026-01-01T22:50:01Z", 0))
        let now = try #require(Timestamp(utcText: "2026-01-01T22:00:00Z"))
        #expect(
            WindowGuard.verdict(calendar, at: [now, .distantPast], duration: 0)
                != .begin(until: calendar.openings(from: now, limit: 1)[0]))
    }
}
