import Foundation
import Model
import Planner
import Plans
import Testing
import YAML

/// A workspace in a temporary folder, and a catalog that follows what its plans would do.
final class TestWorkspace {
    let folder: String
    var configuration = BucketConfiguration(bucketID: "b-1")
    var catalog = CatalogSnapshot.empty
    var trees: [Digest: Tree] = [:]
    /// Manifests of what was deployed.
    var files: [Digest: [UInt8]] = [:]
    /// Address -> fingerprints, as known_hosts has them.
    var hostKeys: [String: [String]] = [:]

    init() throws {
        folder = NSTemporaryDirectory() + "planner-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder + "/jobs", withIntermediateDirectories: true)
        configuration.transport = .local
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    // MARK: Files

    func write(_ path: String, _ text: String, mode: Int = 0o644) throws {
        let file = folder + "/" + path
        let parent = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: folder + "/" + path) }

    /// Makes the workspace hold exactly these files.
    func lay(_ files: [String: String]) throws {
        try remove("")
        for (path, text) in files { try write(path, text) }
    }

    /// Workers w1, w2, ... with memory and cpu.
    func workers(_ count: Int, _ more: String = "") throws {
        let rows = (1...count).map { #"{"host": "w\#($0)", "memory": "1 gb", "cpu": "1 ghz"\#(more)}"# }
        try write("workers.json", "[" + rows.joined(separator: ",\n") + "]\n")
    }

    /// A job for every worker; `fields` are further fields of its manifest.
    func job(_ name: String, version: String = "1.0.0", _ fields: String = "", content: String = "a\n") throws {
        let more = fields.isEmpty ? "" : ", " + fields
        try write(
            "jobs/\(name)/manifest.json", "{\"version\": \"\(version)\", \"selectors\": [\"worker\"]\(more)}\n")
        try write("jobs/\(name)/Makefile", "start:\n")
        try write("jobs/\(name)/app.conf", content)
    }

    // MARK: Planning

    func plan(
        jobs: [String] = [], force: Bool = false, syncOnly: Bool = false, recover: [String] = [],
        maxUnreachable: HostCount? = nil, onFailure: FailurePolicy? = nil
    ) throws -> PlanningResult {
        let workspace = try Workspace.read(folder, configuration)
        var options = Plan.Options(
            jobs: try jobs.map { try #require(JobName($0)) }, force: force, syncOnly: syncOnly,
            recover: try recover.map { try #require(JobName($0)) }, maxUnreachable: maxUnreachable)
        options.onFailure = onFailure
        let result = try Planner.plan(
            workspace, configuration, catalog, trees: tree, files: file,
            hostKeys: { [hostKeys] address, _, _ in hostKeys[address] ?? [] }, options: options)
        // Every plan that a test makes is one that an apply would accept.
        let file = PlanFile(result.plan)
        #expect(try PlanFile.read(file.bytes, file: "plan").plan == result.plan)
        return result
    }

    /// Of a store that does not have everything.
    private func tree(_ digest: Digest) throws -> Tree {
        guard let tree = trees[digest] else { throw UnknownTree() }
        return tree
    }

    private func file(_ digest: Digest) throws -> [UInt8] {
        guard let bytes = files[digest] else { throw PlanningError.contentMissing(digest) }
        return bytes
    }

    /// Keeps what a plan brings, as a bucket's store does.
    func keep(_ result: PlanningResult) throws {
        for tree in result.trees { trees[tree.digest] = tree }
        for item in result.capture {
            if case .file(let path) = item.source, path.hasSuffix("/manifest.json") {
                files[item.digest] = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            }
        }
    }

    /// Plans to take a run of a plan back.
    func planRollback(_ plan: Plan, begun: Set<AllocationID>, jobs: [String] = []) throws -> Plan {
        let run = PastRun(
            id: RunID(7), plan: plan, begun: begun,
            lastRuns: Dictionary(uniqueKeysWithValues: begun.map { ($0, RunID(9)) }))
        let result = try Planner.planRollback(
            of: run, jobs: jobs.map { try #require(JobName($0)) }, try Workspace.read(folder, configuration),
            configuration,
            catalog, trees: tree, files: file)
        let file = PlanFile(result.plan)
        #expect(try PlanFile.read(file.bytes, file: "plan").plan == result.plan)
        return result.plan
    }

    private struct UnknownTree: Error {}

    /// Plans, and brings the catalog to where a successful apply would.
    @discardableResult
    func deploy() throws -> Plan {
        let result = try plan()
        try keep(result)
        for stop in result.plan.reconcile {
            switch stop.reason {
            case .disabled: catalog.allocations[stop.allocation]?.state = .stopped
            default: catalog.allocations[stop.allocation] = AllocationRecord(state: .removed)
            }
        }
        for job in result.plan.waves.flatMap(\.jobs) {
            for content in job.content {
                for worker in content.workers {
                    catalog.allocations[AllocationID(job: job.job, worker: worker)] = AllocationRecord(
                        promoted: Release(version: job.version, content: content.tree))
                }
            }
            catalog.jobs[job.job] = JobRecord(
                assignedPorts: Dictionary(uniqueKeysWithValues: job.ports.map { ($0.name, $0.value) }))
        }
        catalog.revision += 2
        return result.plan
    }

    /// Records that the workspace's content was begun on a worker and not promoted.
    func leaveUnfinished(_ job: String, _ worker: String) throws {
        let result = try plan(jobs: [job], force: true)
        for tree in result.trees { trees[tree.digest] = tree }
        let planned = try #require(result.plan.waves.first?.jobs.first)
        let id = try allocation(job, worker)
        catalog.allocations[id, default: .none].unfinished = Release(
            version: planned.version, content: try #require(planned.content.first).tree)
        catalog.allocations[id]?.state = .active
    }

    func allocation(_ job: String, _ worker: String) throws -> AllocationID {
        AllocationID(job: try #require(JobName(job)), worker: try #require(WorkerName(worker)))
    }

    /// The errors of reading and planning as a user sees them, with `WS` for the workspace's folder.
    func errors(syncOnly: Bool = false, jobs: [String] = []) -> String {
        do {
            _ = try plan(jobs: jobs, syncOnly: syncOnly)
            return ""
        } catch {
            return "\(error)".replacingOccurrences(of: folder, with: "WS")
        }
    }
}

extension Plan {
    /// Job -> worker -> action.
    var actions: [String: [String: String]] {
        var found: [String: [String: String]] = [:]
        for stop in reconcile { found[stop.allocation.job.text, default: [:]][stop.allocation.worker.text] = "stop" }
        for job in waves.flatMap(\.jobs) {
            for entry in job.phases.flatMap(\.batches).joined() {
                found[job.job.text, default: [:]][entry.worker.text] = entry.action.rawValue
            }
        }
        return found
    }

    /// Job -> level, of the jobs that the plan has.
    var levels: [String: Int] {
        var levels: [String: Int] = [:]
        for wave in waves { for job in wave.jobs { levels[job.job.text] = wave.deploymentSequence } }
        return levels
    }

    /// Job -> worker -> changed paths that a glob matched, sorted.
    var matched: [String: [String: [String]]] {
        var found: [String: [String: [String]]] = [:]
        for job in waves.flatMap(\.jobs) {
            for entry in job.phases.flatMap(\.batches).joined() where !entry.matched.isEmpty {
                found[job.job.text, default: [:]][entry.worker.text] = Set(entry.matched.flatMap(\.value)).sorted()
            }
        }
        return found
    }

    /// `start w1 w2 | w3 (after_phase)` for each phase of a job.
    func batches(of job: String) -> [String] {
        waves.flatMap(\.jobs).filter { $0.job.text == job }.flatMap(\.phases).map { phase in
            let batches = phase.batches.map { $0.map(\.worker.text).joined(separator: " ") }
            return "\(phase.kind.rawValue) \(batches.joined(separator: " | ")) (\(phase.gate.rawValue))"
        }
    }

    /// `restart/content_changed` of one allocation.
    func decision(_ job: String, _ worker: String) -> String? {
        if let stop = reconcile.first(where: {
            $0.allocation.job.text == job && $0.allocation.worker.text == worker
        }) {
            return "stop/\(stop.reason.rawValue)"
        }
        let entries = waves.flatMap(\.jobs).filter { $0.job.text == job }.flatMap(\.phases).flatMap(\.batches).joined()
        return entries.first { $0.worker.text == worker }.map { "\($0.action.rawValue)/\($0.reason.rawValue)" }
    }
}
