package import Model
package import Plans

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
    package init(
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
            for (name, value) in tags { values[name.foldedLabel, default: []].insert(value.foldedLabel) }
        }
        return (values, isKnown)
    }
}
