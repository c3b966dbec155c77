import Foundation
import Model
import Testing
import Workers

/// What a worker lists where no program of ours has been yet.
@Suite(.serialized)
struct SurveyConformanceTests {
    @Test(arguments: Lab.Shell.installed)
    func listsFilesOfJobsAndWritesNothing(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        for (path, text) in [
            ("Makefile", "all:\n"), ("conf/a b.yml", "a"), ("conf/data/deep", "d"), ("data/db", "x"), ("logs/log", "x"),
            ("bin/tool", "x"), ("odd\nname", "x"), ("back\\slash", "x"),
        ] { try lab.write(text, lab.job(path)) }
        try FileManager.default.setAttributes([.posixPermissions: 0o750], ofItemAtPath: lab.job("Makefile"))
        try FileManager.default.createSymbolicLink(atPath: lab.job("link"), withDestinationPath: "/etc/passwd")
        let before = try FileManager.default.subpathsOfDirectory(atPath: lab.path("")).sorted()
        let (api, web) = (try #require(JobName("api")), try #require(JobName("web")))
        let survey = try await WorkerSurvey.ask(
            Lab.worker, root: lab.rootAsTold, jobs: [web, api], over: lab.transport)
        #expect(survey.jobs[web] == nil, "it has no folder")
        let files = try #require(survey.jobs[api])
        #expect(files.keys.sorted() == ["Makefile", "conf/a b.yml", "conf/data/deep"])
        let makefile = try #require(files["Makefile"])
        #expect(makefile.mode == 0o750)
        #expect(makefile.size == 5)
        #expect(makefile.digest == Digest.of(Array("all:\n".utf8)))
        #expect(makefile.md5 == "7d992ac99c86e8e7b4ee53907da54a65", "of md5sum")
        #expect(try FileManager.default.subpathsOfDirectory(atPath: lab.path("")).sorted() == before)
    }

    @Test func whatIsNoAnswerIsAnError() async throws {
        let lab = try await Lab()
        await #expect(throws: TransportError.self) {
            try await WorkerSurvey.ask(
                Lab.worker, root: lab.rootAsTold, jobs: [], over: Mute(), nonce: "n")
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
