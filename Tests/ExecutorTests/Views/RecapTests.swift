import Catalog
import Model
import Plans
import RunViews
import StepMachinery
import Testing

/// What people are told at the end of a run, for each of its endings.
@Suite struct RecapTests {
    @Test func aSuccessNamesEachJobWithItsPromotionsAndGates() throws {
        let recap = try Self.recap(.succeeded, succeeded: Self.db + Self.first + Self.second)
        #expect(
            recap.jobLines() == [
                "  db   done  1 promoted, gate passed", "  api  done  2 promoted, 2 of 2 gates passed",
            ])
        #expect(recap.causes.isEmpty)
        #expect(recap.advice == nil)
        #expect(recap.milliseconds == 90_000)
    }

    @Test func aPromotionBeforeItsGateIsNoSuccess() throws {
        let promoted = Self.db + ["api/upgrade/1/w1/push", "api/upgrade/1/w1/restart", "api/upgrade/1/w1/promote"]
        let recap = try Self.recap(.parked, succeeded: promoted)
        #expect(recap.jobs[1].count(.done) == 0)
        #expect(
            recap.jobLines()[1]
                == "  api  begun  1 promoted, gate not passed yet, 1 not begun, 0 of 2 gates passed")
        let failed = try Self.recap(
            .failed, succeeded: promoted, other: ["api/upgrade/1/gate": (.failed, "1 of 1 allocations do not pass")])
        #expect(failed.jobs[1].count(.done) == 0)
        #expect(
            failed.jobLines()[1] == "  api  failed  1 promoted, gate failed, 1 not begun, 1 of 2 gates failed")
        #expect(failed.causeLines() == ["  api/upgrade/1/gate has failed: 1 of 1 allocations do not pass"])
    }

    @Test func aGateThatHasToBePassedAgainHasNotPassed() throws {
        let graph = StepGraph(try PlanSample.twoWaves())
        var records = Self.records(succeeded: Self.db + Self.first)
        let gate = StepID("api/upgrade/1/gate")
        records.append(Self.record(gate, .failed, attempt: 2, id: "x-1", detail: "to be passed again"))
        let recap = Recap(Self.run(.parked), [graph], records: records, leftBehind: [])
        #expect(recap.jobs[1].count(.ungated) == 1)
        #expect(recap.causes.isEmpty)
    }

    @Test func aFailureNamesWorkerAndFirstLineOfTheCauseAndWhatItBlocks() throws {
        let recap = try Self.recap(
            .failed, succeeded: ["db/start/1/w1/push"],
            other: ["db/start/1/w1/start": (.failed, "\nexit status 7\nand more of it")])
        #expect(
            recap.lines() == [
                "  db   failed   1 failed, gate not asked", "  api  blocked  2 not begun, 0 of 2 gates passed (by db)",
                "  db/start/1/w1/start has failed: exit status 7",
            ])
        #expect(recap.advice?.contains("--retry-failed") == true)
    }

    @Test func anUnknownOutcomeAsksForADecision() throws {
        let recap = try Self.recap(
            .failed, succeeded: Self.db + ["api/upgrade/1/w1/push"],
            other: ["api/upgrade/1/w1/restart": (.unknown, nil)])
        #expect(recap.jobs[1].count(.unknown) == 1)
        #expect(recap.lines()[2] == "  api/upgrade/1/w1/restart is unknown")
        #expect(recap.advice?.contains("resolve 1 api/upgrade/1/w1/restart") == true)
    }

    @Test func aStalePlanIsNoFailureOfAStep() throws {
        let recap = try Self.recap(.failed, cause: .stale, succeeded: Self.db)
        #expect(recap.jobLines()[1] == "  api  waiting  2 not begun, 0 of 2 gates passed")
        #expect(recap.advice?.hasPrefix("Restore the expected state") == true)
    }

    @Test func aRunThatCameAsFarAsItWasToHasTheRestBeforeIt() throws {
        let recap = try Self.recap(.parked, cause: .limitReached, succeeded: Self.db)
        #expect(recap.jobs.map(\.state) == [.succeeded, .waiting])
        #expect(recap.advice == "The same command continues it.")
    }

    @Test func anUnreachableWorkerIsNamedAsSuch() throws {
        let recap = try Self.recap(
            .failed, succeeded: Self.db, other: ["api/upgrade/1/w1/push": (.unreachable, "connection refused")])
        #expect(recap.jobs[1].count(.unreachable) == 1)
        #expect(recap.causeLines() == ["  api/upgrade/1/w1/push is unreachable: connection refused"])
    }

    @Test func whatIsLeftBehindIsNeitherDoneNorWaiting() throws {
        let plan = try PlanSample.twoWaves()
        let gone = AllocationID(job: try #require(JobName("api")), worker: try #require(WorkerName("w2")))
        let recap = Recap(
            Self.run(.succeeded), [StepGraph(plan, leftBehind: [.allocation(gone)])],
            records: Self.records(succeeded: Self.db + Self.first + ["api/upgrade/2/gate", "api/complete"]),
            leftBehind: [LeftBehind(.allocation(gone), reason: "no answer")])
        #expect(recap.jobLines()[1] == "  api  done  1 promoted, 1 left behind, 2 of 2 gates passed")
    }

    @Test func whatWasTakenBackIsNoPromotion() throws {
        let plan = try PlanSample.plan(waves: [[try PlanSample.job("api", upgrades: [["w1"], ["w2"]])]])
        var deploy = Deploy(waves: plan.waves)
        deploy.origin = .init(rollback: RunID(1), isPartOfRun: true)
        var back = plan
        back.work = .deploy(deploy)
        let records = Self.records(
            succeeded: Self.first + (Self.first + Self.second).map { "rollback/\($0)" },
            other: ["api/upgrade/2/w2/push": (.failed, "no room")])
        let recap = Recap(
            Self.run(.rolledBack, cause: .rolledBack), [StepGraph(plan), StepGraph(back)], records: records,
            leftBehind: [])
        #expect(recap.jobLines() == ["  api  rolled back  2 taken back, 1 of 2 gates passed"])
        #expect(recap.advice == nil)
    }

    @Test func ofManyJobsThoseThatAreDoneAreCounted() throws {
        let jobs = try (0..<60).map { try PlanSample.job("j\($0)", starts: [["w1"]], hasGate: false) }
        let done = (0..<59).flatMap { job in
            ["push", "start", "promote"].map { "j\(job)/start/1/w1/\($0)" } + ["j\(job)/complete"]
        }
        let recap = Recap(
            Self.run(.failed), [StepGraph(try PlanSample.plan(waves: [jobs]))],
            records: Self.records(succeeded: done, other: ["j59/start/1/w1/push": (.failed, "no room")]), leftBehind: []
        )
        let lines = recap.jobLines()
        #expect(lines.count == 41)
        #expect(lines[0].hasPrefix("  j59  failed"))
        #expect(lines[40] == "  and 20 more jobs, done")
    }

    @Test(arguments: [
        (400, "0.4 s"), (12_900, "12 s"), (133_000, "2 min 13 s"), (120_000, "2 min"), (11_100_000, "3 h 5 min"),
        (187_200_000, "2 d 4 h"),
    ]) func durationsAreSaidAsPeopleDo(milliseconds: Int64, text: String) {
        #expect(durationText(milliseconds: milliseconds) == text)
    }

    // MARK: Samples

    private static let db =
        ["push", "start", "promote"].map { "db/start/1/w1/\($0)" } + ["db/start/gate", "db/complete"]
    private static let first = ["push", "restart", "promote"].map { "api/upgrade/1/w1/\($0)" } + ["api/upgrade/1/gate"]
    private static let second =
        ["push", "restart", "promote"].map { "api/upgrade/2/w2/\($0)" } + ["api/upgrade/2/gate", "api/complete"]

    private static func recap(
        _ state: RunState, cause: RunReason? = nil, succeeded: [String], other: [String: (StepState, String?)] = [:]
    ) throws -> Recap {
        Recap(
            run(state, cause: cause), [StepGraph(try PlanSample.twoWaves())],
            records: records(succeeded: succeeded, other: other), leftBehind: [])
    }

    private static func run(_ state: RunState, cause: RunReason? = nil) -> Run {
        Run(
            id: RunID(1), nonce: "x", plan: Digest.of("p".utf8), state: state, startedAt: Timestamp(milliseconds: 0),
            endedAt: state == .succeeded ? Timestamp(milliseconds: 90_000) : nil, startedBy: "me", baseRevision: 0,
            cause: cause)
    }

    private static func records(succeeded: [String], other: [String: (StepState, String?)] = [:]) -> [StepRecord] {
        succeeded.map { record(StepID($0), .succeeded) }
            + other.sorted { $0.key < $1.key }.map { record(StepID($0.key), $0.value.0, detail: $0.value.1) }
    }

    private static func record(
        _ step: StepID, _ state: StepState, attempt: Int = 1, id: String? = nil, detail: String? = nil
    ) -> StepRecord {
        StepRecord(
            step: step, attempt: attempt, state: state, digest: Digest.of(step.text.utf8),
            attemptID: id ?? "x-\(attempt)", startedAt: Timestamp(milliseconds: 0),
            finishedAt: Timestamp(milliseconds: 1000), detail: detail)
    }
}
