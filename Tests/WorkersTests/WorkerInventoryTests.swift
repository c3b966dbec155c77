import Model
import Testing

@testable import Workers

struct WorkerInventoryTests {
    private static let digest = Digest.of(Array("x".utf8)).hex

    /// An inventory of the job `app` with a file `app.conf`, in which single parts are others.
    private func inventory(
        path: String = "app.conf", size: String = "1", sum: String = digest, job: String = "app exit.0 start",
        manifest: String = "{}", times: Int = 1, owner: String = "- 0 -"
    ) throws -> WorkerInventory {
        let parts = [
            "job \(job)", "deployed\nf \(Self.digest) 644 ./\(path)/", "paths\nf ./\(path)/", "sums\n\(sum)  ./\(path)",
            "sizes\n\(size)", "manifest\n\(manifest)",
        ]
        let all =
            ["owner \(owner)"] + Array(repeating: parts, count: times).flatMap(\.self) + ["state inventory", "end"]
        let text = all.map { "\n@abc \($0)\n" }.joined()
        return try WorkerInventory(try #require(WorkerAnswer(Array(text.utf8), nonce: "abc")))
    }

    @Test func whatWorkersHaveIsUnderstood() throws {
        let job = try #require(try inventory().jobs.first)
        #expect(job.job.text == "app" && job.last == .succeeded(target: "start") && !job.isAltered)
        #expect(job.tree.entries.map(\.path) == ["app.conf"])
        #expect(try inventory(sum: String(repeating: "0", count: 64)).jobs.first?.isAltered == true)
    }

    @Test(arguments: [
        "../../etc/cron.d/x", "/etc/passwd", "a\u{1b}[2Jb", "a//b", "./a", "a/", "",
        Array(repeating: "a", count: 500).joined(separator: "/"), String(repeating: "a", count: 4000),
    ])
    func pathsThatNoJobCanHaveAreRefused(_ path: String) {
        #expect(throws: InvalidAnswer.self) { try inventory(path: path) }
    }

    @Test(arguments: ["-5", "9223372036854775807", "x", ""])
    func sizesThatNoFileHasAreRefused(_ size: String) {
        #expect(throws: InvalidAnswer.self) { try inventory(size: size) }
    }

    @Test func whatIsListedTwiceOrIsNoJobIsRefused() {
        #expect(throws: InvalidAnswer.self) { try inventory(times: 2) }
        #expect(throws: InvalidAnswer.self) { try inventory(job: "a/b exit.0 start") }
        #expect(throws: InvalidAnswer.self) { try inventory(job: "app exit.0 start\u{1b}") }
        #expect(throws: InvalidAnswer.self) { try inventory(sum: "abc") }
        #expect(throws: InvalidAnswer.self) { try inventory(owner: "me\u{1b} 1 x") }
        #expect(throws: InvalidAnswer.self) { try inventory(manifest: String(repeating: "[", count: 70_000)) }
    }

    /// Folders are compared without writing each of them out: this would take gigabytes.
    @Test func manyDeepPathsTakeLittleMemory() throws {
        let folder = Array(repeating: String(repeating: "d", count: 40), count: 50).joined(separator: "/")
        let paths = (0..<4000).map { "\($0)/\(folder)/f" }
        let text = [
            "job app exit.0 start", "deployed", "paths\n" + paths.map { "d ./\($0)/" }.joined(separator: "\n"), "sums",
            "sizes", "state inventory", "end",
        ]
        let bytes = Array(text.map { "\n@abc \($0)\n" }.joined().utf8)
        let inventory = try WorkerInventory(try #require(WorkerAnswer(bytes, nonce: "abc")))
        #expect(inventory.jobs.first?.tree.entries.count == 4000 && inventory.jobs.first?.isAltered == true)
    }
}
