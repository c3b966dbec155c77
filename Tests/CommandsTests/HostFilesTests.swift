import Commands
import Foundation
import Testing
import UseCases

@Suite struct HostFilesTests {
    private func problem(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch let problem as HostFiles.Problem {
            return problem.message
        } catch let failure as Failure {
            return failure.message
        } catch {
            return "\(error)"
        }
    }

    // MARK: Reading

    @Test func onlyFilesOfABoundedSizeAreRead() throws {
        let folder = try TestFolder()
        try folder.write("12345", "file")
        #expect(mkfifo(folder["pipe"], 0o600) == 0)
        #expect(try HostFiles.read(folder["file"], limit: 5) == Array("12345".utf8))
        #expect(problem { _ = try HostFiles.read(folder["file"], limit: 4) }?.contains("is larger than") == true)
        // Nobody writes to the pipe.
        #expect(problem { _ = try HostFiles.read(folder["pipe"], limit: 5) }?.contains("is not a regular file") == true)
        #expect(problem { _ = try HostFiles.read(folder.path, limit: 5) }?.contains("is a folder") == true)
    }

    @Test func whatCannotBeReadIsNamedWithWhatToDo() throws {
        let folder = try TestFolder()
        let failure = #expect(throws: Failure.self) {
            try HostFiles.read(folder["none"], limit: 5, as: "--window: none", .usage, note: "make it")
        }
        #expect(failure?.status == .usage)
        #expect(failure?.message == "--window: none cannot be read: No such file or directory")
        #expect(failure?.note == "make it")
    }

    // MARK: Writing

    @Test func anotherFileIsReplacedOnlyIfAsked() throws {
        let folder = try TestFolder()
        #expect(try HostFiles.write([0x61], to: folder["f"], overwrite: false) == .written)
        #expect(try HostFiles.write([0x61], to: folder["f"], overwrite: false) == .unchanged)
        #expect(try HostFiles.write([0x62], to: folder["f"], overwrite: false) == .refused)
        #expect(try folder.text("f") == "a")
        #expect(try HostFiles.write([0x62], to: folder["f"], overwrite: true) == .written)
        #expect(try folder.text("f") == "b")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f"])
        #expect(folder.mode("f") & 0o022 == 0)
    }

    @Test func aLinkStaysAndItsFileIsWritten() throws {
        let folder = try TestFolder()
        try FileManager.default.createSymbolicLink(atPath: folder["link"], withDestinationPath: "file")
        #expect(try HostFiles.write([0x61], to: folder["link"], overwrite: false) == .written)
        #expect(try folder.text("file") == "a")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder["link"]) == "file")
    }

    @Test func linksThatLeadInACircleAreRefused() throws {
        let folder = try TestFolder()
        try FileManager.default.createSymbolicLink(atPath: folder["a"], withDestinationPath: "b")
        try FileManager.default.createSymbolicLink(atPath: folder["b"], withDestinationPath: "a")
        #expect(problem { _ = try HostFiles.write([0x61], to: folder["a"], overwrite: true) } != nil)
    }

    @Test(.enabled(if: getuid() == 0, "only root can give a link to another user"))
    func aLinkOfAnotherUserIsRefused() throws {
        let folder = try TestFolder()
        try FileManager.default.createSymbolicLink(atPath: folder["link"], withDestinationPath: "file")
        #expect(lchown(folder["link"], 12345, 12345) == 0)
        let message = problem { _ = try HostFiles.write([0x61], to: folder["link"], overwrite: true) }
        #expect(message?.contains("is a symbolic link of another user") == true)
        #expect(!FileManager.default.fileExists(atPath: folder["file"]))
    }

    @Test func foldersAndPipesThatNobodyReadsAreRefused() throws {
        let folder = try TestFolder()
        #expect(mkfifo(folder["pipe"], 0o600) == 0)
        #expect(problem { _ = try HostFiles.write([0x61], to: folder.path, overwrite: true) } == "Is a directory")
        for body in [
            { _ = try HostFiles.write([0x61], to: folder["pipe"], overwrite: true) },
            { _ = try HostFiles.openForAppending(folder["pipe"]) },
        ] {
            #expect(problem(body) == "it is a pipe that nobody reads, or a socket")
        }
    }

    @Test func aPipeThatIsReadGetsTheBytes() throws {
        let folder = try TestFolder()
        #expect(mkfifo(folder["pipe"], 0o600) == 0)
        let reader = open(folder["pipe"], O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        #expect(try HostFiles.write([0x61, 0x62], to: folder["pipe"], overwrite: false) == .written)
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(read(reader, &buffer, 8) == 2)
        #expect(buffer.prefix(2) == [0x61, 0x62])
    }

    // MARK: Appending

    @Test func whatIsAppendedComesAfterWhatIsThere() throws {
        let folder = try TestFolder()
        for text in ["a", "b"] {
            let descriptor = try HostFiles.openForAppending(folder["log"])
            defer { close(descriptor) }
            try HostFiles.writeAll(Array(text.utf8), to: descriptor)
            // A slow reader of a pipe is waited for.
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK == 0)
        }
        #expect(try folder.text("log") == "ab")
        #expect(folder.mode("log") == 0o600)
    }

    @Test func nothingIsAppendedToAFolderOrThroughALinkToNothing() throws {
        let folder = try TestFolder()
        try FileManager.default.createSymbolicLink(atPath: folder["link"], withDestinationPath: "none")
        #expect(problem { _ = try HostFiles.openForAppending(folder.path) } == "Is a directory")
        #expect(problem { _ = try HostFiles.openForAppending(folder["link"]) } != nil)
        #expect(!FileManager.default.fileExists(atPath: folder["none"]))
    }

    @Test func aFolderIsEmptyButForWhatIsExcepted() throws {
        let folder = try TestFolder()
        #expect(try HostFiles.isEmpty(folder.path, besides: ".git"))
        try folder.write("", ".git")
        #expect(try HostFiles.isEmpty(folder.path, besides: ".git"))
        try folder.write("", "x")
        #expect(try !HostFiles.isEmpty(folder.path, besides: ".git"))
    }
}
