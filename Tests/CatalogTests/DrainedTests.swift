import Model
import Plans
import Testing

@testable import Catalog

/// What hooks have drained, as the catalog keeps it.
@Suite struct DrainedTests {
    @Test func aStopOrAHookForWhatIsWellEndsIt() async throws {
        let catalog = try Catalog.inMemory(bucket: "b")
        let run = try catalog.beginRun(
            plan: Digest.of("plan".utf8), nonce: "n", at: Timestamp(milliseconds: 1), by: "ann", workers: [])
        let names = ["w1", "w2", "w3", "w4"]
        let all = try names.map {
            AllocationID(job: try #require(JobName("api")), worker: try #require(WorkerName($0)))
        }
        func commit(_ changes: [CatalogChange]) async throws {
            try await catalog.commit(Checkpoint(run: run.id, at: Timestamp(milliseconds: 2), changes: changes))
        }
        let release = Release(version: "1.0.0", content: Digest.of("tree".utf8))
        try await commit(all.prefix(3).map { .promoted($0, release) } + all.map { .drained($0, true) })
        #expect(try catalog.drained(by: RunID(9), of: [all[0].job]) == all)
        #expect(try catalog.drained(by: run.id) == all)
        #expect(try catalog.records(of: all).values.filter(\.isDrained).count == 4)
        #expect(try catalog.snapshot().allocations[all[3]]?.isDrained == true, "also of what was never begun")
        try await commit([.drained(all[0], false), .stopped(all[1], removed: false), .stoppedByHand(all[2])])
        #expect(try catalog.drained(by: run.id) == [all[3]])
        // What is exported is read again.
        let export = CatalogExport(bucket: "b", snapshot: try catalog.snapshot())
        #expect(try CatalogExport.read(export.bytes, file: "export").snapshot == export.snapshot)
        // It follows its worker to another name.
        let rename = Plan.Rename(from: all[3].worker, to: try #require(WorkerName("w9")), generation: "g")
        try await commit([.renamed([rename])])
        #expect(try catalog.drained(by: run.id).map(\.worker.text) == ["w9"])
    }
}
