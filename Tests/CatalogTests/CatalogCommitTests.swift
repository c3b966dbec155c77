import Foundation
import Model
import Plans
import Synchronization
import Testing

@testable import Catalog

@Suite struct CatalogCommitTests {
    let folder: TemporaryFolder
    let catalog: Catalog
    let run: Run

    init() throws {
        folder = try TemporaryFolder()
        catalog = try Catalog.open(in: folder.path, bucket: bucket)
        run = try catalog.begin()
    }

    private func latest(_ step: String) throws -> StepRecord? {
        try catalog.steps(of: run.id).first { $0.step == StepID(step) }
    }

    /// The path of a step up to a state that is to be tested.
    private func bring(_ step: String, to state: StepState) async throws {
        guard state != .pending else { return }
        try await catalog.commit(run, begin(step))
        if state != .started { try await catalog.commit(run, outcome(step, 1, state)) }
    }

    @Test func anAttemptIsRecordedFromItsIntentToItsOutcome() async throws {
        #expect(try catalog.steps(of: run.id).isEmpty)
        try await catalog.commit(Checkpoint(run: run.id, at: at(1), steps: [begin("a")]))
        let started = StepRecord(
            step: StepID("a"), attempt: 1, state: .started, digest: stepDigest, attemptID: "n1/a/1", startedAt: at(1),
            finishedAt: nil, exitStatus: nil, detail: nil)
        #expect(try catalog.steps(of: run.id) == [started])
        let output = StepOutput(stdout: Array("out".utf8), stderr: [0, 255, 10])
        let failed = StepWrite.outcome(
            step: StepID("a"), attempt: 1, state: .failed, exitStatus: 7, detail: "exit status 7", output: output)
        try await catalog.commit(Checkpoint(run: run.id, at: at(2), steps: [failed]))
        let record = try #require(try latest("a"))
        #expect(record.state == .failed && record.exitStatus == 7 && record.detail == "exit status 7")
        #expect(record.startedAt == at(1) && record.finishedAt == at(2))
        #expect(try catalog.output(of: run.id, step: StepID("a")) == output)
        #expect(try catalog.output(of: run.id, step: StepID("b")) == nil)
    }

    @Test func aRetryIsAnotherAttemptAndTheFirstOneStays() async throws {
        try await bring("a", to: .failed)
        try await bring("b", to: .succeeded)
        try await catalog.commit(run, begin("a", 2))
        #expect(try catalog.steps(of: run.id).map(\.attempt) == [2, 1])
        #expect(try catalog.steps(of: run.id).map(\.state) == [.started, .succeeded])
        #expect(try catalog.attempts(of: run.id, step: StepID("a")).map(\.state) == [.failed, .started])
    }

    private func isIllegal(
        _ error: CatalogError, _ step: StepID, _ attempt: Int, _ from: StepState, _ to: StepState
    ) -> Bool {
        guard case .illegalTransition(let run, let itsStep, let itsAttempt, let itsFrom, let itsTo, _) = error else {
            return false
        }
        return (run, itsStep, itsAttempt, itsFrom, itsTo) == (self.run.id, step, attempt, from, to)
    }

    @Test(arguments: StepState.allCases)
    func onlyTheLegalTransitionsAreRecorded(from: StepState) async throws {
        guard from != .blocked else { return }  // No attempt is ever blocked.
        for to in StepState.allCases {
            let step = "\(from)-\(to)"
            try await bring(step, to: from)
            let legal =
                [.started, .unknown].contains(from)
                && [.succeeded, .failed, .unreachable, .unknown, .skipped].contains(to)
            do throws(CatalogError) {
                try await catalog.commit(run, outcome(step, 1, to))
                #expect(legal, "\(step) was recorded")
            } catch {
                #expect(isIllegal(error, StepID(step), 1, from, to))
                #expect(!legal, "\(step) was refused")
            }
            #expect(try latest(step)?.state ?? .pending == (legal ? to : from))
        }
        for attempt in 0...3 {
            let step = "\(from)-begin-\(attempt)"
            try await bring(step, to: from)
            let next = from == .pending ? 1 : [.failed, .unreachable].contains(from) ? 2 : nil
            do throws(CatalogError) {
                try await catalog.commit(run, begin(step, attempt))
                #expect(attempt == next, "\(step) was recorded")
            } catch {
                #expect(isIllegal(error, StepID(step), attempt, from, .started))
                #expect(attempt != next, "\(step) was refused")
            }
        }
    }

    @Test(arguments: StepState.allCases)
    func whatHasSucceededIsReopenedOnce(_ state: StepState) async throws {
        guard state != .blocked else { return }
        try await bring("gate", to: state)
        let before = try latest("gate")
        for _ in 0..<2 { try await catalog.commit(run, .reopen(step: StepID("gate"), reason: "a is tried again")) }
        guard [.succeeded, .skipped].contains(state) else {
            #expect(try latest("gate") == before)
            return
        }
        let record = try #require(try latest("gate"))
        #expect(record.state == .failed && record.attempt == 2 && record.detail == "a is tried again")
        try await catalog.commit(run, begin("gate", 3))
    }

    @Test func theDatabaseItselfKeepsAnOutcome() async throws {
        try await bring("a", to: .succeeded)
        #expect(throws: (any Error).self) { try catalog.execute("UPDATE attempt SET state = 'failed'") }
        #expect(throws: (any Error).self) {
            try catalog.execute("UPDATE attempt SET state = 'started', finished_at = NULL")
        }
        #expect(try latest("a")?.state == .succeeded)
    }

    @Test func onlyAPersonsWordSettlesWhatIsUnknownAndItIsRecorded() async throws {
        func settle(_ step: String) -> StepWrite {
            .settle(step: StepID(step), attempt: 1, state: .failed, by: "bob@control", reason: "saw it down")
        }
        try await bring("a", to: .unknown)
        try await catalog.commit(Checkpoint(run: run.id, at: at(8), steps: [settle("a")]))
        #expect(try latest("a")?.state == .failed)
        #expect(try latest("a")?.detail == "settled by bob@control: saw it down")
        let decision = Decision(
            at: at(8), by: "bob@control", run: run.id, step: StepID("a"), what: .resolveFailed, reason: "saw it down")
        #expect(try catalog.decisions(run.id) == [decision])
        try await bring("b", to: .started)
        await #expect(throws: CatalogError.self) { try await catalog.commit(run, settle("b")) }
        #expect(try catalog.decisions(run.id).count == 1)
    }

    @Test func anIllegalTransitionSaysWhatItWas() async throws {
        try await bring("api/upgrade/1/w1/restart", to: .succeeded)
        let error = await #expect(throws: CatalogError.self) {
            try await catalog.commit(run, begin("api/upgrade/1/w1/restart", 2))
        }
        let text = "\(try #require(error))"
        #expect(text.contains("run 1, step api/upgrade/1/w1/restart, attempt 2: started cannot follow succeeded"))
    }

    @Test func outputsAndDetailsAreBounded() async throws {
        try await bring("a", to: .started)
        let long = [UInt8](repeating: 65, count: 100) + [UInt8](repeating: 66, count: StepOutput.limit)
        let outcome = StepWrite.outcome(
            step: StepID("a"), attempt: 1, state: .failed, exitStatus: 1,
            detail: String(repeating: "ü", count: CatalogLimits.detail),
            output: StepOutput(stdout: long, stderr: []))
        try await catalog.commit(run, outcome)
        let output = try #require(try catalog.output(of: run.id, step: StepID("a"), attempt: 1))
        #expect(output.stdout == [UInt8](repeating: 66, count: StepOutput.limit) && output.stderr.isEmpty)
        let detail = try #require(try latest("a")?.detail)
        #expect(detail.utf8.count <= CatalogLimits.detail && detail.hasSuffix("ü..."))
    }

    @Test func checkpointsThatWaitTogetherShareATransaction() async throws {
        let before = catalog.groupCommits.load(ordering: .relaxed)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<500 {
                group.addTask {
                    try await catalog.commit(run, begin("s\(number)"))
                    try await catalog.commit(run, outcome("s\(number)", 1, .succeeded, exit: 0))
                }
            }
            try await group.waitForAll()
        }
        let transactions = catalog.groupCommits.load(ordering: .relaxed) - before
        #expect(transactions < 500, "1000 transitions took \(transactions) transactions")
        #expect(try catalog.steps(of: run.id).count { $0.state == .succeeded } == 500)
    }

    @Test func anIllegalCheckpointFailsAloneInItsGroup() async throws {
        try await bring("done", to: .succeeded)
        // Held up by another process's transaction, all of them wait and become one group.
        let other = try OtherWriter(catalog.path)
        let before = catalog.groupCommits.load(ordering: .relaxed)
        let refused = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let illegal = number % 10 == 0
                    do throws(CatalogError) {
                        try await catalog.commit(run, begin("s\(number)"), begin(illegal ? "done" : "t\(number)"))
                        #expect(!illegal)
                        return false
                    } catch {
                        #expect(illegal && isIllegal(error, StepID("done"), 1, .succeeded, .started))
                        return true
                    }
                }
            }
            try await eventually("a hundred are waiting") { catalog.waiting.withLock(\.count) == 100 }
            try other.release()
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(refused == 10)
        #expect(catalog.groupCommits.load(ordering: .relaxed) - before == 1)
        #expect(try catalog.steps(of: run.id).count == 181, "90 pairs and `done`")
    }

    @Test(.enabled(if: canMount)) func onAFullDiskNothingHoldsThatWasNotAcknowledged() async throws {
        try shell("mount -t tmpfs -o size=1m none '\(folder.path)'")
        defer { _ = try? shell("umount -l '\(folder.path)'") }
        let small = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try small.begin()
        let one = try allocation("api", "10.0.0.1")
        let noise = StepOutput(stdout: [UInt8](repeating: 1, count: StepOutput.limit), stderr: [])
        var acknowledged = 0
        let error = await #expect(throws: CatalogError.self) {
            for number in 1...100 {
                let release = Release(version: "\(number).0.0", content: stepDigest)
                let step = StepID("s\(number)")
                let steps = [
                    begin("s\(number)"), .outcome(step: step, attempt: 1, state: .succeeded, output: noise),
                ]
                try await small.commit(
                    Checkpoint(run: run.id, at: at(1), steps: steps, changes: [.promoted(one, release)]))
                acknowledged = number
            }
        }
        #expect(error == .diskFull(path: folder.file("maand.db")))
        #expect(acknowledged > 0)
        #expect(try small.steps(of: run.id).count == acknowledged)
        #expect(try small.snapshot().allocations[one]?.promoted?.version == "\(acknowledged).0.0")
        try shell("mount -o remount,size=16m '\(folder.path)'")
        try await small.commit(run, begin("later"))
        try small.close()
        let again = try Catalog.open(in: folder.path, bucket: bucket)
        #expect(try again.steps(of: run.id).count == acknowledged + 1)
        try again.close()
    }

    /// The child commits from several tasks and appends the name of each acknowledged step to a file, until another of
    /// its threads kills it; what it had been told to be safe must be there.
    @Test(arguments: [3, 17, 40]) func everyAcknowledgedCheckpointSurvivesAKill(milliseconds: Int) async throws {
        let folder = folder.path
        try catalog.finish(run.id, state: .abandoned, detail: nil, at: at(1))
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [folder = folder as String, milliseconds = milliseconds as Int] in
            let catalog = try Catalog.open(in: folder, bucket: bucket)
            let run = try catalog.begin(nonce: "child")
            let log = open(folder + "/acknowledged", O_WRONLY | O_CREAT | O_APPEND, 0o600)
            Thread.detachNewThread {
                usleep(UInt32(milliseconds) * 1000)
                kill(getpid(), SIGKILL)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<4 {
                    group.addTask {
                        for number in 0... {
                            try await catalog.commit(run, begin("\(task)-\(number)"))
                            let line = "\(task)-\(number)\n"
                            write(log, line, line.utf8.count)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let text = (try? String(contentsOfFile: folder + "/acknowledged", encoding: .utf8)) ?? ""
        let acknowledged = Set(text.split(separator: "\n").map { StepID(String($0)) })
        let after = try Catalog.open(in: folder, bucket: bucket)
        let child = try #require(try after.unfinishedRun())
        let recorded = Set(try after.steps(of: child.id).map(\.step))
        #expect(acknowledged.isSubset(of: recorded))
        #expect(recorded.subtracting(acknowledged).count <= 4, "at most one a task was in flight")
        #expect(milliseconds < 40 || !acknowledged.isEmpty)
    }
}
