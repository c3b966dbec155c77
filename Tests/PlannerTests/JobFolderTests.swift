import Foundation
import Model
import Planner
import Testing
import YAML

/// What of a job's folder is content, and what is refused.
@Suite struct JobFolderTests {
    private func bucket() throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        return bucket
    }

    private func tree(_ bucket: TestWorkspace) throws -> Tree { try #require(try bucket.plan().trees.first) }

    @Test func leavesOutWhatBelongsToTheWorkerOrToTools() throws {
        let bucket = try bucket()
        for path in [
            "data/x", "logs/x", "_modules/.venv/x", "_modules/venv/x", "node_modules/x", "a/__pycache__/x",
            "sub/data/x",
            "sub/bin/x", ".hidden",
        ] {
            try bucket.write("jobs/api/" + path, "x\n")
        }
        let result = try bucket.plan()
        #expect(
            result.trees.first?.entries.map(\.path) == [
                ".hidden", "Makefile", "app.conf", "manifest.json", "sub/bin/x", "sub/data/x",
            ])
        #expect(result.warnings.map(\.message) == ["job api: folders of the name node_modules are not deployed"])
    }

    @Test func twoSpellingsOfANameAreReported() throws {
        for folder in ["", "sub/", "_modules/"] {
            let bucket = try bucket()
            try bucket.write("jobs/api/\(folder)\u{e9}.conf", "1\n")
            try bucket.write("jobs/api/\(folder)e\u{301}.conf", "2\n")
            let failure = #expect(throws: InputFailure.self) { try bucket.plan() }
            let text = failure.map { "\($0)" } ?? ""
            #expect(text.contains(#""e\u{0301}.conf" and "\u{00E9}.conf" are spellings of one text"#), "\(text)")
        }
    }

    @Test func aNameInAnotherSpellingIsAnotherFile() throws {
        func tree(_ name: String) -> Tree {
            Tree([TreeEntry(path: name, kind: .file, digest: Digest.of([1]), size: 1)])
        }
        let changes = tree("e\u{301}").changes(from: tree("\u{e9}"))
        #expect(changes.map(\.kind) == [.added, .removed])
    }

    /// What is read is named by bytes, and what stands before a folder's name is a folder of its own.
    @Test func readsDeepFoldersAndNamesThatBeginWithAnAccent() throws {
        let bucket = try bucket()
        let paths = [
            "a/b/c/1", "a/b/2", "a/3", "a/b-c/4", "a.b/5", "ab/6", "a/\u{338}b/7", "\u{338}/8", "\u{e9}/a/9",
        ]
        for path in paths { try bucket.write("jobs/api/" + path, "of \(path)\n") }
        let entries = try tree(bucket).entries.filter { paths.contains($0.path) }
        #expect(entries.count == paths.count)
        for entry in entries { #expect(entry.digest == Digest.of("of \(entry.path)\n".utf8)) }
    }

    @Test func leavesOutLinksOfSuchNames() throws {
        let bucket = try bucket()
        let job = bucket.folder + "/jobs/api/"
        try bucket.write("jobs/api/_modules/x.py", "x\n")
        for path in ["_modules/.venv", "_modules/venv", "node_modules", "__pycache__"] {
            try FileManager.default.createSymbolicLink(atPath: job + path, withDestinationPath: "/opt/elsewhere")
        }
        let result = try bucket.plan()
        #expect(
            result.trees.first?.entries.map(\.path) == ["Makefile", "_modules/x.py", "app.conf", "manifest.json"])
        #expect(result.warnings.map(\.message) == ["job api: folders of the name node_modules are not deployed"])
    }

    @Test func onlyTheOwnersExecuteBitCounts() throws {
        let bucket = try bucket()
        try bucket.write("jobs/api/tool", "x\n", mode: 0o700)
        let first = try tree(bucket)
        try bucket.write("jobs/api/tool", "x\n", mode: 0o755)
        try bucket.write("jobs/api/app.conf", "a\n", mode: 0o611)
        #expect(try tree(bucket) == first)
        try bucket.write("jobs/api/tool", "x\n", mode: 0o644)
        #expect(try tree(bucket).changes(from: first).map(\.kind) == [.mode])
    }

    @Test func keepsLinksAndEmptyFolders() throws {
        let bucket = try bucket()
        let job = bucket.folder + "/jobs/api/"
        try FileManager.default.createDirectory(atPath: job + "empty", withIntermediateDirectories: true)
        try bucket.write("jobs/api/sub/x", "x\n")
        for (link, target) in [("a", "app.conf"), ("sub/b", "../app.conf"), ("c", "./sub/x"), ("dangling", "data/x")] {
            try FileManager.default.createSymbolicLink(atPath: job + link, withDestinationPath: target)
        }
        let result = try bucket.plan()
        let kinds = try #require(result.trees.first).entries.reduce(into: [:]) { $0[$1.path] = $1.kind }
        #expect(kinds["empty"] == .emptyDirectory && kinds["sub"] == nil)
        #expect(kinds["a"] == .symlink && kinds["sub/b"] == .symlink)
        // The text of a link is content of its own; an empty folder has none.
        let texts = result.capture.compactMap { item -> String? in
            guard case .bytes(let bytes) = item.source else { return nil }
            #expect(Digest.of(bytes) == item.digest)
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(texts == ["app.conf", "./sub/x", "data/x", "../app.conf"])
    }

    @Test(arguments: [
        "/etc/passwd", "../x", "sub/../../x", "..", "a\nb", "sub/../app.conf",
    ])
    func refusesLinksThatMayLeadOut(_ target: String) throws {
        let bucket = try bucket()
        try FileManager.default.createSymbolicLink(
            atPath: bucket.folder + "/jobs/api/link", withDestinationPath: target)
        #expect(bucket.errors().contains("WS/jobs/api/link: error: job api: the link"))
    }

    @Test func refusesWhatCannotBeDeployed() throws {
        let bucket = try bucket()
        try bucket.write("jobs/api/app.conf.tpl", "x\n")
        try bucket.write("jobs/api/data.tpl", "x\n")
        try bucket.write("jobs/api/_modules/m.py.tpl", "x\n")
        try bucket.write("jobs/api/new\nline", "x\n")
        try bucket.write("jobs/api/bin/run", "x\n")
        try bucket.write("jobs/api/logs", "x\n")
        #expect(mkfifo(bucket.folder + "/jobs/api/fifo", 0o600) == 0)
        let errors = bucket.errors()
        for expected in [
            "WS/jobs/api/bin: error: job api: the name bin is reserved",
            "WS/jobs/api/logs: error: job api: the name logs",
            "WS/jobs/api/app.conf.tpl: error: job api: it becomes app.conf, and that is there, too",
            "WS/jobs/api/data.tpl: error: job api: the name data is reserved",
            "WS/jobs/api/_modules/m.py.tpl: error: job api: templates in _modules are not supported",
            "WS/jobs/api/fifo: error: job api: sockets, devices and named pipes",
            "WS/jobs/api/new\\u{a}line: error: job api: the path contains a control character",
        ] {
            #expect(errors.contains(expected), "\(errors)")
        }
    }

    @Test func eachContentIsCapturedOnceFromWhereItIs() throws {
        let bucket = try bucket()
        try bucket.write("jobs/api/copy.conf", "a\n")
        try bucket.write("jobs/api/zero", "")
        let result = try bucket.plan()
        #expect(Set(result.capture.map(\.digest)).count == result.capture.count)
        for item in result.capture {
            guard case .file(let path) = item.source else { continue }
            #expect(Digest.of(try Data(contentsOf: URL(fileURLWithPath: path))) == item.digest)
        }
        #expect(result.capture.count == 4)
    }
}
