import Model
import Plans
import Testing
import YAML

@testable import Catalog

@Suite struct CatalogMachineTests {
    let folder: TemporaryFolder
    let catalog: Catalog
    let run: Run
    let release = Release(version: "1.0.0", content: Digest.of(Array("one".utf8)))

    init() throws {
        folder = try TemporaryFolder()
        catalog = try Catalog.open(in: folder.path, bucket: bucket)
        run = try catalog.begin()
    }

    private func worker(_ name: String) throws -> WorkerName { try #require(WorkerName(name)) }

    private func machine(_ number: Int) -> Machine {
        Machine(
            address: "10.0.0.\(number)", port: 22, hostKeys: ["SHA256:a\(number)", "SHA256:b"],
            generation: "g\(number).7")
    }

    private func commit(_ changes: CatalogChange...) async throws {
        try await catalog.commit(Checkpoint(run: run.id, at: at(1), changes: changes))
    }

    private func rename(_ from: String, _ to: String, _ number: Int) throws -> Plan.Rename {
        .init(from: try worker(from), to: try worker(to), generation: "g\(number).7")
    }

    /// `job/worker standing`, and the machine of each worker.
    private func there() throws -> (allocations: [String], machines: [String: String]) {
        let snapshot = try catalog.snapshot()
        return (
            snapshot.allocations.sorted { $0.key < $1.key }.map {
                "\($0.key.job)/\($0.key.worker) \($0.value.state.rawValue)"
            },
            Dictionary(uniqueKeysWithValues: snapshot.machines.map { ($0.key.text, $0.value.generation) })
        )
    }

    @Test func theLastThatWasSeenCounts() async throws {
        try await commit(.seen(try worker("a"), machine(1)), .seen(try worker("a"), machine(2)))
        #expect(try catalog.machines() == [try worker("a"): machine(2)])
    }

    @Test func swappedNamesTakeEverythingAlong() async throws {
        let (one, two) = (try allocation("api", "a"), try allocation("web", "b"))
        try await commit(
            .promoted(one, release), .gateOwed([one]), .began(two, release),
            .promoted(try allocation("both", "a"), release),
            .promoted(try allocation("both", "b"), release), .stopped(try allocation("both", "b"), removed: false),
            .drifted(try allocation("both", "a"), release), .drifted(try allocation("new", "b"), release),
            .seen(try worker("a"), machine(1)), .seen(try worker("b"), machine(2)))
        let before = try catalog.snapshot()
        let renames = [try rename("a", "b", 1), try rename("b", "a", 2)]
        try await commit(.renamed(renames))
        #expect(
            try there().allocations == [
                "api/b active", "both/a stopped", "both/b active", "new/a active", "web/a active",
            ])
        #expect(try there().machines == ["b": "g1.7", "a": "g2.7"])
        #expect(try catalog.snapshot() == before.renamed(renames))
        #expect(try catalog.snapshot().allocations[try allocation("api", "b")]?.owesGate == true)
        #expect(try catalog.snapshot().allocations[try allocation("both", "b")]?.drifted == release)
    }

    @Test func whatWasRemovedUnderANewNameIsForgotten() async throws {
        try await commit(
            .promoted(try allocation("api", "a"), release), .promoted(try allocation("api", "b"), release),
            .stopped(try allocation("api", "b"), removed: true), .seen(try worker("a"), machine(1)),
            .seen(try worker("b"), machine(2)))
        try await commit(.renamed([try rename("a", "b", 1)]))
        #expect(try there().allocations == ["api/b active"])
        #expect(try there().machines == ["b": "g1.7"])
    }

    @Test func aNameThatIsTakenIsNotOverwritten() async throws {
        try await commit(
            .promoted(try allocation("api", "a"), release), .promoted(try allocation("api", "b"), release),
            .seen(try worker("a"), machine(1)))
        await #expect(throws: CatalogError.self) { try await commit(.renamed([try rename("a", "b", 1)])) }
        #expect(try there().allocations == ["api/a active", "api/b active"])
    }

    @Test func anExportHasWhatIsKnown() async throws {
        let empty = CatalogExport(bucket: bucket, snapshot: try catalog.snapshot())
        #expect(!String(decoding: empty.bytes, as: UTF8.self).contains("machines"))
        try await commit(.seen(try worker("a"), machine(1)), .seen(try worker("b"), machine(2)))
        let export = CatalogExport(bucket: bucket, snapshot: try catalog.snapshot())
        #expect(try CatalogExport.read(export.bytes, file: "export") == export)
        let edited = String(decoding: export.bytes, as: UTF8.self).replacing("g1.7", with: "g1")
        #expect(throws: InputFailure.self) { try CatalogExport.read(Array(edited.utf8), file: "export") }
    }
}
