public import Approvals
public import Catalog
internal import JobFiles
public import Model
public import Plans
internal import SSH
internal import Windows
internal import Workers
internal import YAML

extension KnownTags {
    /// What the bucket knows.
    ///
    /// - Parameters:
    ///   - configuration: says where `known_hosts` is; nil without a `maand.conf`.
    ///   - catalog: nil where there is none yet.
    ///   - resumed: a run that goes on; what it has recorded itself does not count, so that it needs what it needed before.
    /// - Throws: `ApprovalProblem` where the workspace cannot be read; what the catalog throws.
    public static func read(
        _ bucketFolder: String, _ configuration: BucketConfiguration?, _ catalog: Catalog?, resumed: RunID?
    ) throws -> KnownTags {
        let store = ContentStore(in: bucketFolder)
        var plans: [RunID: [WorkerName: PlanWorker]] = [:]
        var recorded: [PlanWorker] = []
        for entry in try catalog?.workers() ?? [] {
            var worker = entry.worker
            if let tags = entry.run == resumed && entry.tags != nil ? entry.tagsBefore : entry.tags {
                worker.zone = tags["zone"]
                worker.tags = tags
            } else if entry.tags == nil {
                // Recorded by an earlier release, as how it was reached; its plan says the tags.
                if plans[entry.run] == nil { plans[entry.run] = try workers(of: entry.run, catalog, store) }
                guard let planned = plans[entry.run]?[worker.worker] else { continue }
                worker.zone = planned.zone
                worker.tags = planned.tags
            } else {
                continue
            }
            recorded.append(worker)
        }
        let hosts = try knownHosts(bucketFolder, configuration)
        return KnownTags(workspace: try workspaceTags("\(bucketFolder)/workspace"), recorded: recorded) { worker in
            guard let hosts, let ssh = worker.ssh else { return [] }
            return hosts.fingerprints(address: worker.address, port: ssh.port, user: ssh.user)
        }
    }

    private static func knownHosts(
        _ bucketFolder: String, _ configuration: BucketConfiguration?
    ) throws(ApprovalProblem) -> KnownHosts? {
        guard let configuration, configuration.transport == .ssh else { return nil }
        do throws(SSHError) {
            return try KnownHosts(of: configuration, in: bucketFolder)
        } catch {
            throw ApprovalProblem("\(error)\nIt says which workers are the same machine. Correct it.")
        }
    }

    /// Empty where the plan is not kept any more.
    private static func workers(
        of run: RunID, _ catalog: Catalog?, _ store: ContentStore
    ) throws -> [WorkerName: PlanWorker] {
        guard let run = try catalog?.run(run), let plan = try? store.plan(of: run) else { return [:] }
        return Dictionary(plan.fleet.workers.map { ($0.worker, $0) }) { first, _ in first }
    }

    /// What is no tag in `workers.json` is the planner's to complain about.
    private static func workspaceTags(_ workspace: String) throws(ApprovalProblem) -> [WorkerName: [String: String]] {
        let name = "workers.json"
        let root: Node
        do {
            let bytes = try Files(below: workspace).read(name, limit: InputLimits.standard.bytes)
            root = try JSONDocument.parse(bytes, file: "\(workspace)/\(name)")
        } catch let problem as Files.Problem {
            if problem.isMissing, let other = Files(below: workspace).misspelt(for: [name]).first {
                throw ApprovalProblem(
                    "\(workspace)/\(name) says the tags of workers, and is missing. Did you mean it by \(other.found)? Rename that file, "
                        + "or move it elsewhere.")
            }
            if problem.isMissing { return [:] }
            throw ApprovalProblem("\(workspace)/\(name), which says the tags of workers, \(problem.message).")
        } catch {
            throw ApprovalProblem("\(error)\nIt says the tags of workers. Correct it.")
        }
        guard case .sequence(let nodes) = root.value else { return [:] }
        var found: [WorkerName: [String: String]] = [:]
        for node in nodes {
            guard case .mapping(let fields) = node.value,
                let host = fields.first(where: { $0.name == "host" })?.value.text.flatMap({ WorkerName($0) }),
                case .mapping(let tags)? = fields.first(where: { $0.name == "tags" })?.value.value
            else { continue }
            for tag in tags { found[host, default: [:]][tag.name] = tag.value.text }
        }
        return found
    }
}
