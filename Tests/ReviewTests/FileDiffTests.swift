import Model
import Plans
import Testing

@testable import Review

@Suite struct FileDiffTests {
    private func diff(_ old: [UInt8]?, _ new: [UInt8]?, limit: Int = 100) throws -> FileDiff? {
        let change = FileChange(
            path: "a", kind: old == nil ? .added : new == nil ? .removed : .modified, from: old.map { Digest.of($0) },
            to: new.map { Digest.of($0) })
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        plan.work.body.waves[0].jobs[0].changes = [.init("a", [change])]
        let objects = [old, new].compactMap(\.self)
        let contents = FileContents(of: plan, whole: .all) { digest, limit in
            guard let bytes = objects.first(where: { Digest.of($0) == digest }) else { return .missing }
            return bytes.count > limit ? .large(bytes.count) : .bytes(bytes)
        }
        return FileDiff(change, contents, showsWhole: true, limit: limit)
    }

    private func text(_ diff: FileDiff?) -> String {
        switch diff {
        case nil: "nothing"
        case .note(let note): note
        case .lines(let lines, let hidden):
            lines.map(FileDiff.text).joined(separator: "\n") + (hidden > 0 ? "\n… \(hidden)" : "")
        }
    }

    @Test func isUnified() throws {
        #expect(text(try diff(Array("a\nb\nc\n".utf8), Array("a\nB\nc\n".utf8))) == "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c")
        #expect(text(try diff(nil, Array("a\n".utf8))) == "@@ -0,0 +1,1 @@\n+a")
        #expect(text(try diff(Array("a\n".utf8), nil)) == "@@ -1,1 +0,0 @@\n-a")
        #expect(text(try diff(nil, [])) == "")
    }

    @Test func showsLineEndsAndTabs() throws {
        #expect(
            text(try diff(Array("a\n".utf8), Array("\ta\r\n".utf8))) == "@@ -1,1 +1,1 @@\n-a\n+\ta\\u{d}")
        #expect(
            text(try diff(Array("a\nb".utf8), Array("A\nb".utf8)))
                == "@@ -1,2 +1,2 @@\n-a\n+A\n b\n\\ no line feed at the end of the file")
        #expect(text(try diff(Array("a".utf8), Array("a\n".utf8))) == "a line feed at its end is new")
    }

    @Test func saysWhyThereAreNoLines() throws {
        #expect(text(try diff([0, 1], Array("abc".utf8))) == "binary, 2 bytes -> 3 bytes")
        #expect(text(try diff(nil, [0xff, 0xfe])) == "binary, 2 bytes")
        let large = [UInt8](repeating: 0x61, count: FileContents.maximumFileSize + 1)
        #expect(text(try diff([0x62], large)) == "too large to show, 1 byte -> 262.1 KB")
        let (old, new) = ((0..<900).map { "a\($0)\n" }.joined(), (0..<900).map { "b\($0)\n" }.joined())
        #expect(text(try diff(Array(old.utf8), Array(new.utf8))).hasPrefix("too different to show line by line"))
    }

    @Test func isCutAndCounted() throws {
        let lines = (0..<50).map { "line \($0)\n" }.joined()
        #expect(text(try diff(nil, Array(lines.utf8), limit: 3)) == "@@ -0,0 +1,50 @@\n+line 0\n+line 1\n… 48")
        let long = text(try diff(nil, Array((String(repeating: "x", count: 5000) + "\n").utf8)))
        #expect(long.hasSuffix("x… (4700 more characters)"))
    }

    @Test func hidesPrivateKeys() throws {
        func key(_ body: String) -> [UInt8] {
            Array(
                "first\n-----BEGIN OPENSSH PRIVATE KEY-----\n\(body)\nend\n-----END OPENSSH PRIVATE KEY-----\nlast\n"
                    .utf8)
        }
        let shown = text(try diff(key("c2VjcmV0"), key("b3RoZXI=")))
        #expect(!shown.contains("c2VjcmV0") && !shown.contains("b3RoZXI="))
        #expect(shown.contains("-(a line of a private key, not shown)\n+(a line of a private key, not shown)"))
        #expect(shown.contains(" -----BEGIN OPENSSH PRIVATE KEY-----") && shown.contains(" last"))
    }

    @Test func whatIsMissingInAStoreIsSaid() throws {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        let (here, gone) = (Digest.of([0x61]), Digest.of([0x62]))
        let change = FileChange(path: "a", kind: .modified, from: gone, to: here)
        plan.work.body.waves[0].jobs[0].changes = [.init("a", [change])]
        let some = FileContents(of: plan, whole: .all) { digest, _ in
            digest == here ? .bytes([0x61]) : .missing
        }
        #expect(
            text(FileDiff(change, some, showsWhole: true, limit: 9)) == "not compared: the content is not in the store")
        let none = FileContents(of: plan, whole: .all) { _, _ in .missing }
        #expect(FileDiff(change, none, showsWhole: true, limit: 9) == nil)
    }

    @Test func readsNoMoreThanOneReviewNeeds() throws {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        let changes = (0..<3000).map {
            FileChange(path: "f\($0)", kind: .added, from: nil, to: Digest.of("\($0)".utf8))
        }
        plan.work.body.waves[0].jobs[0].changes = [.init("a", changes)]
        var asked = 0
        let contents = FileContents(of: plan, whole: .all) { _, _ in
            asked += 1
            return .bytes([UInt8](repeating: 0x61, count: 100_000))
        }
        #expect(asked < 100)
        #expect(text(FileDiff(changes[2999], contents, showsWhole: true, limit: 9)).hasPrefix("not compared"))
    }

    @Test func whatIsNotAtHandIsNotGuessed() throws {
        let change = FileChange(path: "a", kind: .modified, from: Digest.of([1]), to: Digest.of([2]))
        #expect(FileDiff(change, .none, showsWhole: true, limit: 9) == nil)
    }
}
