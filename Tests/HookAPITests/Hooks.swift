import Catalog
import Foundation
import HookAPI
import KeyValues
import Model
import Plans
import Testing

/// A run with hooks under way, and what serves them.
final class Hooks: Sendable {
    let folder: String
    let catalog: Catalog
    let run: Run
    let api: HookAPI
    let reports: Reports

    /// What was reported.
    final class Reports: @unchecked Sendable {
        // Guarded by the lock.
        private var lines: [String] = []
        private let lock = NSLock()

        func add(_ line: String) { lock.withLock { lines.append(line) } }
        var all: [String] { lock.withLock { lines } }
    }

    static let facts: Facts = {
        let worker = { (name: String) in Facts.Worker(worker: WorkerName(name) ?? unreachable(), labels: ["worker"]) }
        let job = { (name: String, demands: [Facts.Demand]) in
            Facts.Job(
                job: JobName(name) ?? unreachable(), version: "1.0.0", selectors: ["worker"],
                variables: name == "api" ? ["from_file": "1", "both": "file"] : [:], demands: demands)
        }
        let demand = Facts.Demand(
            command: "command_migrate", upstream: JobName("db") ?? unreachable(), upstreamCommand: "command_schema",
            config: #"{"min_version": "2"}"#)
        return Facts(
            variables: ["environment": "test"], workers: ["w1", "w2"].map(worker),
            jobs: [job("api", [demand]), job("db", []), job("web", [])])
    }()

    private static func unreachable<T>() -> T { preconditionFailure("a literal of this test is wrong") }

    init(
        _ steps: [String] = ["a"], in folder: String? = nil, continuing: Bool = false, port: Int? = nil,
        living: [String] = [], workers: @escaping HookWorkerCommands = { .unknownWorker($0.worker) }
    ) async throws {
        self.folder = folder ?? NSTemporaryDirectory() + "hooks-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        catalog = try Catalog.open(in: self.folder, bucket: "b-1")
        let now: @Sendable () -> Timestamp = { Timestamp(milliseconds: 1_700_000_000_000) }
        if continuing {
            run = try #require(try catalog.unfinishedRun())
        } else {
            run = try catalog.beginRun(
                plan: Digest.of([1]), nonce: "n1", at: now(), by: "ann@control", workers: [])
            let begins = steps.map {
                StepWrite.begin(step: StepID($0), attempt: 1, digest: Digest.of([2]), attemptID: "n1-\($0)")
            }
            try await catalog.commit(Checkpoint(run: run.id, at: now(), steps: begins))
        }
        let reports = Reports()
        self.reports = reports
        let run = run
        api = try await HookAPI.open(
            bucketFolder: self.folder, bucket: "b-1", facts: Self.facts, catalog: catalog,
            vault: try Vault.openOrCreate(in: self.folder, for: catalog), run: run, port: port,
            living: try living.map { try Self.identity($0, of: run) }, workers: workers, now: now,
            report: { reports.add($0) })
    }

    func identity(
        _ step: String = "a", job: String = "api", worker: String = "w1", event: String = "pre_deploy",
        command: String = "command_x"
    ) throws -> HookIdentity {
        try Self.identity(step, job: job, worker: worker, event: event, command: command, of: run)
    }

    private static func identity(
        _ step: String, job: String = "api", worker: String = "w1", event: String = "pre_deploy",
        command: String = "command_x", of run: Run
    ) throws -> HookIdentity {
        let allocation = AllocationID(job: try #require(JobName(job)), worker: try #require(WorkerName(worker)))
        return HookIdentity(
            attempt: WritingAttempt(run: run.id, step: StepID(step), attempt: 1), job: allocation.job,
            worker: allocation.worker, allocationID: Facts.allocationID(allocation), command: command, event: event)
    }

    func end(_ step: String, _ state: StepState) async throws {
        try await catalog.commit(
            Checkpoint(
                run: run.id, at: Timestamp(milliseconds: 1),
                steps: [.outcome(step: StepID(step), attempt: 1, state: state)]))
        await api.ended(WritingAttempt(run: run.id, step: StepID(step), attempt: 1))
    }

    /// The variables that a hook's process gets.
    func environment(_ identity: HookIdentity) throws -> [String: String] {
        try [
            "PATH": "/usr/bin:/bin", "JOB": identity.job.text, "ALLOCATION_IP": identity.worker.text,
            "ALLOCATION_ID": identity.allocationID, "EVENT": identity.event, "COMMAND": identity.command,
        ].merging(api.admit(identity)) { $1 }
    }

    func start(_ script: String, _ environment: [String: String]) throws -> (Process, Pipe) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", "import maand\n" + script]
        process.environment = environment
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        return (process, pipe)
    }

    /// Waits until a process has made a file. Not by asking without a pause: all servers of the tests share two threads.
    static func exists(_ path: String) async throws {
        while !FileManager.default.fileExists(atPath: path) { try await Task.sleep(for: .milliseconds(5)) }
    }

    /// Waits on a thread of its own, since the server needs those of the tasks.
    static func output(of process: Process, _ pipe: Pipe) async -> String {
        await withCheckedContinuation { ended in
            Thread.detachNewThread {
                let data = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                ended.resume(returning: String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines))
            }
        }
    }

    /// What a script in Python prints.
    func python(_ script: String, _ identity: HookIdentity) async throws -> String {
        let (process, pipe) = try start(script, try environment(identity))
        return await Self.output(of: process, pipe)
    }

    func text(_ namespace: String, _ key: String) throws -> String? {
        let namespace = try #require(KVNamespace(namespace))
        let view = KeyValueView(
            facts: Facts(), bucket: "b-1", catalog: catalog,
            vault: try Vault.open(in: folder, known: try catalog.keyFingerprint()))
        return try view.value(namespace, key).map { try view.text(of: $0, in: namespace) }
    }
}
