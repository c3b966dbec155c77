import Foundation
import Testing
import Workers

/// What a worker promises of attempts, whatever its shell.
@Suite(.serialized)
struct AttemptConformanceTests {
    @Test(arguments: Lab.Shell.installed)
    func runsATargetOnceInACleanEnvironment(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("restart:\n\t$(info [$(CURDIR)])@echo ran >>ran; umask; env; echo oops >&2\n")
        let request = AttemptRequest.make(
            "restart", environment: ["NEW_VERSION": "it's $(date) \\ `x` \"q\" é", "CURRENT_VERSION": ""])
        setenv("SHOULD_NOT_ARRIVE", "1", 1)
        let result = try #require(try await lab.session.run(request).result)
        #expect(result.exitStatus == 0)
        #expect(!result.timedOut)
        let lines = result.output.text.split(separator: "\n").map(String.init)
        #expect(lines.contains("NEW_VERSION=it's $(date) \\ `x` \"q\" é"))
        #expect(lines.contains("CURRENT_VERSION="))
        #expect(lines.contains("LANG=C.UTF-8"))
        #expect(lines.contains("SHELL=/bin/sh"))
        #expect(lines.contains("0022"))
        #expect(lines.first?.hasPrefix("[") == true && lines.first?.hasSuffix("/jobs/api]") == true)
        #expect(!result.output.text.contains("SHOULD_NOT_ARRIVE"))
        #expect(!result.output.text.contains("MAAND"))
        #expect(result.errorOutput.text == "oops\n")
        #expect(result.output.total == result.output.bytes.count)
        // Asked again, it is told from the receipt.
        #expect(try await lab.session.run(request) == .finished(result))
        #expect(lab.lines(lab.job("ran")) == ["ran"])
    }

    @Test(arguments: Lab.Shell.installed)
    func makeExpandsNothingInVariables(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let hostile = "1+$(shell touch expanded)$$(HOME)${HOME}$(info told)#'$x"
        try lab.makefile(
            """
            AT_ONCE := $(CURRENT_VERSION)
            CURRENT_VERSION ?= unset
            define TEXT
            $(CURRENT_VERSION)|$(AT_ONCE)|$(NEW_VERSION)
            endef
            export TEXT
            restart:
            \t@printf '%s\\n' "$$TEXT" "$$CURRENT_VERSION"; $(MAKE) --no-print-directory -f inner
            """.replacingOccurrences(of: "\\t", with: "\t"))
        try lab.write(
            "export TEXT = $(CURRENT_VERSION)\nall:\n\t@printf '%s\\n' \"$$TEXT\"\n", lab.job("inner"))
        for stands in [false, true] {
            // Where a file of the target's name is there, the Makefile is read once more, for its rule.
            if stands { try lab.write("", lab.job("restart")) }
            let result = try #require(
                try await lab.session.run(
                    .make(
                        "restart", id: "run1-expand-\(stands ? 2 : 1)",
                        environment: ["CURRENT_VERSION": hostile, "NEW_VERSION": "2.0.0"])
                ).result)
            #expect(result.output.text == "\(hostile)|\(hostile)|2.0.0\n\(hostile)\n\(hostile)\n")
            #expect(result.errorOutput.text == "")
            #expect(!lab.exists(lab.job("expanded")))
        }
    }

    @Test(arguments: Lab.Shell.installed)
    func tellsExitStatusesOutputsAndMissingTargets(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("fails:\n\t@exit 7\n")
        for status in [0, 1, 2, 126, 127, 137, 255] {
            let report = try await lab.session.run(.shell("exit \(status)", id: "run1-exit\(status)-1"))
            #expect(report.result?.exitStatus == status)
        }
        let killed = try await lab.session.run(.shell("kill -9 $$", id: "run1-signal-1"))
        #expect(killed.result?.exitStatus == 137)
        #expect(killed.result?.timedOut == false)
        let failed = try await lab.session.run(.make("fails", id: "run1-fails-1"))
        #expect(failed.result?.exitStatus == 2)
        #expect(failed.result?.errorOutput.text.contains("Error 7") == true)
        for stands in [false, true] {
            if stands { try lab.write("", lab.job("absent")) }
            let missing = try await lab.session.run(.make("absent", id: "run1-absent-\(stands ? 2 : 1)"))
            #expect(missing.result?.exitStatus == 2)
            #expect(missing.result?.errorOutput.text.contains("No rule to make target") == true)
        }
        // A file of the target's name changes nothing.
        try lab.write("", lab.job("fails"))
        #expect(try await lab.session.run(.make("fails", id: "run1-fails-2")).result?.exitStatus == 2)
        try lab.makefile("restart: ; @echo done\n")
        try lab.write("", lab.job("restart"))
        let forced = try await lab.session.run(.make("restart", id: "run1-forced-1"))
        #expect(forced.result?.output.text == "done\n")
    }

    @Test(arguments: Lab.Shell.installed)
    func adoptsTheResultAfterTheClientWasKilled(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("slow:\n\t@echo ran >>ran; until [ -e go ]; do sleep 0.02; done; echo over\n")
        let request = AttemptRequest.make("slow")
        let client = Task { try await lab.session.run(request) }
        try await eventually("the target runs") { lab.exists(lab.job("ran")) }
        client.cancel()
        let error = await #expect(throws: TransportError.self) { try await client.value }
        #expect(error?.kind == .cancelled)
        #expect(try await lab.session.inquire(request.id) == .running)
        async let again = lab.session.run(request)
        try lab.write("", lab.job("go"))
        let result = try await again.result
        #expect(result?.output.text == "over\n")
        #expect(lab.lines(lab.job("ran")) == ["ran"])
        #expect(try await lab.session.inquire(request.id).result == result)
    }

    @Test(arguments: Lab.Shell.installed)
    func tenRacingClientsRunItOnce(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("race:\n\t@echo ran >>ran; sleep 0.1; echo over\n")
        let reports = try await withThrowingTaskGroup(of: AttemptReport.self) { group in
            for _ in 0..<10 { group.addTask { try await lab.session.run(.make("race")) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(reports.count == 10)
        #expect(reports.allSatisfy { $0.result?.output.text == "over\n" }, "\(reports)")
        #expect(lab.lines(lab.job("ran")) == ["ran"])
    }

    @Test(arguments: Lab.Shell.installed)
    func aDaemonNeitherHoldsUpTheAnswerNorIsKilled(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile(
            "start:\n\t@(trap 'echo int >>signals' INT; while :; do echo noise; sleep 0.05; done) & echo $$! >pid; echo up\n"
        )
        let result = try #require(try await lab.session.run(.make("start")).result)
        #expect(result.exitStatus == 0)
        #expect(result.output.text.contains("up\n"))
        let pid = try #require(
            lab.read(lab.job("pid")).flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        #expect(isAlive(pid))
        // It holds no lock either.
        let next = try await lab.session.run(.make("start", id: "run1-next-1"))
        #expect(next.result?.exitStatus == 0)
        let second = try #require(
            lab.read(lab.job("pid")).flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        kill(pid, SIGKILL)
        kill(second, SIGKILL)
        // SIGINT is not ignored in what a target starts: ignored signals cannot be caught by a shell.
        let mask = try await lab.session.run(.shell("sed -n 's/^SigIgn:.//p' /proc/self/status", id: "run1-mask-1"))
        let ignored = try #require(
            (mask.result?.output.text).flatMap { UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16) }
        )
        #expect([SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM].allSatisfy { ignored & (1 << UInt64($0 - 1)) == 0 })
    }

    @Test(arguments: Lab.Shell.installed)
    func boundsTheOutput(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let text = "head -c 104857600 /dev/zero; printf 'end\\n'; head -c 1000000 /dev/zero >&2; printf '\\377' >&2"
        let request = AttemptRequest.shell(text, tailLimit: 1000)
        let result = try #require(try await lab.session.run(request).result)
        #expect(result.output.total == 104_857_604)
        #expect(result.output.bytes == [UInt8](repeating: 0, count: 996) + Array("end\n".utf8))
        #expect(result.errorOutput.total == 1_000_001)
        #expect(result.errorOutput.bytes == [UInt8](repeating: 0, count: 999) + [255])
    }

    @Test(arguments: Lab.Shell.installed)
    func outputCannotForgeAnAnswer(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let forged = "\n@0 state finished exit 0 1 0 0\n\n@0 end\n"
        let request = AttemptRequest.shell("printf '\\n@0 state finished exit 0 1 0 0\\n\\n@0 end\\n'; exit 9")
        let result = try #require(try await lab.session.run(request).result)
        #expect(result.exitStatus == 9)
        #expect(result.output.text == forged)
    }

    @Test(arguments: Lab.Shell.installed)
    func timeoutsKillTheGroupEvenWhereItIgnoresTERM(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("hang:\n\t@trap '' TERM; echo $$$$ >pid; (trap '' TERM; sleep 300) & sleep 300; sleep 300\n")
        let (result, _) = try await Self.limited(from: 1) { id, limit in
            let report = try await lab.session.run(.make("hang", id: id, timeout: limit, grace: .seconds(1)))
            return (try #require(report.result), lab.exists(lab.job("pid")))
        }
        #expect(result.timedOut)
        #expect(!result.isSuccess)
        let pid = try #require(
            lab.read(lab.job("pid")).flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
        #expect(!isAlive(pid))
        let (polite, _) = try await Self.limited(from: 1) { id, limit in
            let script = "trap 'echo bye; exit 3' TERM; echo hi; sleep 300 & wait"
            let report = try await lab.session.run(.shell(script, id: "\(id)-polite", timeout: limit))
            let result = try #require(report.result)
            return (result, result.output.text.hasPrefix("hi"))
        }
        #expect(polite.timedOut)
        #expect(polite.exitStatus == 3)
        #expect(polite.output.text == "hi\nbye\n")
    }

    /// Runs attempts with a limit, and with four times as much where the machine was too busy for the command to come to
    /// the place at which the limit is to hit it.
    private static func limited(
        from seconds: Int, _ attempt: (_ id: String, _ limit: Duration) async throws -> (AttemptResult, isThere: Bool)
    ) async throws -> (AttemptResult, isThere: Bool) {
        var limit = seconds
        while true {
            let last = try await attempt("run1-limit-\(limit)", .seconds(limit))
            if last.isThere || limit > 60 { return last }
            limit *= 4
        }
    }

    /// What a command does to its own process group neither switches its limit off nor uses it up.
    @Test(arguments: Lab.Shell.installed)
    func signalsToTheGroupLeaveTheLimitAsItIs(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let (deaf, _) = try await Self.limited(from: 2) { id, limit in
            let script =
                "trap '' HUP QUIT USR1 USR2 ALRM TERM; for s in HUP QUIT USR1 USR2 ALRM TERM; do kill -s $s 0; done\n"
                + "sleep 1; kill 0; echo on; exec sleep 300"
            let report = try await lab.session.run(
                .shell(script, id: "\(id)-deaf", timeout: limit, grace: .seconds(1)))
            let result = try #require(report.result)
            return (result, !result.output.text.isEmpty)
        }
        #expect(deaf.timedOut)
        #expect(deaf.output.text == "on\n")
        // One that does not expect it ends, and its status is known.
        let hit = try await lab.session.run(.shell("kill 0; sleep 30", id: "run1-hit-1"))
        #expect(hit.result?.exitStatus == 143)
        #expect(hit.result?.timedOut == false)
        // Ends so many of what sleeps in its group.
        let end = """
            read -r s </proc/$$/stat
            set -- ${s##*") "}
            group=$3 n=0
            while [ $n -lt COUNT ]; do
                for p in /proc/[0-9]*; do
                    { read -r s <$p/stat; } 2>/dev/null || continue
                    case $s in *"(sleep)"*) ;; *) continue ;; esac
                    set -- ${s##*") "}
                    [ "$1" != Z ] && [ "$3" = "$group" ] && kill ${p#/proc/} 2>/dev/null && n=$((n + 1))
                done
            done

            """
        let healthy = try await lab.session.run(
            .shell(
                end.replacingOccurrences(of: "COUNT", with: "3") + "echo well", id: "run1-healthy-1",
                timeout: .seconds(64_322)))
        #expect(healthy.result?.exitStatus == 0)
        #expect(healthy.result?.timedOut == false)
        #expect(healthy.result?.output.text == "well\n")
        let slow = try await lab.session.run(
            .shell(
                end.replacingOccurrences(of: "COUNT", with: "1") + "exec sleep 30", id: "run1-slow-1",
                timeout: .seconds(3)))
        #expect(slow.result?.timedOut == true)
        #expect(slow.result.map { $0.duration >= .seconds(3) } == true)
        try await eventually("no watcher is left") { Self.processes(lab, with: "sleep\u{0}643") == 0 }
    }

    private static func processes(_ lab: Lab, with argument: String) -> Int {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.count { (lab.read("/proc/\($0)/cmdline") ?? "").contains(argument) }
    }

    @Test(arguments: Lab.Shell.installed)
    func leavesNoProcessOfItsOwnBehind(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        for attempt in 1...20 {
            _ = try await lab.session.run(.shell("true", id: "run1-quick-\(attempt)", timeout: .seconds(54_321)))
        }
        // The watcher's sleep bears the timeout as its argument.
        try await eventually("no watcher is left") { Self.processes(lab, with: "54321") == 0 }
    }

    @Test(arguments: Lab.Shell.installed)
    func aFenceAndAClaimNeverBothWin(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        var fences = 0
        for attempt in 1...30 {
            let request = AttemptRequest.shell("echo ran >>\"$PWD/ran\(attempt)\"", id: "run1-race-\(attempt)")
            async let run = lab.session.run(request)
            async let fence = lab.session.fence(request.id)
            let (ran, fenced) = try await (run, fence)
            let marks = lab.lines(lab.path("ran\(attempt)")).count
            if ran == .fenced {
                fences += 1
                #expect(marks == 0)
                #expect(fenced == .fenced)
            } else {
                #expect(ran.result?.exitStatus == 0)
                #expect(marks == 1)
                #expect(fenced != .fenced)
            }
            #expect(try await lab.session.inquire(request.id) == ran)
        }
        let closed = try await lab.session.fence("run1-closed-1")
        #expect(closed == .fenced)
        #expect(try await lab.session.run(.shell("touch ran", id: "run1-closed-1")) == .fenced)
        #expect(!lab.exists(lab.path("ran")))
    }

    @Test(arguments: Lab.Shell.installed)
    func aKilledRunnerIsInterruptedAndItsOrphansAreInTheWay(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("slow:\n\t@echo partial; echo $$$$ >pid; exec sleep 300\nfast:\n\t@echo fast\n")
        let request = AttemptRequest.make("slow")
        async let first = lab.session.run(request)
        try await eventually("the target runs") { lab.read(lab.job("pid")) != nil }
        kill(try #require(lab.runner(of: request.id)), SIGKILL)
        guard case .interrupted(let interruption) = try await first, case .died(let orphans) = interruption.cause else {
            Issue.record("not interrupted")
            return
        }
        #expect(!orphans.isEmpty)
        #expect(interruption.output.text == "partial\n")
        // Neither asking again nor another attempt begins anything.
        // What only passed output on may have ended since.
        let again = try await lab.session.run(request).remaining
        #expect(again.map { !$0.isEmpty && $0.isSubset(of: orphans) } == true)
        #expect(try await lab.session.run(.make("fast", id: "run1-step-2")) == .busy(by: request.id))
        let fenced = try await lab.session.fence(request.id).remaining
        #expect(fenced.map { !$0.isEmpty && $0.isSubset(of: orphans) } == true)
        for orphan in orphans { kill(Int32(orphan), SIGKILL) }
        try await eventually("the orphans are gone") { !orphans.contains { isAlive(Int32($0)) } }
        guard case .interrupted(let after) = try await lab.session.inquire(request.id) else {
            Issue.record("not interrupted")
            return
        }
        #expect(after.cause == .died(orphans: []))
        #expect(try await lab.session.run(.make("fast", id: "run1-step-2")).result?.output.text == "fast\n")
    }

    /// Each shell of the script is killed at each of its commands in turn: whatever is said afterwards is true.
    @Test(arguments: Lab.Shell.installed)
    func aKillAnywhereNeitherRunsItTwiceNorTellsALie(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        var kills = 0
        for command in ["setsid", "flock", "sync", "stat"] {
            for occurrence in 1...3 {
                let name = "\(command)\(occurrence)"
                let request = AttemptRequest.shell(
                    "echo ran >>ran-\(name); echo over", id: "run1-\(name)-1", isExclusive: true)
                let first = try await lab.killing(at: command, occurrence: occurrence) {
                    try await lab.session.run(request)
                }
                if let first, first.result != nil, lab.lines(lab.path(".count")).count < occurrence { break }
                let second = try await lab.session.run(request)
                let runs = lab.lines(lab.path("ran-\(name)")).count
                switch second {
                case .finished(let result):
                    #expect(result.output.text == "over\n" && runs == 1, "\(command) \(occurrence)")
                case .interrupted(let interruption):
                    #expect(runs <= 1 && interruption.cause == .died(orphans: []), "\(command) \(occurrence)")
                default: Issue.record("\(command) \(occurrence): \(second)")
                }
                #expect(try await lab.session.run(request) == second)
                kills += 1
            }
        }
        #expect(kills >= 5)
    }

    @Test(arguments: Lab.Shell.installed)
    func aSettledAttemptHoldsNobodyUp(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("slow:\n\t@echo $$$$ >pid; sleep 300\nfast:\n\t@echo fast\n")
        let request = AttemptRequest.make("slow")
        async let first = lab.session.run(request)
        try await eventually("the target runs") { lab.read(lab.job("pid")) != nil }
        kill(try #require(lab.runner(of: request.id)), SIGKILL)
        guard case .interrupted(let interruption) = try await first, case .died(let orphans) = interruption.cause else {
            Issue.record("not interrupted")
            return
        }
        try await lab.session.settle(request.id)
        #expect(try await lab.session.run(.make("fast", id: "run1-step-2")).result?.output.text == "fast\n")
        for orphan in orphans { kill(Int32(orphan), SIGKILL) }
    }

    @Test(arguments: Lab.Shell.installed)
    func anotherBootIsReportedAsSuch(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("slow:\n\t@echo partial; touch ran; sleep 300\n")
        let request = AttemptRequest.make("slow")
        async let first = lab.session.run(request)
        try await eventually("the target runs") { lab.exists(lab.job("ran")) }
        let runner = try #require(lab.runner(of: request.id))
        kill(-runner, SIGKILL)
        _ = try await first
        // What the worker finds after a reboot: the record of another boot.
        let record = try #require(lab.read(lab.receipts(of: request.id) + ".run"))
        let rest = record.split(separator: " ", maxSplits: 1)[1]
        try lab.write("00000000-0000-0000-0000-000000000000 \(rest)", lab.receipts(of: request.id) + ".run")
        guard case .interrupted(let interruption) = try await lab.session.run(request) else {
            Issue.record("not interrupted")
            return
        }
        #expect(interruption.cause == .rebooted)
        #expect(interruption.output.text == "partial\n")
        // Where it had not begun, there is nothing to be unsure of.
        try FileManager.default.removeItem(atPath: lab.receipts(of: request.id) + ".began")
        #expect(try await lab.session.inquire(request.id) == .fenced)
    }

    @Test(arguments: Lab.Shell.installed)
    func refusesConflictsLateStartsAndWhatIsMissing(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("a:\n\t@echo a\nb:\n\t@echo b\n")
        #expect(try await lab.session.run(.make("a")).result != nil)
        #expect(try await lab.session.run(.make("b")) == .conflict)
        let now = Int(Date().timeIntervalSince1970)
        let late = AttemptRequest.make("a", id: "run1-late-1", latestStart: now - 1)
        #expect(try await lab.session.run(late) == .notStarted(.tooLate))
        #expect(try await lab.session.run(.make("a", id: "run1-late-1")) == .notStarted(.tooLate))
        #expect(try await lab.session.run(.make("a", id: "run1-early-1", latestStart: now + 60)).result != nil)
        var elsewhere = AttemptRequest.make("a", id: "run1-nojob-1")
        elsewhere.job = "nosuch"
        #expect(try await lab.session.run(elsewhere) == .notStarted(.noJobDirectory))
        #expect(try await lab.session.inquire("run1-never-1") == .absent)
    }

    @Test(arguments: Lab.Shell.installed)
    func anActionExcludesAnotherButNotAProbe(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("slow:\n\t@touch ran; until [ -e go ]; do sleep 0.02; done\nfast:\n\t@echo fast\n")
        async let slow = lab.session.run(.make("slow"))
        try await eventually("the target runs") { lab.exists(lab.job("ran")) }
        #expect(try await lab.session.run(.make("fast", id: "run1-fast-1")) == .busy(by: "run1-step-1"))
        let push = PushRequest(job: "api", target: [], base: [], timeout: .seconds(600)) { _ in .empty }
        #expect(try await lab.session.push(push) == .busy(by: "run1-step-1"))
        let probe = try await lab.session.run(.shell("pwd", id: "run1-probe-1", job: "api"))
        #expect(probe.result?.output.text.hasSuffix("/jobs/api\n") == true)
        try lab.write("", lab.job("go"))
        #expect(try await slow.result?.exitStatus == 0)
        #expect(try await lab.session.run(.make("fast", id: "run1-fast-1")).result != nil)
    }

    /// Checks that run each minute must not fill the worker's disk.
    @Test(arguments: Lab.Shell.installed)
    func aProbeLeavesNothingBehind(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let receipts = lab.path("receipts/run1")
        let probes = { try FileManager.default.contentsOfDirectory(atPath: receipts).filter { $0.contains("-probe-") } }
        let failed = try await lab.session.run(.shell("echo out; echo err >&2; exit 3", id: "run1-probe-a1"))
        #expect(failed.result?.exitStatus == 3)
        #expect(failed.result?.output.text == "out\n" && failed.result?.errorOutput.text == "err\n")
        let late = try await lab.session.run(.shell("sleep 30", id: "run1-probe-a2", timeout: .seconds(1)))
        #expect(late.result?.timedOut == true)
        let other = lab.session(of: "run1", sequence: 0, controller: "other")
        guard case .notOwner = try await other.run(.shell("true", id: "run1-probe-a3")) else {
            Issue.record("ran for another controller")
            return
        }
        // Nobody reads its answer any more.
        let script = try FileManager.default.contentsOfDirectory(atPath: lab.path(".bin"))[0]
        let words = [
            "run", "run1-probe-a4", "d", "-", "controller", "1", "run1", "-", "-", "0", "0", "0", "100", "-",
        ]
        let deaf = "printf 'n\\n1\\ntrue\\n' | \"$@\" | exec sleep 0.01"
        _ = try await lab.transport.run(
            WorkerCommand(
                ["sh", "-c", deaf, "sh", "sh", lab.path(".bin/" + script)] + words, timeout: .seconds(600)),
            on: Lab.worker)
        try await eventually("the receipts of probes are gone") { try probes().isEmpty }
        #expect(try await lab.session.run(.shell("true", id: "run1-step-1")).result != nil)
        #expect(lab.exists(lab.receipts(of: "run1-step-1") + ".run"))
        // What was killed meanwhile waits for a run that takes the worker, and for a day.
        for name in ["old.run", "old.out", "new.run"] {
            try lab.write("x", receipts + "/run1-probe-" + name)
            if name.hasPrefix("old") {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -90_000)],
                    ofItemAtPath: receipts + "/run1-probe-" + name)
            }
        }
        #expect(try await lab.session(of: "run2", sequence: 2).preflight().isReady)
        #expect(try probes() == ["run1-probe-new.run"])
        #expect(lab.exists(lab.receipts(of: "run1-step-1") + ".run"))
    }

    @Test(arguments: Lab.Shell.installed)
    func aLockThatSomebodyDeletedStillExcludes(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        try lab.makefile("slow:\n\t@touch ran; until [ -e go ]; do sleep 0.02; done\nfast:\n\t@echo fast\n")
        async let slow = lab.session.run(.make("slow"))
        try await eventually("the target runs") { lab.exists(lab.job("ran")) }
        try FileManager.default.removeItem(atPath: lab.path("receipts/.lock/api"))
        #expect(try await lab.session.run(.make("fast", id: "run1-fast-1")) == .busy(by: "run1-step-1"))
        let push = PushRequest(job: "api", target: [], base: [], timeout: .seconds(600)) { _ in .empty }
        #expect(try await lab.session.push(push) == .busy(by: "run1-step-1"))
        // Who waits for it, waits, though the lock does not hold.
        async let twin = lab.session.run(.make("slow"))
        #expect(try await lab.session.inquire("run1-step-1") == .running)
        try lab.write("", lab.job("go"))
        #expect(try await slow.result?.exitStatus == 0)
        #expect(try await twin.result?.exitStatus == 0)
        #expect(try await lab.session.run(.make("fast", id: "run1-fast-1")).result != nil)
    }

    @Test(arguments: Lab.Shell.installed)
    func receiptsThatWereDeletedOrPutBackAreNoticed(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let request = AttemptRequest.shell("echo ran >>ran")
        let receipts = lab.path("receipts")
        let files = FileManager.default
        try files.copyItem(atPath: receipts, toPath: lab.path("copy"))
        #expect(try await lab.session.run(request).result != nil)
        try files.removeItem(atPath: receipts)
        let expected = lab.session.generation
        for ask in try await [lab.session.run(request), lab.session.inquire(request.id), lab.session.fence(request.id)]
            as [AttemptReport]
        {
            #expect(ask == .generationChanged(expected: expected, actual: "absent"))
        }
        try files.moveItem(atPath: lab.path("copy"), toPath: receipts)
        for ask in try await [lab.session.run(request), lab.session.inquire(request.id), lab.session.fence(request.id)]
            as [AttemptReport]
        {
            guard case .generationChanged(expected, let actual) = ask, actual != "absent" else {
                Issue.record("\(ask)")
                continue
            }
        }
        #expect(lab.lines(lab.path("ran")) == ["ran"])
    }

    @Test(arguments: Lab.Shell.installed)
    func anOlderRunOrAnotherControllerIsRefused(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let later = lab.session(of: "run2", sequence: 2)
        #expect(try await later.preflight().isReady)
        let owner = Owner(controller: "controller", sequence: 2, run: "run2")
        #expect(try await lab.session.preflight().otherOwner == owner)
        #expect(try await lab.session.run(.shell("touch ran")) == .notOwner(owner))
        #expect(try await lab.session.fence("run1-x-1") == .notOwner(owner))
        let push = PushRequest(job: "api", target: [], base: [], timeout: .seconds(600)) { _ in .empty }
        #expect(try await lab.session.push(push) == .notOwner(owner))
        // An old copy of the catalog gives the same number to another run.
        let twin = lab.session(of: "run3", sequence: 2)
        #expect(try await twin.preflight().otherOwner == owner)
        let stranger = lab.session(of: "run4", sequence: 9, controller: "other")
        #expect(try await stranger.preflight().otherOwner == owner)
        #expect(try await stranger.preflight(takeOver: true).isReady)
        #expect(try await stranger.run(.shell("touch ran", id: "run4-a-1")).result != nil)
        #expect(try await later.preflight().otherOwner?.controller == "other")
    }

    @Test(arguments: Lab.Shell.installed)
    func cleanupLeavesATombstone(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        #expect(try await lab.session.run(.shell("true", id: "old-a-1")).result != nil)
        async let slow = lab.session.run(.shell("touch began; until [ -e go ]; do sleep 0.02; done", id: "live-a-1"))
        try await eventually("it runs") { lab.exists(lab.path("began")) }
        #expect(try await lab.session.preflight(settled: ["old", "live", "never"]).isReady)
        #expect(!lab.exists(lab.path("receipts/old")) && lab.exists(lab.path("receipts/live")))
        #expect(try await lab.session.run(.shell("touch ran", id: "old-a-1")) == .notStarted(.runIsCleanedUp))
        #expect(try await lab.session.fence("old-b-1") == .notStarted(.runIsCleanedUp))
        try lab.write("", lab.path("go"))
        #expect(try await slow.result != nil)
        #expect(!lab.exists(lab.path("ran")))
    }

    @Test(arguments: Lab.Shell.installed)
    func aRequestThatArrivesCutOffRunsNothing(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let long = (1...2000).map { "echo line \($0) é \\ \t >>\"$PWD/ran\"" }.joined(separator: "\n")
        #expect(try await lab.session.run(.shell(long)).result?.exitStatus == 0)
        #expect(lab.lines(lab.path("ran")).count == 2000)
        // As the transport would send it, but without its last lines.
        let script = try FileManager.default.contentsOfDirectory(atPath: lab.path(".bin"))[0]
        let command = WorkerCommand(
            [
                "sh", lab.path(".bin/" + script), "run", "run1-cut-1", "d", lab.session.generation ?? "", "controller",
                "1",
                "run1", "-", "-", "0", "0", "0", "100",
            ],
            input: .bytes(Array("n\n3\ntouch cut\ntouch cut\n".utf8)), timeout: .seconds(600))
        let result = try await lab.transport.run(command, on: Lab.worker)
        #expect(String(decoding: result.output, as: UTF8.self).contains("state refused input"))
        #expect(!lab.exists(lab.path("cut")))
    }
}
