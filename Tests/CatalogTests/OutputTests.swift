import Model
import Plans
import Testing

@testable import Catalog

/// What is kept of what steps print, and when processes were at work.
@Suite struct OutputTests {
    private let folder: TemporaryFolder
    private let catalog: Catalog

    init() throws {
        folder = try TemporaryFolder()
        catalog = try Catalog.open(in: folder.path, bucket: bucket)
    }

    private func end(_ run: Run, _ step: String, _ state: StepState, _ output: StepOutput) async throws {
        try await catalog.commit(run, begin(step))
        try await catalog.commit(
            run, .outcome(step: StepID(step), attempt: 1, state: state, exitStatus: 0, output: output))
    }

    @Test func theSizeOfTheWholeIsKeptWithItsEnd() async throws {
        let run = try catalog.begin()
        try await end(run, "a", .succeeded, StepOutput(stdout: [1, 2], stderr: [], stdoutSize: 70_000, stderrSize: 0))
        let output = try #require(try catalog.output(of: run.id, step: StepID("a")))
        #expect(output == StepOutput(stdout: [1, 2], stderr: [], stdoutSize: 70_000, stderrSize: 0))
        #expect(output.mapped { _ in [9] }.stdoutSize == 70_000)
    }

    @Test func outputsComeInTheOrderInWhichTheyWereRecorded() async throws {
        let run = try catalog.begin()
        for step in ["c", "a", "b"] {
            try await end(run, step, .succeeded, StepOutput(stdout: Array(step.utf8), stderr: []))
        }
        let first = try catalog.outputs(of: run.id, after: 0, limit: 2)
        #expect(first.map(\.step.text) == ["c", "a"])
        let rest = try catalog.outputs(of: run.id, after: try #require(first.last).place, limit: 2)
        #expect(rest.map(\.step.text) == ["b"])
        #expect(rest.first?.output.stdout == Array("b".utf8))
    }

    @Test func ofARunThatHasPrintedMuchSuccessesKeepAShortEndAndFailuresAll() async throws {
        let run = try catalog.begin()
        let long = StepOutput(
            stdout: [UInt8](repeating: 7, count: StepOutput.limit),
            stderr: [UInt8](repeating: 8, count: StepOutput.limit))
        let enough = CatalogLimits.outputOfRun / (2 * StepOutput.limit)
        for number in 1...enough { try await end(run, "s\(number)", .succeeded, long) }
        try await end(run, "later", .succeeded, long)
        try await end(run, "failed", .failed, long)
        func kept(_ step: String, in catalog: Catalog) throws -> Int? {
            try catalog.output(of: run.id, step: StepID(step))?.stdout.count
        }
        #expect(try kept("s\(enough)", in: catalog) == StepOutput.limit)
        #expect(try kept("later", in: catalog) == CatalogLimits.shortOutput)
        #expect(try kept("failed", in: catalog) == StepOutput.limit)
        // Another process counts what is there.
        try catalog.close()
        let again = try Catalog.open(in: folder.path, bucket: bucket)
        try await again.commit(run, begin("again"))
        try await again.commit(run, .outcome(step: StepID("again"), attempt: 1, state: .succeeded, output: long))
        #expect(try kept("again", in: again) == CatalogLimits.shortOutput)
    }

    @Test func everyProcessHasItsPartAndAKilledOneNoEnd() throws {
        let run = try catalog.begin()
        try catalog.beginPart(of: run.id, at: at(1), by: "ann@control")
        // Killed.
        try catalog.beginPart(of: run.id, at: at(5), by: "bob@control")
        try catalog.finish(run.id, state: .parked, detail: "lunch", cause: .paused, at: at(7))
        try catalog.beginPart(of: run.id, at: at(9), by: "ann@control")
        try catalog.finish(run.id, state: .running, detail: nil, at: at(9))
        try catalog.finish(run.id, state: .succeeded, detail: nil, at: at(11))
        #expect(
            try catalog.parts(of: run.id) == [
                RunPart(beganAt: at(1), beganBy: "ann@control"),
                RunPart(
                    beganAt: at(5), beganBy: "bob@control", endedAt: at(7), state: .parked, cause: .paused,
                    detail: "lunch"),
                RunPart(beganAt: at(9), beganBy: "ann@control", endedAt: at(11), state: .succeeded),
            ])
    }

    @Test func whatAPersonDecidesLaterChangesNoPartThatHasEnded() throws {
        let run = try catalog.begin()
        try catalog.beginPart(of: run.id, at: at(1), by: "ann@control")
        try catalog.finish(run.id, state: .failed, detail: nil, at: at(2))
        try catalog.finish(run.id, state: .abandoned, detail: "enough", at: at(3))
        #expect(try catalog.parts(of: run.id).map(\.state) == [.failed])
    }

    @Test func durationsOfEarlierRunsLeaveOutTheRun() async throws {
        let first = try catalog.begin()
        try await end(first, "api/start/1/w1/push", .succeeded, StepOutput(stdout: [], stderr: []))
        try catalog.finish(first.id, state: .succeeded, detail: nil, at: at(2))
        let second = try catalog.begin(nonce: "n2")
        try await end(second, "api/start/1/w1/push", .succeeded, StepOutput(stdout: [], stderr: []))
        let api = try #require(JobName("api"))
        #expect(try catalog.durations(of: api)["push"]?.count == 2)
        #expect(try catalog.durations(of: api, before: second.id)["push"]?.count == 1)
        #expect(try catalog.durations(of: api, before: first.id).isEmpty)
    }
}
