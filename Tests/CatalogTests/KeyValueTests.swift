import GRDB
import Model
import Plans
import Testing

@testable import Catalog

@Suite struct KeyValueTests {
    private let folder: TemporaryFolder
    private let catalog: Catalog
    private let variables: KVNamespace
    private let secrets: KVNamespace

    init() throws {
        folder = try TemporaryFolder()
        catalog = try Catalog.open(in: folder.path, bucket: bucket)
        variables = .variables(try #require(JobName("api")))
        secrets = .secrets(try #require(JobName("api")))
    }

    private func put(_ key: String, _ text: String) throws -> Int {
        try catalog.write(KeyValueWrite(variables, key, .text(text)), at: at(0), by: "ann@control")
    }

    private func keep(_ key: String, _ text: String?, _ attempt: WritingAttempt) async throws {
        try await catalog.keep(
            KeyValueWrite(variables, key, text.map { .text($0) } ?? .deletion), of: attempt, at: at(1))
    }

    private func text(_ key: String, in run: RunID? = nil) throws -> String? {
        guard case .text(let text) = try catalog.keyValue(variables, key, in: run)?.value else { return nil }
        return text
    }

    /// A run with hooks `a` and `b` under way.
    private func hooks() async throws -> (run: Run, a: WritingAttempt, b: WritingAttempt) {
        let run = try catalog.begin()
        try await catalog.commit(run, begin("a"), begin("b"))
        return (
            run, WritingAttempt(run: run.id, step: StepID("a"), attempt: 1),
            WritingAttempt(run: run.id, step: StepID("b"), attempt: 1)
        )
    }

    @Test func versionsGrowWithEachChangeAndTheLastSevenStay() throws {
        #expect(try put("k", "1") == 1)
        #expect(try put("k", "1") == 1, "the same text is no change")
        for number in 2...9 { #expect(try put("k", String(number)) == number) }
        #expect(try put("other", "1") == 1)
        #expect(try text("k") == "9")
        try catalog.write(KeyValueWrite(variables, "k", .deletion), at: at(1), by: "ann@control")
        #expect(try catalog.keyValue(variables, "k")?.version == 10)
        #expect(try text("k") == nil)
        #expect(try put("k", "again") == 11)
        let versions = try catalog.read { db in
            try Int.fetchAll(db, sql: "SELECT version FROM kv WHERE key = 'k' ORDER BY version")
        }
        #expect(versions == Array(5...11))
    }

    @Test func anotherSpellingOfAKeyIsRefused() throws {
        #expect(try put("\u{e9}", "1") == 1)
        #expect(throws: KeyValueError.otherSpelling(variables, key: "e\u{301}")) { try put("e\u{301}", "2") }
        #expect(try put("\u{e9}", "2") == 2)
        try catalog.write(KeyValueWrite(variables, "\u{e9}", .deletion), at: at(1), by: "ann@control")
        #expect(try put("e\u{301}", "2") == 1)
    }

    @Test func aHooksWritesTakeEffectWithItsSuccess() async throws {
        _ = try put("k", "before")
        let (run, a, _) = try await hooks()
        try await keep("k", "written", a)
        #expect(try text("k") == "before")
        #expect(try text("k", in: run.id) == "written", "hooks of the run see it at once")
        try await catalog.commit(run, outcome("a", 1, .succeeded))
        #expect(try text("k") == "written")
        #expect(try catalog.keyValue(variables, "k")?.writtenBy == "run 1, a")
        #expect(try catalog.keyValue(variables, "k")?.run == run.id)
    }

    @Test(arguments: [StepState.failed, .unreachable, .skipped])
    func aHooksWritesAreGoneWithAnyOtherOutcome(_ state: StepState) async throws {
        _ = try put("k", "before")
        let (run, a, _) = try await hooks()
        try await keep("k", "written", a)
        try await catalog.commit(run, outcome("a", 1, state))
        #expect(try text("k") == "before")
        #expect(try text("k", in: run.id) == "before")
    }

    @Test func writesOfAnUnknownAttemptWaitForWhatAPersonSays() async throws {
        let (run, a, b) = try await hooks()
        try await keep("k", "a", a)
        try await keep("l", "b", b)
        try await catalog.commit(run, outcome("a", 1, .unknown), outcome("b", 1, .unknown))
        #expect(try text("k", in: run.id) == nil)
        let settled = { (step: String, state: StepState) in
            StepWrite.settle(step: StepID(step), attempt: 1, state: state, by: "ann@control", reason: "looked")
        }
        try await catalog.commit(run, settled("a", .succeeded), settled("b", .failed))
        #expect(try text("k") == "a")
        #expect(try text("l") == nil)
    }

    @Test func writesSurviveTheProcess() async throws {
        let (run, a, _) = try await hooks()
        try await keep("k", "written", a)
        try catalog.close()
        let again = try Catalog.open(in: folder.path, bucket: bucket)
        try await again.commit(run, outcome("a", 1, .succeeded))
        #expect(try again.keyValue(variables, "k")?.value == .text("written"))
    }

    @Test func nothingIsAddedToAnAttemptThatIsOver() async throws {
        let (run, a, _) = try await hooks()
        try await catalog.commit(run, outcome("a", 1, .failed), begin("a", 2))
        await #expect(throws: KeyValueError.attemptEnded(a)) { try await keep("k", "late", a) }
        let second = WritingAttempt(run: run.id, step: a.step, attempt: 2)
        try await keep("k", "second", second)
        #expect(try text("k", in: run.id) == "second")
    }

    @Test func ofTwoHooksTheLastWriteCounts() async throws {
        let (run, a, b) = try await hooks()
        try await keep("k", "first", a)
        try await keep("k", "second", b)
        #expect(try text("k", in: run.id) == "second")
        try await catalog.commit(run, outcome("b", 1, .succeeded))
        try await catalog.commit(run, outcome("a", 1, .succeeded))
        #expect(try text("k") == "second")
    }

    @Test func aDeletionOfAHookHidesTheValueFromItsRun() async throws {
        _ = try put("k", "before")
        let (run, a, _) = try await hooks()
        try await keep("k", nil, a)
        #expect(try text("k", in: run.id) == nil)
        #expect(try text("k") == "before")
        try await catalog.commit(run, outcome("a", 1, .succeeded))
        #expect(try text("k") == nil)
    }

    @Test func anOrderThatAHookPutIsForItsRunAlone() async throws {
        let job = KVNamespace.job(try #require(JobName("api")))
        let (run, a, _) = try await hooks()
        try await catalog.keep(KeyValueWrite(job, "rollout_order", .text("w2,w1")), of: a, at: at(1))
        try await catalog.commit(run, outcome("a", 1, .succeeded))
        #expect(try catalog.keyValue(job, "rollout_order", in: run.id)?.value == .text("w2,w1"))
        #expect(try catalog.keyValue(job, "rollout_order") == nil)
        #expect(try catalog.keyValue(job, "rollout_order", in: RunID(2)) == nil)
        #expect(try catalog.snapshot().jobs.isEmpty)
    }

    @Test func theSnapshotHasVariablesAndNoValueOfASecret() throws {
        _ = try put("k", "1")
        _ = try put("gone", "1")
        try catalog.write(KeyValueWrite(variables, "gone", .deletion), at: at(1), by: "ann@control")
        try catalog.rememberKey("f")
        try catalog.write(
            KeyValueWrite(secrets, "password", try .secret { _ in Array("sealed".utf8) }), at: at(1), by: "ann@control")
        let snapshot = try catalog.snapshot()
        #expect(snapshot.jobs.mapValues(\.variables) == [try #require(JobName("api")): ["k": "1"]])
        let export = CatalogExport(bucket: bucket, snapshot: snapshot)
        #expect(try CatalogExport.read(export.bytes, file: "export") == export)
        // The fingerprint alone.
        #expect(snapshot.jobs.mapValues(\.secrets.keys.first) == [try #require(JobName("api")): "password"])
        #expect(!String(decoding: export.bytes, as: UTF8.self).contains("sealed"))
    }

    @Test func theDatabaseRefusesAnOpenSecret() throws {
        #expect(throws: CatalogError.self) {
            try catalog.write(KeyValueWrite(secrets, "password", .text("open")), at: at(1), by: "ann@control")
        }
        #expect(throws: CatalogError.self) {
            try catalog.rememberKey("f")
            try catalog.write(KeyValueWrite(variables, "k", try .secret { _ in [1] }), at: at(1), by: "ann@control")
        }
    }

    @Test func aNamespaceHasALimitAndDeletedKeysMakeRoom() throws {
        for number in 1...KeyValue.maximumKeys { _ = try put("k\(number)", "1") }
        #expect(throws: KeyValueError.tooManyKeys(variables)) { try put("more", "1") }
        #expect(try put("k1", "2") == 2)
        try catalog.write(KeyValueWrite(variables, "k1", .deletion), at: at(1), by: "ann@control")
        #expect(try put("more", "1") == 1)
    }

    @Test func theEndOfARunForgetsWhatItsHooksShared() async throws {
        let (run, a, b) = try await hooks()
        let worker = try #require(WorkerName("w1"))
        try await catalog.hold(SemaphoreSlot(scope: "api/pre_deploy/lock", capacity: 1, holder: worker, attempt: a))
        try await catalog.hold(SemaphoreSlot(scope: "api/pre_deploy/lock", capacity: 1, holder: worker, attempt: b))
        try catalog.setHookPort(4711, of: run.id)
        #expect(try catalog.hookPort(of: run.id) == 4711)
        try await catalog.commit(run, outcome("b", 1, .failed))
        #expect(try catalog.semaphoreSlots(of: run.id).isEmpty, "a holder that has ended holds nothing")
        try await keep("k", "lost", a)
        try catalog.finish(run.id, state: .abandoned, detail: nil, at: at(2))
        #expect(try catalog.hookPort(of: run.id) == nil)
        #expect(try catalog.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM kv_pending") } == 0)
    }

    @Test func soManySecretsAreReadAndNoMore() async throws {
        let (run, a, _) = try await hooks()
        try catalog.rememberKey("f")
        let write = { (count: Int) in
            try KeyValueWrite(self.secrets, "s", .secret { _ in [UInt8](repeating: 1, count: count) })
        }
        try catalog.write(write(30), at: at(0), by: "ann@control")
        try await catalog.keep(write(20), of: a, at: at(1))
        try await catalog.keep(write(10), of: a, at: at(1))
        #expect(try catalog.storedSecrets(in: [secrets], run: run.id, within: 60)?.count == 3)
        #expect(try catalog.storedSecrets(in: [secrets], run: run.id, within: 59)?.count == nil)
        #expect(try catalog.storedSecrets(in: [secrets, secrets], run: run.id, within: 60)?.count == nil)
        #expect(try catalog.storedSecrets(in: [], run: run.id, within: 0)?.isEmpty == true)
    }
}
