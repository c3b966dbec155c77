import ArgumentParser
import Catalog
import Commands
import Foundation
import Model
import Testing
import UseCases

@Suite struct OptionsTests {
    @Test func theBucketIsNamedAsItWasGiven() throws {
        let bucket = try BucketOptions.parse(["--bucket", "some/../where"])
        #expect(bucket.path("maand.conf") == "some/../where/maand.conf")
        #expect(bucket.folder == FileManager.default.currentDirectoryPath + "/where")
    }

    @Test func anEmptyNameIsTheCurrentDirectory() throws {
        let bucket = try BucketOptions.parse(["--bucket", ""])
        #expect(bucket.folder == FileManager.default.currentDirectoryPath)
        #expect(bucket.path("maand.conf") == "maand.conf")
    }

    @Test func aFolderThatIsNoBucketIsSaidToBeNone() throws {
        let folder = try TestFolder()
        let bucket = try BucketOptions.parse(["--bucket", folder.path])
        let failure = #expect(throws: Failure.self) { try bucket.configuration() }
        #expect(failure?.status == .invalidInput)
        #expect(failure?.message == folder["maand.conf"] + " cannot be read: No such file or directory")
        #expect(failure?.note?.contains("maand-plan init") == true)
    }

    @Test func aBucketThatIsInUseIsForLater() throws {
        let folder = try TestFolder()
        let bucket = try BucketOptions.parse(["--bucket", folder.path])
        let lock = try bucket.lock(plan: nil)
        let error = withExtendedLifetime(lock) { #expect(throws: LockError.self) { try bucket.lock(plan: nil) } }
        #expect(Failure(try #require(error))?.status == .tryLater)
    }

    @Test func coloursAreAsAsked() throws {
        let always = Terminal(try ColorOptions.parse(["--color", "always"]))
        #expect(always.styled("x", .red) == "\u{1b}[31mx\u{1b}[0m")
        #expect(always.styled("x", .plain) == "x")
        let never = Terminal(try ColorOptions.parse(["--color", "never"]))
        #expect(never.styled("x", .red) == "x")
        #expect(throws: (any Error).self) { try ColorOptions.parse(["--color", "sometimes"]) }
    }

    @Test func outputOfOthersIsEscapedAndShort() throws {
        let terminal = Terminal(try ColorOptions.parse(["--color", "always"]))
        #expect(
            terminal.tail(Array("a\nb\u{1b}[31m\nc\n".utf8), count: 2).map { $0.contains("\u{1b}") } == [false, false])
        #expect(terminal.tail(Array("a\nb\nc\n".utf8), count: 2) == ["b", "c"])
        #expect(terminal.tail([UInt8](repeating: 0x61, count: 1000), count: 1)[0].count == 400)
    }

    @Test func jobsAreSeparatedByCommas() throws {
        #expect(try JobName.list("a,b") { _ in Failure(.usage, "") }.map(\.text) == ["a", "b"])
        for (text, part) in [("a,", ""), ("a, b", " b"), ("", "")] {
            let failure = #expect(throws: Failure.self) { try JobName.list(text) { Failure(.usage, "<\($0)>") } }
            #expect(failure?.message == "<\(part)>")
        }
    }
}
