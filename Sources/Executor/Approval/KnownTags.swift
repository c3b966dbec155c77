public import Catalog
internal import JobFiles
public import Model
internal import SSH
internal import Workers
internal import YAML

/// What is known of workers' tags beside what a plan says of them: the author of the plan may leave a tag out there.
public struct KnownTags: Sendable {
    /// What `workers.json` says now.
    private let workspace: [WorkerName: [String: String]]
    /// As the catalog last recorded them.
    private let recorded: [WorkerName: PlanWorker]
    /// The same machine may be recorded under another name.
    private var names: [Trait: [WorkerName]] = [:]
    /// The keys of `known_hosts` for a worker's address: those by which it is taken if the plan names none.
    private let knownKeys: @Sendable (PlanWorker) -> [String]

    private enum Trait: Hashable {
        case place(String, port: Int?)
        case hostKey(String)
    }

    /// Nothing is known.
    public static let none = KnownTags(workspace: [:], recorded: [])

    /// - Parameters:
    ///   - workspace: tags by worker, `zone` among them.
    ///   - recorded: with their recorded tags; only those of which tags are recorded.
    ///   - knownKeys: the keys of `known_hosts` for a worker's address.
    init(
        workspace: [WorkerName: [String: String]], recorded: [PlanWorker],
        knownKeys: @escaping @Sendable (PlanWorker) -> [String] = { _ in [] }
    ) {
        self.knownKeys = knownKeys
        self.workspace = workspace
        self.recorded = Dictionary(recorded.map { ($0.worker, $0) }) { first, _ in first }
        for worker in recorded { for trait in traits(worker) { names[trait, default: []].append(worker.worker) } }
    }

    private func traits(_ worker: PlanWorker) -> [Trait] {
        [Self.place(of: worker)] + keys(of: worker).map(Trait.hostKey)
    }

    /// The keys that a plan or the catalog names, and those of `known_hosts`: the author of a plan may leave keys out.
    private func keys(of worker: PlanWorker) -> Set<String> {
        guard let ssh = worker.ssh else { return [] }
        return Set(ssh.hostKeys).union(knownKeys(worker))
    }

    private static func place(of worker: PlanWorker) -> Trait {
        .place(worker.address.lowercased(), port: worker.ssh?.port)
    }

    /// The tags of a worker of a plan, of all sources: of its name, the one that the plan renames, its address and each of its
    /// host keys. And whether the catalog knows the machine: it was recorded at this address, or with every host key that
    /// the plan takes it by. A name alone says nothing of a machine, and neither does one key among others.
    func tags(of worker: PlanWorker, in plan: Plan) -> (values: [String: Set<String>], isKnown: Bool) {
        var known = [worker.worker] + plan.renames.filter { $0.to == worker.worker }.map(\.from)
        for trait in traits(worker) { known += names[trait] ?? [] }
        let records = known.compactMap { recorded[$0] }
        let keys = keys(of: worker)
        let isKnown = records.contains { record in
            Self.place(of: record) == Self.place(of: worker)
                || (!keys.isEmpty && keys.isSubset(of: self.keys(of: record)))
        }
        var values: [String: Set<String>] = [:]
        for tags in [worker.allTags, workspace[worker.worker] ?? [:]] + records.map(\.allTags) {
            for (name, value) in tags { values[name, default: []].insert(value) }
        }
        return (values, isKnown)
    }
}

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
        guard let plan = try catalog?.run(run)?.plan,
            let bytes = try? store.read(plan, limit: PlanFile.maximumSize),
            let file = try? PlanFile.read(bytes, file: "the plan of run \(run)")
        else { return [:] }
        return Dictionary(file.plan.workers.map { ($0.worker, $0) }) { first, _ in first }
    }

    /// What is no tag in `workers.json` is the planner's to complain about.
    private static func workspaceTags(_ workspace: String) throws(ApprovalProblem) -> [WorkerName: [String: String]] {
        let name = "workers.json"
        let root: Node
        do {
            let bytes = try Files(below: workspace).read(name, limit: InputLimits.standard.bytes)
            root = try JSONDocument.parse(bytes, file: "\(workspace)/\(name)")
        } catch let problem as Files.Problem {
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
