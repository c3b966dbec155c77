import Foundation
import Model
import Testing

@testable import Catalog

/// Backups, what is forgotten with time, and what the store no longer needs.
@Suite struct CatalogCareTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func aBackupIsTheDatabaseOfOneInstantInOneFile() async throws {
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try catalog.begin()
        try catalog.backUp(to: folder.file("copy.db"))
        try await catalog.commit(run, begin("a"))
        #expect(try mode(folder.file("copy.db")) == 0o600)
        let other = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: folder.file("copy.db"), toPath: other.file("maand.db"))
        let copy = try #require(try Catalog.openReadOnly(in: other.path, bucket: bucket))
        #expect(try copy.unfinishedRun() == run)
        #expect(try copy.steps(of: run.id).isEmpty)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasPrefix("copy") }
        #expect(names == ["copy.db"])
        #expect(throws: CatalogError.self) { try catalog.backUp(to: folder.file("copy.db")) }
        #expect(throws: CatalogError.self) { try catalog.backUp(to: folder.file("none/copy.db")) }
    }

    @Test func theDatabaseIsKeptBeforeItsSchemaChanges() throws {
        let first = try Catalog.open(in: folder.path, bucket: bucket)
        let run = try first.begin()
        try first.close()
        let newer = Schema.migrations + ["ALTER TABLE run ADD COLUMN later TEXT"]
        try Catalog.open(in: folder.path, bucket: bucket, migrations: newer).close()
        let kept = folder.file("maand.db.schema-\(Schema.version)")
        try FileManager.default.removeItem(atPath: folder.file("maand.db"))
        try FileManager.default.moveItem(atPath: kept, toPath: folder.file("maand.db"))
        #expect(try Catalog.open(in: folder.path, bucket: bucket).unfinishedRun() == run)
        // What is made anew, or is of this schema, needs no copy.
        #expect(!FileManager.default.fileExists(atPath: kept))
    }

    @Test func outputAndStepsOfOldRunsAreForgotten() async throws {
        let catalog = try Catalog.open(in: folder.path, bucket: bucket)
        let output = StepOutput(stdout: [1], stderr: [])
        var runs: [RunID] = []
        for number in 1...(Catalog.runsWithSteps + 2) {
            let run = try catalog.begin(nonce: "n\(number)")
            runs.append(run.id)
            try await catalog.commit(run, begin("a"))
            let ended = StepWrite.outcome(step: StepID("a"), attempt: 1, state: .succeeded, output: output)
            try await catalog.commit(run, ended)
            try catalog.finish(run.id, state: .succeeded, detail: nil, at: at(2))
        }
        let withOutput = try runs.filter { try catalog.output(of: $0, step: StepID("a")) != nil }
        #expect(withOutput == Array(runs.suffix(Catalog.runsWithOutput + 1)))
        let withSteps = try runs.filter { try !catalog.steps(of: $0).isEmpty }
        #expect(withSteps == Array(runs.suffix(Catalog.runsWithSteps + 1)))
        #expect(try catalog.runs(limit: 1000).count == runs.count)
    }

    @Test func theStoreKeepsWhatIsNeededAndWhatIsYoung() throws {
        let store = ContentStore(in: folder.path)
        let old = try store.put(Array("old".utf8))
        let needed = try store.put(Array("needed".utf8))
        let tree = Tree([TreeEntry(path: "a", kind: .file, digest: needed, size: 6)])
        try store.put(tree)
        let again = try store.put(Array("again".utf8))
        for digest in [old, needed, tree.digest, again] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1000)], ofItemAtPath: store.path(of: digest))
        }
        // What is planned anew is young again.
        try store.put(Array("again".utf8))
        let counted = try store.collect(needed: [tree.digest], youngerThan: 2000, isDryRun: true)
        #expect(counted == .init(objects: 1, bytes: 3, kept: 3))
        #expect(store.contains(old))
        #expect(try store.collect(needed: [tree.digest], youngerThan: 2000, isDryRun: false) == counted)
        #expect([old, needed, tree.digest, again].map(store.contains) == [false, true, true, true])
    }
}
