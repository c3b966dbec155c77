import Foundation
import Model
import Testing

@testable import Catalog

@Suite struct ContentStoreTests {
    let folder: TemporaryFolder
    let store: ContentStore

    init() throws {
        folder = try TemporaryFolder()
        store = ContentStore(in: folder.path)
    }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private func objects() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: store.folder + "/objects").filter { $0.contains("/") }
    }

    @Test func whatIsPutIsReadBackAndKeptOnce() throws {
        let digest = try store.put(bytes("hello"))
        #expect(digest == Digest.of(bytes("hello")))
        #expect(try store.put(bytes("hello")) == digest)
        #expect(store.contains(digest))
        #expect(try store.read(digest, limit: 5) == bytes("hello"))
        #expect(try objects() == [String(digest.hex.prefix(2)) + "/" + digest.hex.dropFirst(2)])
    }

    @Test func emptyContentIsContent() throws {
        let digest = try store.put([])
        #expect(try store.read(digest, limit: 0) == [])
    }

    @Test func onlyTheOwnerMayReadIt() throws {
        let digest = try store.put(bytes("hello"))
        #expect(try mode(store.folder) == 0o700)
        #expect(try mode(store.path(of: digest)) == 0o600)
    }

    @Test func aMissingObjectSaysWhatToDo() throws {
        let digest = Digest.of(bytes("hello"))
        let error = StoreError.missing(digest, path: store.path(of: digest))
        #expect(throws: error) { try store.read(digest, limit: 10) }
        #expect("\(error)".contains("\(digest)") && "\(error)".contains("plan again"))
        #expect(!store.contains(digest))
    }

    @Test(arguments: ["hellO", "hell", "hello and more", ""])
    func anAlteredObjectIsNeverHandedOut(altered: String) throws {
        let digest = try store.put(bytes("hello"))
        try bytes(altered).write(to: store.path(of: digest))
        let error = StoreError.altered(
            path: store.path(of: digest), expected: digest, actual: Digest.of(bytes(altered)))
        #expect(throws: error) { try store.read(digest, limit: 100) }
        #expect("\(error)".contains(store.path(of: digest)))
    }

    @Test func aShortenedObjectIsRepairedByKeepingItAgain() throws {
        let digest = try store.put(bytes("hello"))
        try bytes("he").write(to: store.path(of: digest))
        try store.put(bytes("hello"))
        #expect(try store.read(digest, limit: 5) == bytes("hello"))
    }

    @Test func aLargeFileIsCopiedAndReadInPieces() throws {
        var content: [UInt8] = []
        while content.count < 1_000_003 {
            content.append(UInt8(truncatingIfNeeded: content.count &* 31 &+ content.count >> 8))
        }
        try content.write(to: folder.file("large"))
        let digest = Digest.of(content)
        try store.put(fileAt: folder.file("large"), expecting: digest)
        var reader = try store.reader(of: digest)
        #expect(reader.size == content.count)
        var (all, pieces): ([UInt8], Int) = ([], 0)
        while let piece = try reader.next() {
            all += piece
            pieces += 1
            #expect(piece.count <= 256 * 1024)
        }
        #expect(all == content && pieces >= 4)
        #expect(try reader.next() == nil)
        let error = StoreError.tooLarge(path: store.path(of: digest), size: content.count, limit: 1000)
        #expect(throws: error) { try store.read(digest, limit: 1000) }
    }

    @Test func alteredPiecesEndInAnError() throws {
        let digest = try store.put(bytes("hello"))
        try bytes("HELLO").write(to: store.path(of: digest))
        var reader = try store.reader(of: digest)
        #expect(try reader.next() == bytes("HELLO"))
        #expect(throws: StoreError.self) { try reader.next() }
    }

    @Test func aFileThatChangedSinceItWasPlannedIsRefused() throws {
        let planned = Digest.of(bytes("planned"))
        try bytes("changed").write(to: folder.file("conf"))
        let error = StoreError.sourceChanged(
            path: folder.file("conf"), expected: planned)
        #expect(throws: error) { try store.put(fileAt: folder.file("conf"), expecting: planned) }
        #expect(!store.contains(planned))
        #expect(try objects().isEmpty, "no temporary file is left")
    }

    @Test func aFileThatIsNoneAnyMoreIsRefused() throws {
        let planned = Digest.of(bytes("planned"))
        try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: "conf")
        mkfifo(folder.file("pipe"), 0o600)
        for name in ["link", "pipe", "nowhere", "."] {
            let error = #expect(throws: StoreError.self) {
                try store.put(fileAt: folder.file(name), expecting: planned)
            }
            #expect("\(try #require(error))".contains(folder.file(name)))
        }
    }

    @Test func manyFilesAreCapturedTogether() throws {
        var items: [ContentStore.Capture] = []
        for number in 0..<300 {
            let content = bytes("file \(number % 200)")
            if number % 2 == 0 {
                items.append(.init(Digest.of(content), .bytes(content)))
            } else {
                try content.write(to: folder.file("\(number)"))
                items.append(.init(Digest.of(content), .file(folder.file("\(number)"))))
            }
        }
        try store.capture(items)
        #expect(try objects().count == 200)
        for item in items { _ = try store.read(item.digest, limit: 100) }
    }

    @Test func ofACaptureThatFailsNothingIsKept() throws {
        let good = (0..<20).map { ContentStore.Capture(Digest.of(bytes("\($0)")), .bytes(bytes("\($0)"))) }
        let bad = ContentStore.Capture(Digest.of(bytes("planned")), .bytes(bytes("changed")))
        #expect(throws: StoreError.self) { try store.capture(good + [bad]) }
        #expect(try objects().isEmpty)
    }

    @Test func treesAreKeptUnderTheirOwnDigest() throws {
        let entry = TreeEntry(path: "conf/a.yml", kind: .file, digest: Digest.of(bytes("a")), size: 1)
        let tree = Tree([entry])
        try store.put(tree)
        #expect(try store.tree(tree.digest) == tree)
        let other = try store.put(bytes("no tree"))
        #expect(throws: StoreError.notATree(other)) { try store.tree(other) }
    }

    @Test func manyTasksMayKeepTheSame() async throws {
        let store = store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<16 {
                group.addTask {
                    for number in 0..<20 {
                        let content = Array("shared \(number)".utf8)
                        let digest = try store.put(content)
                        #expect(try store.read(digest, limit: 100) == content, "task \(task)")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try objects().count == 20)
    }

    @Test(.enabled(if: canMount)) func aFullDiskLeavesNothingHalfWritten() throws {
        try shell("mount -t tmpfs -o size=1m none '\(folder.path)'")
        defer { _ = try? shell("umount -l '\(folder.path)'") }
        let small = try store.put(bytes("small"))
        let large = [UInt8](repeating: 7, count: 2_000_000)
        let error = #expect(throws: StoreError.self) { try store.put(large) }
        guard case .diskFull = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!store.contains(Digest.of(large)))
        #expect(try objects().count == 1)
        #expect(try store.read(small, limit: 10) == bytes("small"))
    }
}

extension [UInt8] {
    fileprivate func write(to path: String) throws { try Data(self).write(to: URL(fileURLWithPath: path)) }
}
