import Foundation
import Model
import Testing
import Workers

/// What a worker lists where no program of ours has been yet.
@Suite(.serialized)
struct SurveyConformanceTests {
    @Test(arguments: Lab.Shell.installed)
    func listsTheFilesThatAreAskedForAndWritesNothing(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        for (path, text) in [
            ("Makefile", "all:\n"), ("conf/a b.yml", "a"), ("conf/data/deep", "d"), ("data/db", "x"), ("logs/log", "x"),
            ("bin/tool", "x"), ("odd\nname", "x"), ("back\\slash", "x"), ("ünï", ""),
        ] { try lab.write(text, lab.job(path)) }
        try FileManager.default.setAttributes([.posixPermissions: 0o750], ofItemAtPath: lab.job("Makefile"))
        try FileManager.default.createSymbolicLink(atPath: lab.job("link"), withDestinationPath: "/etc/passwd")
        let before = try FileManager.default.subpathsOfDirectory(atPath: lab.path("")).sorted()
        let (api, web) = (try #require(JobName("api")), try #require(JobName("web")))
        let paths: Set = [
            "Makefile", "conf/a b.yml", "conf/data/deep", "odd\nname", "back\\slash", "ünï", "link", "conf", "no/file",
            "../escape",
        ]
        let survey = try await WorkerSurvey.ask(
            Lab.worker, root: lab.rootAsTold, paths: [web: ["Makefile"], api: paths], over: lab.transport)
        #expect(survey.jobs[web] == nil, "it has no folder")
        let files = try #require(survey.jobs[api])
        #expect(Set(files.keys) == ["Makefile", "back\\slash", "conf/a b.yml", "conf/data/deep", "ünï"])
        #expect(files["back\\slash"]?.digest == Digest.of(Array("x".utf8)))
        #expect(files["ünï"]?.size == 0)
        let makefile = try #require(files["Makefile"])
        #expect(makefile.mode == 0o750)
        #expect(makefile.size == 5)
        #expect(makefile.digest == Digest.of(Array("all:\n".utf8)))
        #expect(makefile.md5 == "7d992ac99c86e8e7b4ee53907da54a65", "of md5sum")
        #expect(try FileManager.default.subpathsOfDirectory(atPath: lab.path("")).sorted() == before)
    }

    @Test(arguments: Lab.Shell.installed)
    func manyFilesAreListedInGroups(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let api = try #require(JobName("api"))
        let names = (0..<4000).map { "f/a-rather-long-name-so-that-no-command-line-has-room-for-all-of-them-\($0)" }
        for name in names { try lab.write(name, lab.job(name)) }
        let survey = try await WorkerSurvey.ask(
            Lab.worker, root: lab.rootAsTold, paths: [api: Set(names)], over: lab.transport)
        let files = try #require(survey.jobs[api])
        #expect(names.allSatisfy { files[$0]?.digest == Digest.of(Array($0.utf8)) })
    }

    @Test(arguments: Lab.Shell.installed)
    func aFileIsFetchedIfItIsStillTheSame(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let api = try #require(JobName("api"))
        for (path, text) in [("Makefile", "all:\n"), ("a b", "blank"), ("back\\slash", "back"), ("empty", "")] {
            try lab.write(text, lab.job(path))
        }
        let found = try #require(
            try await WorkerSurvey.ask(
                Lab.worker, root: lab.rootAsTold, paths: [api: ["Makefile", "a b", "back\\slash", "empty"]],
                over: lab.transport
            ).jobs[api])
        try lab.write("has grown since", lab.job("a b"))
        let wanted = found.sorted { $0.key < $1.key }.map { (path: "api/\($0.key)", file: $0.value) }
        let files = try await WorkerSurvey.files(
            wanted, from: Lab.worker, root: lab.rootAsTold, over: lab.transport)
        #expect(Set(files.values.map { String(decoding: $0, as: UTF8.self) }) == ["all:\n", "back", ""])
    }

    @Test(arguments: Lab.Shell.installed)
    func aCheckRunsInTheBucketsFolder(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.write("all:\n", lab.job("Makefile"))
        func check(_ line: String, timeout: Int = 60) async throws -> String? {
            try await WorkerSurvey.check(
                line, on: Lab.worker, root: lab.rootAsTold, timeout: timeout, over: lab.transport
            ).problem(of: "the check", timeout: timeout)
        }
        #expect(try await check("test -f jobs/api/Makefile") == nil)
        #expect(try await check("echo ill >&2; exit 3") == "the check exited 3: ill")
        #expect(try await check("sleep 600", timeout: 1) == "the check took longer than 1 s")
    }

    @Test func whatIsNoAnswerIsAnError() async throws {
        let lab = try await Lab()
        await #expect(throws: TransportError.self) {
            try await WorkerSurvey.ask(
                Lab.worker, root: lab.rootAsTold, paths: [:], over: Mute(), nonce: "n")
        }
    }

    /// A worker whose login shell says something, and no more.
    private struct Mute: Transport {
        let endsSessions = false
        let reconnectWindow: Duration? = nil
        let answerLimit = Duration.seconds(1)
        func path(_ path: String, on worker: String) -> String { path }
        func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
            CommandResult(exit: .status(0), output: Array("hello\n\n@n begin\n@n job api\n".utf8), errorOutput: [])
        }
        func close() async {}
    }
}
