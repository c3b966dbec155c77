import Foundation
import Testing
import Workers

/// What targets of a job do to its own files, and what others do to them.
@Suite(.serialized)
struct OwnFilesConformanceTests {
    /// The target `change` does what real ones do: the mode, another file in its place, other bytes of the same length in
    /// the same file, a link, a removal.
    private static let rules = """
        start:
        \t@true
        change:
        \t@chmod 0755 init.sh; sed -i 's/@@/here/' 'own conf'; printf XYZ >'conf/in place'; rm gone; ln -sf /etc b\\\\s
        half:
        \t@sed -i 's/@@/half/' 'own conf'; rm gone; exit 3
        late:
        \t@sed -i 's/@@/half/' 'own conf'; rm gone; sleep 60

        """
    static let files: Files = [
        "Makefile": .file(rules), "init.sh": .file("exit 0"), "own conf": .file("at @@"),
        "conf/in place": .file("abc"), "gone": .file("g"), "b\\s": .file("b"), "same": .file("s"),
        "link": .link("same"),
    ]
    static var changed: Files {
        var files = files
        files["init.sh"] = .script("exit 0")
        files["own conf"] = .file("at here")
        files["conf/in place"] = .file("XYZ")
        files["gone"] = nil
        files["b\\s"] = .link("/etc")
        return files
    }
    static let touched = ["b\\s", "conf/in place", "gone", "own conf"]

    private static func lab(_ shell: Lab.Shell, running target: String? = "change") async throws -> Lab {
        let lab = try await Lab(shell)
        #expect(try await lab.push(files, over: [:]) == .pushed)
        if let target { #expect(try await lab.session.run(.make(target)).result?.isSuccess == true) }
        return lab
    }

    @Test(arguments: Lab.Shell.installed)
    func whatATargetHasLeftIsNoDrift(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell)
        #expect(try lab.deployed() == Self.changed)
        #expect(try lab.mode("left/api/record") == 0o600)
        // Only what changed has a line, which says what was pushed and what is there.
        let record = lab.lines(lab.path("left/api/record"))
        #expect(record.count == Self.touched.count)
        #expect(
            record.contains {
                $0.hasPrefix("5 ")
                    && $0.hasSuffix(" f \(Files.digest("at here")) f \(Files.digest("at @@")) ./own conf/")
            })

        // Nothing runs: what the plan does not change stays as it is.
        var next = Self.files
        next["same"] = .file("t")
        next["gone"] = .file("new")
        #expect(try await lab.compare(next, over: Self.files) == .asPlanned)
        #expect(try await lab.push(next, over: Self.files) == .pushed)
        var there = Self.changed
        there["same"] = .file("t")
        there["gone"] = .file("new")
        #expect(try lab.deployed() == there)

        // A target runs: it finds what was pushed. A mode stays, as long as the plan does not set another.
        var request = lab.request(next, over: next)
        request.isFollowedByTarget = true
        #expect(try await lab.session.push(request) == .pushed)
        next["init.sh"] = .script("exit 0")
        #expect(try lab.deployed() == next)
        #expect(try await lab.session.push(request) == .unchanged)
        #expect(lab.read(lab.path("left/api/record")) == "")
    }

    @Test(arguments: Lab.Shell.installed)
    func stagingSendsWhatTheTargetNeeds(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell)
        var next = Self.files
        next["same"] = .file("t")
        next["own conf"] = nil
        var request = lab.request(next, over: Self.files)
        request.isFollowedByTarget = true
        let asked = request
        #expect(try await lab.session.compare(&request) == .asPlanned)
        #expect(try await lab.session.stage(&request) == .asPlanned)
        #expect(try lab.deployed() == Self.changed)
        #expect(try await lab.session.push(request, isStaged: true) == .pushed)
        next["init.sh"] = .script("exit 0")
        #expect(try lab.deployed() == next)
        #expect(try await lab.session.push(asked, isStaged: true) == .unchanged)
    }

    @Test(arguments: Lab.Shell.installed)
    func whatOthersChangeLaterIsDrift(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell)
        let digest = { (text: String) in DriftedPath.Actual.file(digest: Files.digest(text), isExecutable: false) }
        let edits: [(String, () throws -> Void, DriftedPath.Actual)] = [
            ("own conf", { try lab.write("at here, edited", lab.job("own conf")) }, digest("at here, edited")),
            ("gone", { try lab.write("back", lab.job("gone")) }, digest("back")),
            ("conf/in place", { try lab.remove("conf/in place") }, .nothing),
            ("b\\s", { try lab.replace("b\\s", byLinkTo: "/tmp") }, .symbolicLink),
            ("same", { try lab.write("edited", lab.job("same")) }, digest("edited")),
        ]
        for (index, (path, act, actual)) in edits.enumerated() {
            try act()
            #expect(
                try await lab.compare(Self.files, over: Self.files)
                    == .drift([DriftedPath(path: path, actual: actual)], total: 1))
            // A target that does not touch it does not make it its own.
            #expect(
                try await lab.session.run(.make("start", id: "run1-start-\(index + 1)")).result?.isSuccess == true)
            #expect(
                try await lab.compare(Self.files, over: Self.files)
                    == .drift([DriftedPath(path: path, actual: actual)], total: 1))
            #expect(try await lab.push(Self.files, over: nil) == .pushed)
            #expect(
                try await lab.session.run(.make("change", id: "run1-change-\(index + 1)")).result?.isSuccess == true)
        }
        // What was pushed is as good as what is left.
        try lab.write("at @@", lab.job("own conf"))
        #expect(try await lab.compare(Self.files, over: Self.files) == .asPlanned)
    }

    /// Whatever differs is its work, until a target has ended well on what was pushed.
    @Test(arguments: Lab.Shell.installed)
    func aTargetThatDidNotEndWellCountsForAll(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell)
        for target in ["half", "late", "killed"] {
            let id = "run1-\(target)-1"
            let name = target == "killed" ? "late" : target
            let killer = Task {
                if target != "killed" { return }
                try await eventually("the target has begun") { !lab.exists(lab.job("gone")) }
                if let runner = lab.runner(of: id) { kill(-runner, SIGKILL) }
            }
            let report = try await lab.session.run(.make(name, id: id, timeout: .seconds(target == "late" ? 1 : 600)))
            try await killer.value
            #expect(report.result?.isSuccess != true, "\(target)")
            try lab.write("edited", lab.job("same"))
            #expect(try await lab.compare(Self.files, over: Self.files) == .asPlanned, "\(target)")
            if target == "killed" { try await lab.session.settle(id) }
            var request = lab.request(Self.files, over: Self.files)
            request.isFollowedByTarget = true
            #expect(try await lab.session.push(request) == .pushed, "\(target)")
            #expect(lab.read(lab.job("own conf")) == "at @@")
            #expect(lab.read(lab.job("same")) == "s")
            // From here on it is somebody else.
            try lab.write("edited", lab.job("same"))
            #expect(try await lab.compare(Self.files, over: Self.files) != .asPlanned, "\(target)")
            #expect(try await lab.push(Self.files, over: nil) == .pushed)
        }
        // Without a push between, one that ends well takes over what the one before has done.
        _ = try await lab.session.run(.make("half", id: "run1-half-2"))
        #expect(try await lab.session.run(.make("start", id: "run1-start-9")).result?.isSuccess == true)
        #expect(try await lab.compare(Self.files, over: Self.files) == .asPlanned)
        try lab.write("edited", lab.job("same"))
        #expect(try await lab.compare(Self.files, over: Self.files) != .asPlanned)
    }

    /// Killed at each command in turn: never drift, and the next push brings what was pushed.
    @Test(arguments: [Lab.Shell.dash, .bash].filter(Lab.Shell.installed.contains))
    func aRunnerThatIsKilledLeavesNoDrift(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell, running: nil)
        var number = 0
        for command in ["stat", "cmp", "grep", "sed", "xargs", "sha256sum", "sync", "mv", "rm", "env"] {
            for occurrence in 1...3 {
                number += 1
                let id = "run1-\(command)-\(occurrence)"
                _ = try await lab.killing(at: command, occurrence: occurrence) {
                    try await lab.session.run(.make("change", id: id))
                }
                try? await lab.session.settle(id)
                #expect(try await lab.compare(Self.files, over: Self.files) == .asPlanned, "\(command) \(occurrence)")
                var request = lab.request(Self.files, over: Self.files)
                request.isFollowedByTarget = true
                let report = try await lab.session.push(request)
                #expect(report == .pushed || report == .unchanged, "\(command) \(occurrence)")
                #expect(lab.read(lab.job("own conf")) == "at @@", "\(command) \(occurrence)")
            }
        }
    }

    @Test(arguments: Lab.Shell.installed)
    func aFirstDeployReplacesWhatWasOurs(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell)
        var next = Self.files
        next["same"] = nil
        next["added"] = .file("n")
        // Taken out and put back: whatever we left there, in whatever state.
        #expect(try await lab.compare(next, over: [:]) == .asPlanned)
        try lab.write("edited", lab.job("own conf"))
        try lab.write("edited", lab.job("same"))
        #expect(try await lab.compare(next, over: [:]).drifted == ["own conf", "same"])
        try lab.write("at here", lab.job("own conf"))
        try lab.write("s", lab.job("same"))
        try lab.write("foreign", lab.job("added"))
        #expect(try await lab.compare(next, over: [:]).drifted == ["added"])
        // The planned bytes are none, whoever brought them.
        try lab.write("n", lab.job("added"))
        #expect(try await lab.push(next, over: [:]) == .pushed)
        #expect(try lab.deployed() == next)

        _ = try await lab.session.run(.make("half", id: "run1-half-1"))
        try lab.write("foreign", lab.job("more"))
        var more = next
        more["more"] = .file("m")
        #expect(try await lab.compare(more, over: [:]).drifted == ["more"])
        #expect(try await lab.push(next, over: [:]) == .pushed)
        #expect(lab.read(lab.job("own conf")) == "at @@")
    }

    @Test(arguments: Lab.Shell.installed)
    func whatTheServiceRewritesIsNoDrift(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let paths = ["own conf", "same"]
        func request(_ target: Files, over base: Files?) -> PushRequest {
            var request = lab.request(target, over: base)
            request.changedByService = paths
            request.isFollowedByTarget = true
            return request
        }
        #expect(try await lab.session.push(request(Self.files, over: [:])) == .pushed)
        try lab.write("by the service", lab.job("own conf"))
        try lab.remove("same")
        var next = Self.files
        next["init.sh"] = .file("exit 1")
        #expect(try await lab.session.inventory().jobs.first?.tree == Self.files.tree)
        #expect(try await lab.session.push(request(next, over: Self.files)) == .pushed)
        #expect(lab.read(lab.job("own conf")) == "by the service")
        #expect(!lab.exists(lab.job("same")))
        // Where nobody knows what is there, too.
        #expect(try await lab.session.push(request(next, over: nil)) == .unchanged)
        #expect(lab.read(lab.job("own conf")) == "by the service")
        // The plan changes it, and then it does not belong to the service any more.
        var last = next
        last["own conf"] = .file("new")
        last["same"] = .file("new")
        #expect(try await lab.session.push(request(last, over: next)) == .pushed)
        #expect(lab.read(lab.job("own conf")) == "new")
        #expect(lab.read(lab.job("same")) == "new")
        #expect(try await lab.push(last, over: last) == .pushed)
        try lab.write("by the service", lab.job("own conf"))
        #expect(try await lab.push(last, over: last).drifted == ["own conf"])
        #expect(try await lab.session.inventory().jobs.first?.isAltered == true)
    }

    @Test(arguments: Lab.Shell.installed)
    func aRefreshTakesWhatIsLeftForWhatWasPushed(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell)
        chmod(lab.job("same"), 0o755)
        var job = try #require(try await lab.session.inventory().jobs.first)
        #expect(job.tree == Self.files.tree)
        #expect(!job.isAltered)
        #expect(job.last == .succeeded(target: "change"))
        try lab.write("edited", lab.job("own conf"))
        job = try #require(try await lab.session.inventory().jobs.first)
        #expect(job.isAltered)
        #expect(try await lab.session.remove("api") == .pushed)
        #expect(!lab.exists(lab.path("left/api")))
    }

    /// More than are listed, and more than are arguments.
    @Test(arguments: [Lab.Shell.dash, .applets].filter(Lab.Shell.installed.contains))
    func manyFiles(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        var files: Files = ["Makefile": .file("start:\n\t@true\nall:\n\t@sed -i s/a/b/ d/*/*\none:\n\t@rm d/1/'f 1'\n")]
        for index in 0..<600 { files[Files.Key("d/\(index % 7)/f \(index)")] = .file("a \(index)\n") }
        #expect(try await lab.push(files, over: [:]) == .pushed)
        #expect(try await lab.session.run(.make("one", id: "run1-one-1")).result?.isSuccess == true)
        #expect(lab.lines(lab.path("left/api/record")).count == 1)
        #expect(try await lab.compare(files, over: files) == .asPlanned)
        #expect(try await lab.session.run(.make("all", id: "run1-all-1")).result?.isSuccess == true)
        // What the one before has left is still its work.
        #expect(lab.lines(lab.path("left/api/record")).count == 600)
        #expect(try await lab.compare(files, over: files) == .asPlanned)
        #expect(try await lab.session.inventory().jobs.first?.tree == files.tree)
        var request = lab.request(files, over: files)
        request.isFollowedByTarget = true
        #expect(try await lab.session.push(request) == .pushed)
        #expect(try lab.deployed() == files)
    }

    /// An earlier release kept no such records: nothing is excused, and nothing fails.
    @Test(arguments: Lab.Shell.installed)
    func aWorkerOfAnEarlierReleaseHasNoRecords(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell)
        try FileManager.default.removeItem(atPath: lab.path("left"))
        #expect(try await lab.compare(Self.files, over: Self.files).drifted?.sorted() == Self.touched)
        #expect(try await lab.session.inventory().jobs.first?.isAltered == true)
        #expect(try await lab.push(Self.files, over: nil) == .pushed)
        try FileManager.default.removeItem(atPath: lab.path("left"))
        #expect(try await lab.session.run(.make("change", id: "run1-change-2")).result?.isSuccess == true)
        #expect(try await lab.compare(Self.files, over: Self.files) == .asPlanned)
    }

    @Test(arguments: Lab.Shell.installed)
    func showsFilesAndNothingThatALinkLeadsTo(_ shell: Lab.Shell) async throws {
        let lab = try await Self.lab(shell, running: nil)
        try lab.write("secret", lab.path("outside/x"))
        try lab.replace("same", byLinkTo: lab.path("outside/x"))
        try FileManager.default.createSymbolicLink(
            atPath: lab.job("folder"), withDestinationPath: lab.path("outside"))
        let asked = ["own conf", "same", "folder/x", "missing", "conf", "b\\s", "gone"]
        let shown = try await lab.session.show(asked, of: "api", limit: 5)
        #expect(shown == ["own conf": Array("at @@".utf8), "b\\s": Array("b".utf8), "gone": Array("g".utf8)])
        #expect(try await lab.session.show(asked, of: "api", limit: 4).keys.contains("own conf") == false)
    }
}

extension Lab {
    /// The permissions of a file below the bucket's folder.
    fileprivate func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: self.path(path))[.posixPermissions] as? Int
    }
}

extension PushReport {
    fileprivate var drifted: [String]? {
        if case .drift(let paths, _) = self { return paths.map(\.path) }
        return nil
    }
}
