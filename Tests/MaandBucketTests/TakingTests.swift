import MaandBucket
import Model
import Plans
import Testing

/// The rows of Maand's tables, and what is true on the worker.
@Suite struct TakingTests {
    private let id: AllocationID
    private static let old = ["Makefile": "m1", "conf": "c1", "_modules/command_a.py": "h1", "x.tpl": "t1"]
    private static let new = ["Makefile": "m1", "conf": "c2", "_modules/command_a.py": "h1", "x.tpl": "t1"]

    init() throws {
        id = AllocationID(job: try #require(JobName("web")), worker: try #require(WorkerName("10.0.0.1")))
    }

    private func found(_ files: [String: String]) -> [String: FoundFile] {
        files.filter { Taking.isPushed($0.key) }.mapValues {
            FoundFile(md5: $0, digest: Digest.of(Array($0.utf8)), size: 2, mode: 0o755)
        }
    }

    private func taking(
        previous: String?, current: String? = "2", version: String = "1.0", disabled: Bool = false,
        removed: Bool = false,
        there: [String: String]?
    ) -> Taking {
        Taking(
            .init(
                id: id, isDisabled: disabled, isRemoved: removed, targetVersion: "2.0",
                hash: .init(
                    current: current, previous: previous, currentFiles: Self.new, previousFiles: Self.old,
                    version: version)), found: there.map(found))
    }

    @Test func whatIsThereAsPromotedIsPromoted() {
        let taking = taking(previous: "2", there: Self.old)
        #expect(taking.standing == .promoted)
        #expect(taking.version == "1.0")
    }

    @Test func whatWasOnlyPlannedIsPromotedAsBefore() {
        #expect(taking(previous: "1", there: Self.old).standing == .promoted)
    }

    @Test func whatADeployHasPushedAndNotPromotedIsUnfinished() {
        let taking = taking(previous: "1", there: Self.new)
        #expect(taking.standing == .unfinished)
        #expect(taking.version == "1.0")
        #expect(taking.targetVersion == "2.0")
    }

    @Test(arguments: [[:], ["Makefile": "m1"], ["Makefile": "m1", "conf": "other"]])
    func otherFilesAreUnfinished(_ files: [String: String]) {
        #expect(taking(previous: "2", there: files).standing == .unfinished)
        #expect(taking(previous: "2", there: nil).standing == .unfinished)
    }

    @Test func whatWasNeverPromotedIsBegun() {
        #expect(taking(previous: nil, version: "0.0.0", there: Self.new).standing == .begun)
    }

    @Test func whatWasEnabledAgainIsStoppedAndHasItsVersion() {
        let taking = taking(previous: nil, version: "1.0", there: Self.new)
        #expect(taking.standing == .stopped)
        #expect(taking.version == "1.0")
    }

    @Test func aFailedGateIsUnfinished() {
        let taking = taking(previous: "__maand_health_failed__", there: Self.new)
        #expect(taking.standing == .unfinished)
        #expect(taking.hasFailedGate)
    }

    @Test func whatIsDisabledDoesNotRun() {
        #expect(taking(previous: "2", disabled: true, there: Self.old).standing == .stopped)
        let never = taking(previous: nil, version: "0.0.0", disabled: true, there: Self.new).standing
        #expect(never == .nothing("it is disabled, and was never promoted"))
    }

    @Test func whatIsRemovedAndHasFilesIsStillToBeStopped() {
        #expect(taking(previous: "2", removed: true, there: Self.old).standing == .promoted)
    }

    @Test func nothingIsTakenWithoutARowOfFiles() {
        let gone = Taking(.init(id: id, isRemoved: true, targetVersion: "2.0"), found: nil)
        #expect(gone.standing == .nothing("it was removed"))
        let new = Taking(.init(id: id, targetVersion: "2.0"), found: nil)
        #expect(new.standing == .nothing("it was never deployed"))
    }

    // MARK: Trees

    private func entry(_ path: String, _ text: String, _ kind: TreeEntry.Kind = .executable) -> TreeEntry {
        TreeEntry(path: path, kind: kind, digest: Digest.of(Array(text.utf8)), size: text.utf8.count)
    }

    private func planned(_ entries: [TreeEntry]) -> Taking.Planned {
        .init(
            tree: Tree(entries, keepsHooks: true), isSame: { $0.digest == $1.digest },
            isHook: { $0.digest == Digest.of(Array($1.utf8)) })
    }

    @Test func theTreeOfUnchangedFilesIsThePlannedOne() {
        let planned = planned([
            entry("Makefile", "m1"), entry("conf", "c1"), entry("_modules/command_a.py", "h1", .file),
        ])
        let tree = taking(previous: "2", there: Self.old).promotedTree(planned, found: found(Self.old))
        #expect(tree == planned.tree)
    }

    @Test func aChangedHookAndAChangedFileAreChanges() {
        let planned = planned([
            entry("Makefile", "m9"), entry("conf", "c1"), entry("_modules/command_a.py", "h9", .file),
        ])
        let tree = taking(previous: "2", there: Self.old).promotedTree(planned, found: found(Self.old))
        #expect(planned.tree.changes(from: tree).map(\.path) == ["Makefile", "_modules/command_a.py"])
    }

    @Test func theAuthorityOfEachJobAndWhatMaandPutsBesideHooksAreNoFiles() {
        let files = Self.old.merging(["certs/ca.crt": "a", "_modules/maand.py": "p", "_modules/certs/t.key": "k"]) {
            $1
        }
        var row = MaandRecords.Allocation(id: id, targetVersion: "1.0")
        row.hash = .init(current: "2", previous: "2", previousFiles: files, version: "1.0")
        let planned = planned([
            entry("Makefile", "m1"), entry("conf", "c1"), entry("_modules/command_a.py", "h1", .file),
        ])
        let tree = Taking(row, found: found(files)).promotedTree(planned, found: found(files))
        #expect(tree == planned.tree)
    }

    @Test func whatIsKeptOfARenderedFileStandsForIt() {
        var row = MaandRecords.Allocation(id: id, targetVersion: "1.0")
        row.hash = .init(
            current: "2", previous: "2", previousFiles: ["Makefile": "m1", "x": "x1", "x.tpl": "t1"], version: "1.0")
        let there = found(["Makefile": "m1", "x": "x1"])
        let digest = Digest.of(Array("kept".utf8))
        func entry(_ kept: Taking.Kept?) -> TreeEntry? {
            var planned = planned([self.entry("Makefile", "m1"), self.entry("x", "other", .file)])
            planned.kept["x1"] = kept
            return Taking(row, found: there).promotedTree(planned, found: there).entries.first { $0.path == "x" }
        }
        #expect(entry(.bytes(digest, size: 4)) == TreeEntry(path: "x", kind: .file, digest: digest, size: 4))
        #expect(entry(.sealed(digest, size: 4)) == TreeEntry(path: "x", kind: .sealed, digest: digest, size: 4))
        // It may hold secrets, and leaves no digest of its bytes behind.
        for kept in [Taking.Kept.nothing, nil] {
            #expect(entry(kept)?.kind == .sealed)
            #expect(entry(kept)?.digest != there["x"]?.digest)
        }
    }

    @Test func onlyWhatIsAsTheLastBuildWantsItIsDone() {
        #expect(!taking(previous: "2", there: Self.old).isAsWanted, "1.0 runs, and 2.0 is wanted")
        #expect(taking(previous: "2", version: "2.0", there: Self.old).isAsWanted)
        #expect(!taking(previous: nil, version: "2.0", there: Self.new).isAsWanted, "it was enabled again")
        #expect(taking(previous: "2", disabled: true, there: Self.old).isAsWanted)
        #expect(!taking(previous: "2", removed: true, there: Self.old).isAsWanted)
        #expect(Taking(.init(id: id, isRemoved: true, targetVersion: "2.0"), found: nil).isAsWanted)
        #expect(!Taking(.init(id: id, targetVersion: "2.0"), found: nil).isAsWanted)
    }

    @Test func theStateOfARowIsThatOfItsDeploys() {
        func row(_ target: String, _ current: String) -> MaandRecords.Allocation {
            .init(
                id: id, targetVersion: target,
                hash: .init(current: current, previous: "1", currentFiles: Self.new, previousFiles: Self.old))
        }
        #expect(row("1.0", "1").state == row("2.0", "1").state, "a build changes nothing on workers")
        #expect(row("1.0", "1").state != row("1.0", "2").state)
    }

    @Test func ofFilesThatOthersCannotReadNoDigestIsKept() {
        var there = found(Self.old)
        there["conf"]?.mode = 0o600
        let tree = taking(previous: "2", there: Self.old).promotedTree(planned([entry("Makefile", "m1")]), found: there)
        let kept = tree.entries.first { $0.path == "conf" }
        #expect(kept?.kind == .sealed)
        #expect(kept?.digest != there["conf"]?.digest)
    }
}
