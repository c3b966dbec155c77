import Foundation
import Model
import Testing
import Workers

/// What a worker promises of pushes, whatever its shell.
@Suite(.serialized)
struct PushConformanceTests {
    @Test(arguments: Lab.Shell.installed)
    func bringsTheTargetAndOnlyTheTarget(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let first: Files = [
            "Makefile": .file("all:\n"), "conf/a.yml": .file("a"), "conf/deep/b": .file("b"), "run.sh": .script("#!"),
            "empty": .folder, "old/gone/x": .file("x"), "link": .link("conf/a.yml"),
            "big": .file(String(repeating: "0123456789", count: 100_000)),
        ]
        #expect(try await lab.push(first, over: [:]) == .pushed)
        #expect(try lab.deployed() == first)
        try lab.write("kept", lab.job("data/db"))
        try lab.write("kept", lab.job("logs/log"))
        try lab.write("kept", lab.job("bin/tool"))
        try lab.write("kept", lab.job("conf/made-by-service"))
        #expect(try await lab.push(first, over: first) == .unchanged)
        let before = try FileManager.default.attributesOfItem(atPath: lab.job("big"))[.systemFileNumber] as? Int

        var second = first
        second["conf/a.yml"] = .file("A")
        second["run.sh"] = .file("#!")
        second["Makefile"] = .script("all:\n")
        second["link"] = .link("conf/deep")
        second["conf/deep/b"] = nil
        second["empty"] = nil
        second["old/gone/x"] = nil
        second["new/folder"] = .folder
        #expect(try await lab.compare(second, over: first) == .asPlanned)
        #expect(try await lab.push(second, over: first) == .pushed)
        var there = try lab.deployed()
        #expect(there.removeValue(forKey: "conf/made-by-service") == .file("kept"))
        #expect(there == second)
        #expect(!lab.exists(lab.job("old")))
        #expect(!lab.exists(lab.job("empty")))
        #expect(!lab.exists(lab.job("conf/deep")))
        for kept in ["data/db", "logs/log", "bin/tool"] { #expect(lab.read(lab.job(kept)) == "kept") }
        // What has not changed was not even written.
        #expect(try FileManager.default.attributesOfItem(atPath: lab.job("big"))[.systemFileNumber] as? Int == before)
        // Told that it is at the first, it is at the second: a repeated push of the same plan.
        #expect(try await lab.push(second, over: first) == .unchanged)
        #expect(try FileManager.default.contentsOfDirectory(atPath: lab.path("staging")) == [])

        #expect(try await lab.session.remove("api") == .pushed)
        #expect(try await lab.session.remove("api") == .pushed)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: lab.job("")).sorted() == [
                "bin", "conf", "data", "logs",
            ])
    }

    /// What another program has brought was never listed there.
    @Test(arguments: Lab.Shell.installed)
    func removesWhatItIsToldWhereItHasNoList(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        for path in ["Makefile", "conf/deep/a b", "conf/own", "data/db"] { try lab.write("x", lab.job(path)) }
        let known = ["Makefile", "conf/deep/a b", "gone"].map { path in
            PushEntry(path: path, kind: .file(digest: String(repeating: "0", count: 64), size: 1, mode: 0o644))
        }
        #expect(try await lab.session.remove("api", known: known) == .pushed)
        #expect(!lab.exists(lab.job("Makefile")))
        #expect(!lab.exists(lab.job("conf/deep")))
        for kept in ["data/db", "conf/own"] { #expect(lab.read(lab.job(kept)) == "x") }
        // Where there is a list, it alone counts.
        let files: Files = ["Makefile": .file("all:\n")]
        #expect(try await lab.push(files, over: [:]) == .pushed)
        #expect(
            try await lab.session.remove("api", known: known + [PushEntry(path: "conf/own", kind: known[0].kind)])
                == .pushed)
        #expect(lab.read(lab.job("conf/own")) == "x")
    }

    @Test(arguments: Lab.Shell.installed)
    func takesUnusualNames(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let long = String(repeating: "a long folder name/", count: 12) + String(repeating: "n", count: 200)
        let names = [
            "-rf", "--", "a b", "  lead and trail  ", "tab\there", "quote'\"`$(x)${y}", "back\\slash\\n", "*", "?[a]",
            "ünïcode-Ł-Ā-日本",
            "e\u{301}", "\u{E9}", "carriage\rreturn", "-d/-x", "p q/c d/e\\f", "~", "#x", "!x", "..x", ".hidden/.y",
            "=",
            "\u{81}\u{88}", long,
        ]
        var files: Files = [:]
        for name in names { files[Files.Key(name)] = .file("content of " + name) }
        files["a link"] = .link("-target with  spaces\\ 'and' \u{301}")
        let report = try await lab.push(files, over: [:])
        #expect(report == .pushed, "\(report)")
        #expect(try lab.deployed() == files)
        var changed = files
        for name in names { changed[Files.Key(name)] = .script("new content of " + name) }
        changed["a link"] = .link("other\\ ")
        #expect(try await lab.push(changed, over: files) == .pushed)
        #expect(try lab.deployed().difference(from: changed) == [])
        try lab.write("edited", lab.job("back\\slash\\n"))
        #expect(try await lab.push(files, over: changed).drifted == ["back\\slash\\n"])
        try lab.write("new content of back\\slash\\n", lab.job("back\\slash\\n"))
        let removal = try await lab.push([:], over: changed)
        #expect(removal == .pushed, "\(removal)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: lab.job("")) == [])
    }

    @Test(arguments: Lab.Shell.installed)
    func driftIsReportedAndTouchesNothing(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let base: Files = [
            "same": .file("same"), "changed": .file("1"), "removed": .file("r"), "tool": .script("t"),
            "link": .link("x"),
        ]
        var target = base
        target["changed"] = .file("2")
        target["removed"] = nil
        target["added"] = .file("n")
        #expect(try await lab.push(base, over: [:]) == .pushed)
        let drifts: [(String, () throws -> Void, DriftedPath.Actual)] = [
            (
                "same", { try lab.write("edited", lab.job("same")) },
                .file(digest: Files.digest("edited"), isExecutable: false)
            ),
            (
                "changed", { try lab.write("edited", lab.job("changed")) },
                .file(digest: Files.digest("edited"), isExecutable: false)
            ),
            (
                "removed", { try lab.write("edited", lab.job("removed")) },
                .file(digest: Files.digest("edited"), isExecutable: false)
            ),
            (
                "added", { try lab.write("made", lab.job("added")) },
                .file(digest: Files.digest("made"), isExecutable: false)
            ),
            ("same", { try lab.remove("same") }, .nothing),
            ("same", { try lab.replace("same", byLinkTo: "/etc/passwd") }, .symbolicLink),
            ("link", { try lab.replace("link", byLinkTo: "elsewhere") }, .symbolicLink),
            ("changed", { try lab.replaceByFolder("changed") }, .directory),
            (
                "tool", { try lab.write("edited", lab.job("tool")) },
                .file(digest: Files.digest("edited"), isExecutable: true)
            ),
        ]
        for (path, act, actual) in drifts {
            try act()
            let before = try lab.deployed()
            for report in try await [lab.compare(target, over: base), lab.push(target, over: base)] {
                #expect(report == .drift([DriftedPath(path: path, actual: actual)], total: 1), "\(path)")
            }
            #expect(try lab.deployed() == before)
            // Where nobody knows what should be there, it is replaced.
            if actual != .directory {
                #expect(try await lab.push(base, over: nil).isThere)
            } else {
                #expect(try await lab.push(base, over: nil).drifted == [path])
                try lab.remove("changed")
                #expect(try await lab.push(base, over: nil) == .pushed)
            }
            try lab.remove("added")
            #expect(try lab.deployed() == base, "after \(path)")
        }
        // A file of ours that the plan does not know.
        #expect(try await lab.push(target, over: base) == .pushed)
        #expect(
            try await lab.push(["same": .file("same")], over: ["same": .file("same")]).drifted?.contains("tool") == true
        )
        #expect(try await lab.push(["same": .file("same")], over: nil) == .pushed)
        #expect(try lab.deployed() == ["same": .file("same")])
    }

    @Test(arguments: Lab.Shell.installed)
    func neverGoesThroughALinkThatIsNotItsOwn(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let outside = lab.path("outside")
        try lab.write("precious", outside + "/x")
        let base: Files = ["conf/x": .file("precious"), "conf/y": .file("y")]
        let target: Files = ["conf/x": .file("2")]
        #expect(try await lab.push(base, over: [:]) == .pushed)
        try lab.write("y", outside + "/y")
        for path in ["conf", ""] {
            try FileManager.default.moveItem(atPath: lab.job(path), toPath: lab.path("aside"))
            let link = path.isEmpty ? lab.path("jobs/api") : lab.job(path)
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: outside)
            for before in [base, nil] {
                let report = try await lab.push(target, over: before)
                switch report {
                case .drift(let paths, _): #expect(paths.contains { $0.path == "conf" && $0.actual == .symbolicLink })
                case .altered(let reason), .failed(let reason): #expect(reason.contains("symbolic link"))
                default: Issue.record("\(report)")
                }
            }
            if path.isEmpty {
                guard case .altered = try await lab.session.remove("api") else {
                    Issue.record("removed through a link")
                    return
                }
            }
            #expect(lab.read(outside + "/x") == "precious")
            #expect(lab.read(outside + "/y") == "y")
            try FileManager.default.removeItem(atPath: link)
            try FileManager.default.moveItem(atPath: lab.path("aside"), toPath: link)
        }
        #expect(try await lab.push(target, over: base) == .pushed)
    }

    /// Also where it is under way meanwhile: before the marker it is asked once more.
    @Test(arguments: Lab.Shell.installed)
    func aWorkerThatIsTakenOverDuringAPushIsNotTouched(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        #expect(try await lab.push(["x": .file("old")], over: [:]) == .pushed)
        let heir = lab.session(of: "run9", sequence: 9, controller: "other")
        let target: Files = ["x": .file("new")]
        let request = PushRequest(
            job: "api", target: target.entries, base: (["x": .file("old")] as Files).entries, timeout: .seconds(600)
        ) { _ in
            ByteSource {
                let text = ByteSource.bytes(Array("new".utf8))
                let next = try text.open()
                return {
                    // The lists have arrived, the file has not.
                    #expect(try await heir.preflight(takeOver: true).isReady)
                    return try await next()
                }
            }
        }
        let report = try await lab.session.push(request)
        #expect(report == .notOwner(Owner(controller: "other", sequence: 9, run: "run9")))
        #expect(try lab.deployed() == ["x": .file("old")])
        #expect(!lab.exists(lab.path("staging/api")))
    }

    /// The script's words are for this program; what its tools print is bounded.
    @Test func failuresAreSaidInSentences() async throws {
        let lab = try await Lab()
        #expect(try await lab.push(["x": .file("1")], over: [:]) == .pushed)
        let folder = lab.path(".tools")
        try lab.write(
            "#!/bin/sh\nfor n in 1 2 3 4 5; do echo \"tar: f$n: No space\" >&2; done\nexit 2\n", folder + "/tar")
        try lab.write("#!/bin/sh\necho 'sha256sum: x: Permission denied' >&2\nexit 1\n", folder + "/sha256sum")
        for tool in ["tar", "sha256sum"] {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/" + tool)
        }
        try lab.patchScript { $0.replacingOccurrences(of: "\nPATH=", with: "\nPATH=${0%/.bin/*}/.tools:") }
        #expect(
            try await lab.push(["x": .file("2")], over: ["x": .file("1")])
                == .failed(
                    "the worker could not take what was sent, and nothing was touched: is its disk full?"
                        + " Its tools say: tar: f1: No space"))
        try FileManager.default.removeItem(atPath: folder + "/tar")
        #expect(
            try await lab.push(["x": .file("2")], over: ["x": .file("1")])
                == .altered(
                    "the worker's user cannot read files of the job: look at their owners and modes, and at those of "
                        + "their folders. Its tools say: sha256sum: x: Permission denied"))
        #expect(lab.read(lab.job("x")) == "1")
    }

    @Test(arguments: Lab.Shell.installed)
    func stagedFilesAreBroughtInOnlyWhereNothingHasChanged(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let base: Files = ["same": .file("same"), "a/changed": .file("1"), "gone": .file("g"), "tool": .script("t")]
        var target = base
        target["a/changed"] = .file("2")
        target["gone"] = nil
        target["b/added"] = .script("n")
        #expect(try await lab.push(base, over: [:]) == .pushed)
        let request = lab.request(target, over: base)
        // What changed in the second in which it was looked at is looked at again.
        func settle() async throws {
            // Times of files are a tick of the kernel behind.
            let second = Date().timeIntervalSince1970.rounded(.down)
            try await eventually("the next second, for files, too") {
                Date().timeIntervalSince1970 > second + 1.1
            }
        }
        func stage() async throws {
            try await settle()
            #expect(try await lab.stage(request) == .asPlanned)
            #expect(try lab.deployed() == base)
        }
        // Nobody has to send it a second time.
        try await stage()
        let unsent = PushRequest(job: "api", target: target.entries, base: base.entries, timeout: nil) { _ in
            throw AskedAgain()
        }
        #expect(try await lab.session.push(unsent, isStaged: true) == .pushed)
        #expect(try lab.deployed() == target)
        #expect(try await lab.stage(request) == .unchanged)
        #expect(try FileManager.default.contentsOfDirectory(atPath: lab.path("staging")) == [])

        let changes: [(String, () throws -> Void)] = [
            ("same", { try lab.write("edited", lab.job("same")) }),
            ("a/changed", { try lab.write("edited", lab.job("a/changed")) }),
            ("same", { try lab.remove("same") }),
            ("b/added", { try lab.write("made", lab.job("b/added")) }),
            ("tool", { try lab.write("edited", lab.job("tool")) }),
            ("same", { try lab.restore("same", "old") }),
            ("same", { try lab.replace("same", byLinkTo: "/etc/passwd") }),
            ("a/changed", { try lab.replaceByFolder("a/changed") }),
        ]
        for (path, act) in changes {
            #expect(try await lab.push(base, over: nil).isThere)
            try await stage()
            try act()
            let before = try lab.deployed()
            #expect(try await lab.session.push(request, isStaged: true).drifted == [path])
            #expect(try lab.deployed() == before)
            try lab.remove(path)
            try lab.remove("b")
        }
        // What was staged for something else, or by another run, is not it.
        #expect(try await lab.push(base, over: nil).isThere)
        try await stage()
        var other = target
        other["same"] = .file("other")
        #expect(try await lab.session.push(lab.request(other, over: base), isStaged: true) == .pushed)
        #expect(try lab.deployed() == other)
        #expect(try await lab.push(base, over: nil).isThere)
        try await stage()
        var later = lab.session(of: "run2", sequence: 2)
        later.generation = try await later.preflight().generation
        await #expect(throws: TransportError.self) { try await later.push(unsent, isStaged: true) }
        #expect(try lab.deployed() == base)
    }

    @Test(arguments: Lab.Shell.installed)
    func kindsMayChange(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let versions: [Files] = [
            ["a": .file("1"), "b/c": .file("2"), "d": .link("b")],
            ["a/x": .file("1"), "b": .file("2"), "d/e": .file("3")],
            ["a": .link("b"), "b": .link("a"), "d": .file("4")],
            ["a": .folder, "b": .folder, "d": .link("a")],
            ["a": .file("1"), "b/c": .file("2"), "d": .link("b")],
        ]
        var before: Files = [:]
        for version in versions {
            #expect(try await lab.push(version, over: before) == .pushed)
            #expect(try lab.deployed() == version)
            before = version
        }
        for version in versions {
            #expect(try await lab.push(version, over: nil) != .drift([], total: 0))
            #expect(try lab.deployed() == version)
        }
    }

    /// A file gets just the mode that it is sent with, and another mode alone is a change of it.
    @Test(arguments: Lab.Shell.installed)
    func filesHaveTheModesOfThePlan(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        func request(_ mode: Int, over base: Int?, sealed: Model.Digest? = nil) -> PushRequest {
            func entry(_ mode: Int) -> PushEntry {
                PushEntry(
                    path: "conf/key", kind: .file(digest: Files.digest("x"), size: 1, mode: mode), sealed: sealed)
            }
            return PushRequest(
                job: "api", target: [entry(mode)], base: base.map { [entry($0)] } ?? [], timeout: .seconds(600)
            ) { _ in .bytes([UInt8(ascii: "x")]) }
        }
        func mode() throws -> Int? {
            let attributes = try FileManager.default.attributesOfItem(atPath: lab.job("conf/key"))
            return (attributes[.posixPermissions] as? NSNumber)?.intValue
        }
        var before: Int?
        for wanted in [0o600, 0o664, 0o644, 0o640, 0o755, 0o700, 0o400] {
            #expect(try await lab.session.push(request(wanted, over: before)) == .pushed)
            #expect(try mode() == wanted)
            #expect(try await lab.session.push(request(wanted, over: before)) == .unchanged)
            before = wanted
        }
        // A mode alone is no drift, and is left alone until the plan sends the file.
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: lab.job("conf/key"))
        #expect(try await lab.session.push(request(0o400, over: 0o400)) == .unchanged)
        let tree = try #require(try await lab.session.inventory().jobs.first?.tree)
        #expect(tree.entries.map(\.mode) == [0o400] && tree.entries.map(\.path) == ["conf/key"])
        // Of what is in the place of a file with secrets, no digest is told.
        try lab.write("guess", lab.job("conf/key"))
        let sealed = Model.Digest.of(Array("kept".utf8))
        #expect(
            try await lab.session.push(request(0o600, over: 0o400, sealed: sealed))
                == .drift([DriftedPath(path: "conf/key", actual: .otherSecrets)], total: 1))
    }

    @Test(arguments: Lab.Shell.installed)
    func refusesWhatIsNotTheJobs(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        await #expect(throws: TransportError.self) {
            try await lab.push(["a": .file("x"), "a/b": .file("y")], over: [:])
        }
        for path in ["data/x", "logs", "bin/tool", "../x", "a/../b", "/etc/x", "a//b", "a\nb", "."] {
            await #expect(throws: TransportError.self) { try await lab.push([Files.Key(path): .file("x")], over: [:]) }
        }
        // Bytes that are not those of the plan.
        let entry = PushEntry(path: "x", kind: .file(digest: Files.digest("right"), size: 5, mode: 0o644))
        let request = PushRequest(job: "api", target: [entry], base: [], timeout: .seconds(600)) { _ in
            .bytes(Array("wrong".utf8))
        }
        let error = await #expect(throws: TransportError.self) { try await lab.session.push(request) }
        #expect(error?.kind == .source)
        #expect(error?.reason.contains("x is not what the plan names") == true)
        #expect(!lab.exists(lab.job("x")))
    }

    /// The script is killed at each of its commands in turn: afterwards the tree is the old one, or the next question
    /// completes the new one.
    @Test(arguments: Lab.Shell.installed.map { ($0, isStaged: $0 == .ssh) } + [(.dash, isStaged: true)])
    func anInterruptionLeavesTheOldTreeOrRollsForward(_ shell: Lab.Shell, isStaged: Bool) async throws {
        let lab = try await Lab(shell)
        var old: Files = [
            "Makefile": .file("show:\n\t@cat a/x b/y 2>&1\n"), "a/x": .file("old"), "b/y": .file("old"),
            "gone/z": .file("old"),
        ]
        // With a link what was staged is compared again.
        if !isStaged { old["l"] = .link("a") }
        var new = old
        new["a/x"] = .file("new")
        new["b/y"] = .script("new")
        new["gone/z"] = nil
        new["fresh/q"] = .file("new")
        if !isStaged { new["l"] = .link("b") }
        var kept = 0
        var rolled = 0
        for command in ["tar", "xargs", "sha256sum", "find", "sort", "sync", "mv", "mkdir", "rm", "rmdir"] {
            for occurrence in 1...8 {
                #expect(try await lab.push(old, over: nil).isThere)
                let (before, after) = (old, new)
                let report = try await lab.killing(at: command, occurrence: occurrence) {
                    let request = lab.request(after, over: before)
                    if isStaged { #expect(try await lab.stage(request) == .asPlanned) }
                    return try await lab.session.push(request, isStaged: isStaged)
                }
                if report != nil { break }
                let there = try lab.deployed()
                let isCommitted = lab.exists(lab.path("staging/api/commit"))
                if isCommitted {
                    rolled += 1
                    // An action must not see a mixture.
                    let shown = try await lab.session.run(.make("show", id: "run1-\(command)-\(occurrence)"))
                    #expect(shown.result?.output.text == "newnew", "\(command) \(occurrence)")
                    #expect(try lab.deployed() == new)
                } else {
                    kept += 1
                    #expect(there == old || there == new, "\(command) \(occurrence)")
                }
                #expect(try await lab.push(new, over: old).isThere, "\(command) \(occurrence)")
                #expect(try lab.deployed() == new)
                #expect(try FileManager.default.contentsOfDirectory(atPath: lab.path("staging")) == [])
            }
        }
        #expect(kept >= 5)
        #expect(rolled >= 5)
    }

    @Test func twoThousandFilesAreQuick() async throws {
        let lab = try await Lab(.dash)
        var files: Files = [:]
        for index in 0..<2000 {
            files[Files.Key("folder \(index / 100)/file \(index)")] = .file(
                "\(index)" + String(repeating: "x", count: 2000))
        }
        let clock = ContinuousClock()
        func push(_ target: Files, over base: Files, gives expected: PushReport) async throws -> Duration {
            let start = clock.now
            #expect(try await lab.push(target, over: base) == expected)
            return clock.now - start
        }
        let first = try await push(files, over: [:], gives: .pushed)
        let again = try await push(files, over: files, gives: .unchanged)
        var changed = files
        changed["folder 3/file 333"] = .file("y")
        let one = try await push(changed, over: files, gives: .pushed)
        #expect(try lab.deployed() == changed)
        // Generous: on a machine of its own each is below two seconds.
        #expect(first < .seconds(90) && again < .seconds(60) && one < .seconds(60), "\(first) \(again) \(one)")
        print("2,000 files: first \(first), unchanged \(again), one changed \(one)")
    }
}

extension PushReport {
    fileprivate var drifted: [String]? {
        if case .drift(let paths, _) = self { return paths.map(\.path) }
        return nil
    }
    fileprivate var isThere: Bool { self == .pushed || self == .unchanged }
}

/// Content that was to be sent once.
private struct AskedAgain: Error {}
