import Catalog
import Model
import Plans
import Testing

@testable import Executor

@Suite struct AbsencesTests {
    private func graph(limit: Int, stops: [String] = [], left: [String] = [], starts: [[String]] = []) throws
        -> StepGraph
    {
        var job = try PlanSample.job("api", starts: starts, upgrades: [["w1"], ["w2"], ["w3"]])
        job.batching.maxUnreachable = limit
        var plan = try PlanSample.plan(waves: [[job]])
        plan.work.body.reconcile = try stops.map { worker in
            Plan.Stop(
                allocation: try allocation(worker), reason: .disabled,
                from: FromState(version: "0.9.0", content: Digest.of("old".utf8)), timeout: 1)
        }
        return StepGraph(plan, leftBehind: Set(try left.map { .allocation(try allocation($0)) }))
    }

    private func allocation(_ worker: String) throws -> AllocationID {
        AllocationID(job: try #require(JobName("api")), worker: try #require(WorkerName(worker)))
    }

    private func absences(_ workers: [String], _ graph: StepGraph) throws -> Absences {
        Absences(try workers.map { .init(subject: .allocation(try allocation($0)), reason: "no answer") }, in: graph)
    }

    private func left(_ absences: Absences) -> [String] { absences.leaving.compactMap(\.subject.worker?.text) }

    @Test func aJobGoesOnWithoutAsManyAsItSays() throws {
        let found = try absences(["w1", "w3"], graph(limit: 2))
        #expect(left(found) == ["w1", "w3"] && found.excess.isEmpty)
    }

    @Test func aboveTheLimitNothingOfTheJobIsLeftBehind() throws {
        let found = try absences(["w1", "w3"], graph(limit: 1))
        #expect(found.leaving.isEmpty)
        #expect(found.excess.map { [$0.count, $0.limit, $0.active] } == [[2, 1, 3]])
    }

    @Test func whatWasLeftBehindBeforeCounts() throws {
        let found = try absences(["w3"], graph(limit: 1, left: ["w1"]))
        #expect(found.leaving.isEmpty && found.excess.map(\.count) == [2])
    }

    @Test func aStopNeverCounts() throws {
        let found = try absences(["w8", "w9"], graph(limit: 0, stops: ["w8", "w9"]))
        #expect(left(found) == ["w8", "w9"] && found.excess.isEmpty)
    }

    @Test func aStopCountsWhereTheJobIsStartedElsewhere() throws {
        let moved = try graph(limit: 0, stops: ["w9"], starts: [["w4"]])
        #expect(try absences(["w9"], moved).excess.map(\.count) == [1])
        let allowed = try graph(limit: 1, stops: ["w9"], starts: [["w4"]])
        #expect(left(try absences(["w9"], allowed)) == ["w9"])
    }

    @Test func theListsOfHooksLeaveThemOut() throws {
        let graph = try graph(limit: 1, left: ["w2"])
        let job = try #require(graph.plan.waves.first?.jobs.first)
        #expect(graph.activeWorkers(of: job).map(\.text) == ["w1", "w3"])
        let gate = try #require(graph.steps.firstIndex { if case .gate = $0.task { true } else { false } })
        #expect(graph.coverage(of: gate).map(\.text) == ["w1", "w3"])
    }
}
