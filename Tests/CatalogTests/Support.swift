import Foundation
import GRDB
import Model
import Plans
import Testing

@testable import Catalog

/// A folder of its own for one test, removed with everything in it when the value goes.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "catalog-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
    }

    func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: file(name))), as: UTF8.self)
    }
}

/// The permission bits of a file.
func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
}

/// Runs a program and waits for it.
@discardableResult
func shell(_ command: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}

/// Whether this process may mount a small disk to fill up or to make read-only.
let canMount: Bool = {
    guard let folder = try? TemporaryFolder() else { return false }
    return (try? shell("mount -t tmpfs none '\(folder.path)' 2>/dev/null && umount '\(folder.path)'")) == 0
}()

/// Waits until the condition holds; fails the test after five minutes: at the start of a run all tests want the processors at once.
func eventually(_ what: String, _ condition: () throws -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(300)
    while try !condition() {
        guard ContinuousClock.now < end else {
            Issue.record("not within five minutes: \(what)")
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Another process's write transaction: nobody else writes until it is released.
struct OtherWriter {
    private let queue: DatabaseQueue

    init(_ path: String) throws {
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { db in try db.execute(sql: "BEGIN IMMEDIATE") }
    }

    func release() throws { try queue.writeWithoutTransaction { db in try db.execute(sql: "ROLLBACK") } }
}

let bucket = "7f3c9a2e-0000-4000-8000-000000000001"
let planDigest = Digest.of(Array("a plan".utf8))
let stepDigest = Digest.of(Array("a step".utf8))

func at(_ second: Int64) -> Timestamp { Timestamp(milliseconds: 1_700_000_000_000 + second * 1000) }

extension Catalog {
    func execute(_ sql: String) throws { try queue.writeWithoutTransaction { db in try db.execute(sql: sql) } }

    func pragma(_ name: String) throws -> String? {
        try queue.writeWithoutTransaction { db in try String.fetchOne(db, sql: "PRAGMA \(name)") }
    }

    func begin(plan: Digest = planDigest, nonce: String = "n1", workers: [PlanWorker] = []) throws -> Run {
        try beginRun(plan: plan, nonce: nonce, at: at(0), by: "ann@control", workers: workers)
    }

    func commit(_ run: Run, _ steps: StepWrite..., changes: [CatalogChange] = []) async throws(CatalogError) {
        try await commit(Checkpoint(run: run.id, at: at(1), steps: steps, changes: changes))
    }
}

func begin(_ step: String, _ attempt: Int = 1) -> StepWrite {
    .begin(step: StepID(step), attempt: attempt, digest: stepDigest, attemptID: "n1/\(step)/\(attempt)")
}

func outcome(_ step: String, _ attempt: Int = 1, _ state: StepState, exit: Int? = nil) -> StepWrite {
    .outcome(step: StepID(step), attempt: attempt, state: state, exitStatus: exit)
}

func allocation(_ job: String, _ worker: String) throws -> AllocationID {
    AllocationID(job: try #require(JobName(job)), worker: try #require(WorkerName(worker)))
}

extension KeyValueWrite.Content {
    /// A secret's value as it is under the key of this name, with a fingerprint that says nothing.
    static func secret(
        _ digit: Character = "a", key: String = "f", _ seal: @escaping @Sendable (_ version: Int) throws -> [UInt8]
    ) throws -> KeyValueWrite.Content {
        .sealed(try #require(SecretFingerprint(hex: String(repeating: digit, count: 64))), key: key, seal)
    }
}
