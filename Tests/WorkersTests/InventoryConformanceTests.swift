import Foundation
import Model
import Testing
import Workers

/// What a worker says of itself to somebody who has lost the catalog.
@Suite(.serialized)
struct InventoryConformanceTests {
    static let files: Files = [
        "Makefile": .file("start stop:\n\t@true\nbroken:\n\t@false\n"),
        "manifest.json": .file("{\"version\": \"1.2.3\"}\n"),
        "conf/deep/a b\\n": .file("a"), "-rf": .script("b"), "ünïcode": .file(""), "link": .link("conf/ deep\\"),
        "empty/inner": .folder,
    ]

    @Test(arguments: Lab.Shell.installed)
    func tellsTheTreeThatIsThere(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        #expect(try await lab.session.inventory().jobs == [])
        #expect(try await lab.push(Self.files, over: [:]) == .pushed)
        try lab.write("of the service", lab.job("data/db"))
        try lab.write("of the service", lab.job("conf/made"))
        let inventory = try await lab.session.inventory()
        #expect(inventory.owner?.sequence == 1)
        let job = try #require(inventory.jobs.first)
        #expect(inventory.jobs.count == 1)
        #expect(job.tree == Self.files.tree)
        #expect(job.isAltered == false)
        #expect(String(decoding: job.manifest, as: UTF8.self) == "{\"version\": \"1.2.3\"}\n")
        #expect(job.last == .unknown)

        for (path, text) in [("ünïcode", "edited"), ("link", "a file now")] {
            try FileManager.default.removeItem(atPath: lab.job(path))
            try lab.write(text, lab.job(path))
            #expect(try await lab.session.inventory().jobs.first?.isAltered == true)
        }
        try FileManager.default.removeItem(atPath: lab.job("-rf"))
        let altered = try #require(try await lab.session.inventory().jobs.first)
        #expect(altered.tree.entries.map(\.path).contains("-rf") == false)
    }

    @Test(arguments: Lab.Shell.installed)
    func isAskedWithoutBeingInstalled(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        #expect(try await lab.push(Self.files, over: [:]) == .pushed)
        let installed = try await lab.session.look()
        #expect(installed.hasScript)
        try FileManager.default.removeItem(atPath: lab.path(".bin"))
        let asked = try await lab.session.look()
        #expect(!asked.hasScript)
        #expect(asked.inventory == installed.inventory)
        let paths = ["-rf", "conf/deep/a b\\n", "link", "not there"]
        let shown = try await lab.session.show(paths, of: "api", limit: 100)
        #expect(shown == ["-rf": Array("b".utf8), "conf/deep/a b\\n": Array("a".utf8)])
        #expect(!FileManager.default.fileExists(atPath: lab.path(".bin")))
    }

    /// Of a link that somebody changed; the job is another one then, and that is all.
    @Test(arguments: Lab.Shell.installed)
    func textsOfLinksMayBeAnything(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        #expect(try await lab.push(Self.files, over: [:]) == .pushed)
        for text: [UInt8] in [Array("a\nb\n".utf8), Array("a\r".utf8), [0xff, 0xfe], Array("-n".utf8), [0x0a]] {
            try FileManager.default.removeItem(atPath: lab.job("link"))
            #expect(symlink((text + [0]).map { CChar(bitPattern: $0) }, lab.job("link")) == 0)
            let job = try #require(try await lab.session.inventory().jobs.first)
            #expect(job.isAltered)
            let link = try #require(job.tree.entries.first { $0.path == "link" })
            #expect(link.size == text.count && link.digest == Digest.of(text))
        }
    }

    @Test(arguments: Lab.Shell.installed)
    func remembersTheLastTargetAfterTheLastPush(_ shell: Lab.Shell) async throws {
        let lab = try await Lab(shell)
        let last = { try await lab.session.inventory().jobs.first?.last }
        #expect(try await lab.push(Self.files, over: [:]) == .pushed)
        for (attempt, target) in ["start", "broken", "stop"].enumerated() {
            _ = try await lab.session.run(
                AttemptRequest(id: "run1-\(attempt)-1", action: .target(target), job: "api", timeout: nil))
            #expect(try await last() == (target == "broken" ? .failed(target: target) : .succeeded(target: target)))
        }
        // A probe is no action of the job.
        _ = try await lab.session.run(
            AttemptRequest(id: "run1-9-1", action: .shell("true"), job: "api", lock: .none, timeout: nil))
        #expect(try await last() == .succeeded(target: "stop"))
        var changed = Self.files
        changed["ünïcode"] = .file("new")
        #expect(try await lab.push(changed, over: Self.files) == .pushed)
        #expect(try await last() == .unknown)
    }
}

extension Files {
    /// As a plan names it.
    var tree: Tree {
        Tree(
            contents.map { key, content in
                switch content {
                case .file(let text):
                    TreeEntry(path: key.path, kind: .file, digest: Digest.of(text.utf8), size: text.utf8.count)
                case .script(let text):
                    TreeEntry(path: key.path, kind: .executable, digest: Digest.of(text.utf8), size: text.utf8.count)
                case .link(let text):
                    TreeEntry(path: key.path, kind: .symlink, digest: Digest.of(text.utf8), size: text.utf8.count)
                case .folder: TreeEntry(path: key.path, kind: .emptyDirectory, digest: Digest.of([]), size: 0)
                }
            })
    }
}
