import Foundation
import Model
import Testing

@testable import Catalog

@Suite struct BucketLockTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func holder() throws -> LockHolder? {
        switch try BucketLock.state(in: folder.path) {
        case .free: nil
        case .held(let holder): holder
        }
    }

    @Test func aSecondLockIsRefusedWhileTheFirstIsHeldAndNamesItsHolder() throws {
        #expect(try BucketLock.state(in: folder.path) == .free)
        let first = try BucketLock.acquire(in: folder.path, plan: planDigest, at: at(0))
        let held = try #require(try holder())
        #expect(held.pid == Int(getpid()) && held.since == at(0) && held.plan == planDigest)
        let error = #expect(throws: LockError.held(by: held, path: folder.file("apply.lock"))) {
            try BucketLock.acquire(in: folder.path, plan: nil, at: at(1))
        }
        #expect("\(try #require(error))".contains("process \(getpid()) of"))
        #expect("\(try #require(error))".contains("since 2023-11-14T22:13:20Z"))
        #expect(try mode(folder.file("apply.lock")) == 0o600)
        withExtendedLifetime(first) {}
    }

    @Test func aLockHoldsWhereSomebodyHasDeletedItsFile() throws {
        let link = folder.path + ".link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder.path)
        defer { try? FileManager.default.removeItem(atPath: link) }
        var first: BucketLock? = try BucketLock.acquire(in: link, plan: planDigest, at: at(0))
        try FileManager.default.removeItem(atPath: folder.file("apply.lock"))
        let error = #expect(throws: LockError.held(by: nil, path: folder.path)) {
            try BucketLock.acquire(in: folder.path, plan: nil, at: at(1))
        }
        #expect("\(try #require(error))".contains("locked by another process"))
        withExtendedLifetime(first) {}
        first = nil
        _ = try BucketLock.acquire(in: folder.path, plan: nil, at: at(2))
    }

    @Test func aDroppedLockIsFree() throws {
        _ = try BucketLock.acquire(in: folder.path, plan: nil, at: at(0))
        #expect(try BucketLock.state(in: folder.path) == .free)
        #expect(try folder.text("apply.lock").isEmpty)
    }

    @Test func aCommandThatTheHolderStartedDoesNotKeepTheLock() throws {
        var lock: BucketLock? = try BucketLock.acquire(in: folder.path, plan: nil, at: at(0))
        // Straight to the system, which hands on every descriptor that is not close-on-exec.
        var child = pid_t()
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
        defer { arguments.forEach { free($0) } }
        #expect(posix_spawnp(&child, "sleep", nil, nil, arguments, environ) == 0)
        defer {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
        }
        #expect(lock != nil)
        lock = nil
        #expect(try BucketLock.state(in: folder.path) == .free)
        _ = try BucketLock.acquire(in: folder.path, plan: nil, at: at(1))
        #expect(kill(child, 0) == 0)
    }

    @Test func theLockOfAnotherProcessIsSeenAndDiesWithIt() async throws {
        let path = folder.path
        async let child = #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let lock = try BucketLock.acquire(in: path, plan: planDigest, at: at(7))
            // The test kills it; a test that failed before leaves it no longer than this.
            sleep(600)
            withExtendedLifetime(lock) {}
        }
        try await eventually("the child holds the lock") { try holder() != nil }
        let held = try #require(try holder())
        #expect(held.pid != Int(getpid()) && held.plan == planDigest && held.since == at(7))
        #expect(throws: LockError.held(by: held, path: path + "/apply.lock")) {
            try BucketLock.acquire(in: path, plan: nil, at: at(8))
        }
        kill(pid_t(held.pid), SIGKILL)
        _ = await child
        #expect(try BucketLock.state(in: path) == .free)
        let lock = try BucketLock.acquire(in: path, plan: nil, at: at(9))
        #expect(try holder()?.since == at(9))
        withExtendedLifetime(lock) {}
    }

    @Test func aHolderThatDidNotSayWhoItIsIsStillAHolder() throws {
        let lock = try BucketLock.acquire(in: folder.path, plan: nil, at: at(0))
        truncate(folder.file("apply.lock"), 0)
        #expect(try BucketLock.state(in: folder.path) == .held(by: nil))
        #expect(throws: LockError.held(by: nil, path: folder.file("apply.lock"))) {
            try BucketLock.acquire(in: folder.path, plan: nil, at: at(1))
        }
        withExtendedLifetime(lock) {}
    }

    @Test func aMissingFolderIsNamed() throws {
        let error = #expect(throws: LockError.self) {
            try BucketLock.acquire(in: folder.file("nowhere"), plan: nil, at: at(0))
        }
        #expect("\(try #require(error))".contains("nowhere/apply.lock"))
    }
}
