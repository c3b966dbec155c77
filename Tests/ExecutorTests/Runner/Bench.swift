import Approvals
import Catalog
import Foundation
import Model
import Plans
import SimulatedWorkers
import StepMachinery
import Synchronization
import Testing
import ThisHost
import UseCases
import Workers

@testable import Executor

/// A bucket in a temporary folder with simulated workers, and a plan for it.
final class Bench: Sendable {
    static let bucket = "b-1"

    let folder: String
    let transport: SimulatedTransport
    let tree: Tree
    private let events = Mutex<[String]>([])
    private let observed = Mutex<ObservedTransport?>(nil)
    private let time = Mutex<Int64>(1_700_000_000_000)
    /// How the wall clock moves at each look, in milliseconds.
    private let step: Int64
    /// Sleeping moves the clock and takes no time.
    private let isVirtual: Bool
    /// How far the wall clock was set, and how long the machine slept, in milliseconds.
    private let disturbance = Mutex<(wall: Int64, asleep: Int64)>((0, 0))

    init(_ transport: SimulatedTransport, clockStep: Int64 = 1, isVirtual: Bool = false) throws {
        self.transport = transport
        self.isVirtual = isVirtual
        step = clockStep
        folder = NSTemporaryDirectory() + "executor-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let store = ContentStore(in: folder)
        let entries = try [("Makefile", "content\n"), ("manifest.json", "{\"version\": \"1.0.0\"}\n")].map {
            path, text in
            TreeEntry(path: path, kind: .file, digest: try store.put(Array(text.utf8)), size: text.utf8.count)
        }
        tree = Tree(entries)
        try store.put(tree)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var now: Timestamp {
        get { Timestamp(milliseconds: time.withLock { $0 } + disturbance.withLock { $0.wall }) }
    }

    func setTime(_ instant: Timestamp) { time.withLock { $0 = instant.milliseconds } }
    func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
    func setWallClock(forward milliseconds: Int64) { disturbance.withLock { $0.wall += milliseconds } }

    func suspend(_ milliseconds: Int64) {
        advance(milliseconds)
        disturbance.withLock { $0.asleep += milliseconds }
    }

    var clock: Clock {
        Clock(
            now: { [self] in
                time.withLock { $0 += step }
                return now
            },
            sleep: { [self] duration in
                // What is shorter is somebody who looks again and again, beside the rollout.
                guard isVirtual, duration >= .seconds(1) else {
                    return try await Task.sleep(for: min(duration, .milliseconds(20)))
                }
                let (seconds, attoseconds) = duration.components
                advance(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
                try await Task.sleep(for: .milliseconds(1))
            },
            uptime: { [self] in
                let total = time.withLock { $0 }
                return Uptime(total: total, awake: total - disturbance.withLock { $0.asleep })
            })
    }

    /// Called when a worker has done what a word asks for, before it answers.
    func whenDone(_ body: @escaping @Sendable (_ verb: String, _ worker: String) -> Void) {
        observed.withLock { $0 = ObservedTransport(base: transport, observe: body) }
    }

    /// What the run told, such as warnings.
    var warnings: [String] { events.withLock { $0 } }

    func catalog() throws -> Catalog { try Catalog.open(in: folder, bucket: Self.bucket) }

    /// `jobs` jobs, each started on all workers in batches; the last of them, on `last` workers, in a second wave.
    func plan(workers: Int, jobs: Int, batch: Int, last: Int? = nil) throws -> PlanFile {
        let names = try (0..<workers).map { try #require(WorkerName("w\($0)")) }
        var waves: [[Plan.Job]] = [[], []]
        for index in 0..<jobs {
            let wave = index < max(1, jobs - 1) ? 0 : 1
            let names = Array(names.prefix(wave == 1 ? last ?? workers : workers))
            var job = try PlanSample.job("j\(index)", demands: wave == 0 ? [] : ["j0"], hasGate: false)
            job.active = names
            job.content = [.init(tree: tree.digest, workers: names)]
            job.changes = [
                .init("new", tree.entries.map { FileChange(path: $0.path, kind: .added, from: nil, to: $0.digest) })
            ]
            let batches = stride(from: 0, to: names.count, by: batch).map { start in
                names[start..<min(names.count, start + batch)].map {
                    Plan.Entry(worker: $0, action: .start, reason: .firstDeploy, from: "new")
                }
            }
            job.phases = [Plan.Phase(kind: .start, batches: batches, gate: .none)]
            waves[wave].append(job)
        }
        return PlanFile(try PlanSample.plan(waves: waves.filter { !$0.isEmpty }))
    }

    /// One process: applies as far as it goes.
    func apply(
        _ file: PlanFile, retryFailed: Bool = false, lastWave: Int? = nil, approval: ApprovalCheck? = nil
    ) async throws -> StepMachine.Result? {
        var configuration = BucketConfiguration(bucketID: Self.bucket)
        configuration.transport = .local
        var context = ExecutionContext(
            bucketFolder: folder, configuration: configuration, catalog: try catalog(),
            store: ContentStore(in: folder), who: "me@here", controller: "c1",
            clock: clock,
            nonce: { String(UInt64.random(in: .min ... .max), radix: 16) }, passphrase: { _ in nil },
            observe: { [self] event in
                switch event {
                case .warning(let warning): events.withLock { $0.append("\(warning)") }
                case .held(_, let hold): events.withLock { $0.append(hold.reason) }
                default: break
                }
            })
        context.approval = approval
        context.simulated = observed.withLock { $0 } ?? transport
        let ending = try await ApplyRun(
            file, options: .init(retryFailed: retryFailed, lastWave: lastWave), in: context
        ).apply(parkRequests: AsyncStream { _ in })
        switch ending {
        case .nothingToDo: return nil
        case .alreadyDone: return .succeeded
        case .held, .reachedLimit: return .parked
        case .ended(_, let result, _, _, _), .wayBackEnded(_, let result, _, _, _, _): return result
        case .rolledBack: return .failed
        }
    }
}
