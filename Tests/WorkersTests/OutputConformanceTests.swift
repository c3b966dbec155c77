import Foundation
import Testing

@testable import Workers

/// What a worker promises of the output of attempts, of their time limits, and of what it proves, whatever its shell.
@Suite(.serialized)
struct OutputConformanceTests {
    @Test(arguments: Lab.Shell.installed)
    func dropsTheMiddleOfALargeOutput(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let request = AttemptRequest.shell("echo begin; head -c 90000000 /dev/zero; sleep 3; echo end")
        let result = try #require(try await lab.session.run(request).result)
        #expect(result.exitStatus == 0)
        #expect(result.output.text.hasSuffix("\0end\n"))
        #expect(result.output.total == 90_000_010)
        #expect(result.remarks.count == 1)
        let file = lab.receipts(of: "run1-step-1") + ".out"
        #expect(lab.read(file)?.hasPrefix("begin\n") == true)
        var status = stat()
        #expect(stat(file, &status) == 0)
        #expect(status.st_blocks * 512 <= AttemptResult.outputLimit)
    }

    @Test(arguments: Lab.Shell.installed)
    func namesAProcessThatKeepsTheOutputOpen(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        // A process that was just begun has the output until it has put others in its place.
        try lab.makefile(
            """
            start:
            \t@sleep 1000 & echo $$! >pid
            quiet:
            \t@sleep 1000 >/dev/null 2>&1 & p=$$!; echo $$p >pid; \\
            \tuntil [ /proc/$$p/fd/1 -ef /dev/null ] && [ /proc/$$p/fd/2 -ef /dev/null ]; do :; done

            """)
        let result = try #require(try await lab.session.run(.make("start")).result)
        let process = lab.lines(lab.job("pid"))[0]
        #expect(result.holders == ["\(process) sleep"])
        #expect(result.remarks.first?.contains("process \(process) sleep") == true)
        // It stays known as long as it lives, and its receipt as long as somebody writes there.
        let receipt = lab.receipts(of: "run1-step-1")
        _ = try await lab.session(of: "run2", sequence: 2).preflight(settled: ["run1"])
        #expect(lab.exists(receipt + ".out"))
        #expect(!lab.exists(receipt + ".run"))
        kill(try #require(pid_t(process)), SIGKILL)
        try await eventually("its receipt is gone") { !lab.exists((receipt as NSString).deletingLastPathComponent) }

        let quiet = try await lab.session(of: "run2", sequence: 2).run(.make("quiet", id: "run2-quiet-1"))
        #expect(quiet.result?.remarks == [])
        kill(try #require(pid_t(lab.lines(lab.job("pid"))[0])), SIGKILL)
    }

    @Test(arguments: Lab.Shell.installed)
    func provesWhoActedLast(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let files: Files = ["Makefile": .file("restart:\n\t@true\nbad:\n\t@false\n"), "a": .file("a")]
        #expect(try await lab.push(files, over: [:]) == .pushed)
        let entries = files.entries
        func doubt(_ claim: Claim) async throws -> Doubt? { try await lab.session.doubt(claim, of: "api") }
        #expect(try await doubt(.files(entries)) == nil)
        #expect(try await doubt(.files(Array(entries.dropLast()))) == .otherFiles)
        #expect(try await lab.session.run(.make("restart")).result?.isSuccess == true)
        #expect(try await doubt(.attempt("run1-step-1")) == nil)
        #expect(try await doubt(.attempt("run1-other-1")) == .otherAttempt("run1-step-1"))
        // A comparison changes nothing of it, and where the last word was lost the receipt says it.
        #expect(try await lab.compare(files, over: files) == .asPlanned)
        #expect(try await doubt(.attempt("run1-step-1")) == nil)
        try lab.write("", lab.path("receipts/.lock/api"))
        #expect(try await doubt(.attempt("run1-step-1")) == nil)
        #expect(try await doubt(.attempt("run1-other-1")) == .otherAttempt(nil))
        #expect(try await lab.session.run(.make("bad", id: "run1-bad-1")).result?.isSuccess == false)
        #expect(try await doubt(.attempt("run1-bad-1")) == .otherAttempt("run1-bad-1"))

        try FileManager.default.removeItem(atPath: lab.job(""))
        #expect(try await doubt(.files(entries)) == .noFolder)
        try FileManager.default.removeItem(atPath: lab.path("receipts/generation"))
        #expect(try await doubt(.attempt("run1-step-1")) == .otherReceipts)
    }
}
