import Model
import Plans
import Testing

@testable import UseCases

/// What counts as a difference between a worker and the catalog.
@Suite struct AllocationComparisonTests {
    private let allocation: AllocationID
    private static let promoted = AllocationRecord(promoted: Release(version: "1.0.0", content: Digest.of([1])))

    init() throws {
        allocation = AllocationID(job: try #require(JobName("api")), worker: try #require(WorkerName("w1")))
    }

    private func digest(_ text: String) -> Digest { Digest.of(Array(text.utf8)) }

    private func entry(_ path: String, _ text: String, _ kind: TreeEntry.Kind = .file) -> TreeEntry {
        TreeEntry(path: path, kind: kind, digest: digest(text), size: text.utf8.count)
    }

    private func expected(
        _ path: String, _ text: String, _ kind: TreeEntry.Kind = .file, isSealed: Bool = false
    ) -> AllocationComparison.Expected {
        .init(path: path, kind: kind, digest: digest(text), size: text.utf8.count, isSealed: isSealed)
    }

    private func compare(
        _ expected: [AllocationComparison.Expected], _ found: [TreeEntry]?, unknown: [String] = [],
        isListed: Bool = true,
        manifest: String = "", record: AllocationRecord = Self.promoted
    ) -> AllocationComparison {
        AllocationComparison(
            allocation, record, expected: expected, unknown: unknown,
            found: found.map { .init(entries: $0, manifest: Array(manifest.utf8), isListed: isListed) })
    }

    private func changes(_ comparison: AllocationComparison) -> [String] {
        comparison.files.map { "\($0.path) \($0.change.rawValue) \($0.thing?.rawValue ?? "-")" }
    }

    @Test func aModeAloneIsNoDifference() {
        #expect(compare([expected("a", "x", .executable)], [entry("a", "x")]).difference == nil)
    }

    @Test func eachWayToDifferHasItsWord() {
        let comparison = compare(
            [
                expected("changed", "x"), expected("missing", "x"), expected("to a link", "x"),
                expected("to a folder", "x"),
                expected("link", "x", .symlink), expected("folder", "", .emptyDirectory),
                expected("no folder", "", .emptyDirectory), expected("lost folder", "", .emptyDirectory),
            ],
            [
                entry("changed", "y"), entry("to a link", "x", .symlink), entry("to a folder", "", .emptyDirectory),
                entry("link", "y", .symlink), entry("folder", "", .emptyDirectory), entry("no folder", "x"),
                entry("left", "x"), entry("left folder", "", .emptyDirectory),
            ])
        #expect(
            changes(comparison) == [
                "changed changed file", "left extra file", "link changed link", "missing missing -",
                "no folder replaced file",
                "to a folder replaced folder", "to a link replaced link",
            ])
        #expect(comparison.difference?.kinds == [.files])
        #expect(comparison.difference?.paths == 7)
    }

    @Test func spellingsOfACharacterAreTwoPaths() {
        let comparison = compare([expected("\u{e9}", "x")], [entry("e\u{301}", "x")])
        #expect(comparison.files.map(\.change).sorted { $0.rawValue < $1.rawValue } == [.extra, .missing])
    }

    @Test func withoutAListOfTheWorkerNothingIsLeftOver() {
        #expect(
            compare([expected("a", "x")], [entry("a", "x"), entry("data.db", "x")], isListed: false).difference == nil)
        #expect(compare([expected("link", "x", .symlink)], [], isListed: false).difference == nil)
        #expect(compare([expected("a", "x")], [], isListed: false).difference?.kinds == [.files])
    }

    @Test func aFileWithSecretsIsToldWithoutDigestsAndSizes() throws {
        let comparison = compare([expected("a", "x", .sealed, isSealed: true)], [entry("a", "y")])
        let file = try #require(comparison.files.first)
        #expect(file.isSealed && file.change == .changed)
        #expect(file.expected == nil && file.found == nil && file.expectedSize == nil && file.foundSize == nil)
    }

    @Test func aFileOfWhichNobodyKnowsWhatItIsDoesNotDiffer() {
        #expect(compare([], [entry("a", "y")], unknown: ["a"]).difference == nil)
    }

    @Test func anotherVersionIsInTheManifest() {
        let wanted = [expected("manifest.json", "old")]
        let other = compare(wanted, [entry("manifest.json", "new")], manifest: #"{"version": "2.0.0"}"#)
        #expect(other.difference?.kinds == [.files, .version])
        #expect(other.difference?.found == "2.0.0")
        let same = compare(wanted, [entry("manifest.json", "new")], manifest: #"{"version": "1.0.0", "x": 1}"#)
        #expect(same.difference?.kinds == [.files])
        // A target has made another one of it: that counts as pushed.
        #expect(compare(wanted, [entry("manifest.json", "old")], manifest: #"{"version": "2.0.0"}"#).difference == nil)
    }

    @Test func ofWhatIsUnfinishedNoFileIsCompared() {
        var record = Self.promoted
        record.unfinished = Release(version: "2.0.0", content: Digest.of([2]))
        let comparison = compare([expected("a", "x")], [entry("a", "y")], record: record)
        #expect(comparison.difference?.kinds == [.unfinished])
        #expect(comparison.difference?.unfinished == "2.0.0")
        #expect(comparison.files.isEmpty)
    }

    @Test func whatWasRemovedIsUnexpectedOnlyIfItIsThere() {
        let removed = AllocationRecord(state: .removed)
        #expect(compare([], nil, record: removed).difference == nil)
        let comparison = compare([], [entry("a", "x")], manifest: #"{"version": "1.0.0"}"#, record: removed)
        #expect(comparison.difference?.kinds == [.unexpected])
        #expect(comparison.difference?.found == "1.0.0")
        #expect(compare([], [], record: .none).difference?.kinds == [.unexpected])
    }

    @Test func whatWasStoppedHasToBeThere() {
        for state in [AllocationRecord.State.stopped, .stoppedByHand] {
            var record = Self.promoted
            record.state = state
            #expect(compare([expected("a", "x")], nil, record: record).difference?.kinds == [.gone])
            #expect(compare([expected("a", "x")], [entry("a", "x")], record: record).difference == nil)
        }
    }

    @Test func manyPathsAreCounted() {
        let comparison = compare((0..<500).map { expected("f\($0)", "x") }, [])
        #expect(comparison.files.count == AllocationComparison.pathLimit)
        #expect(comparison.difference?.paths == 500)
    }
}
