internal import Model
public import Plans

extension Planner {
    /// Workers of the workspace that the catalog knows by another name.
    public static func renames(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot, hostKeys: HostKeys
    ) -> [Plan.Rename] {
        Renames(workspace, configuration, catalog, hostKeys).all
    }
}

/// Finds workers that only go by another name: by the address, the port and a host key with which a rollout last saw them.
/// Whether it is the same machine is proven when the plan is applied, by its receipts.
struct Renames {
    /// By the old name.
    let all: [Plan.Rename]
    /// Those whose new name still stands for a machine that nobody accounts for: what runs there would be taken for what runs
    /// here, and a stop of it would end up here.
    let blocked: [Plan.Rename]

    private struct Place: Hashable {
        var address: String
        var port: Int

        init(_ address: String, _ port: Int) {
            self.address = address.lowercased()
            self.port = port
        }
    }

    init(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot,
        _ hostKeys: Planner.HostKeys
    ) {
        guard configuration.transport == .ssh, !catalog.machines.isEmpty else {
            (all, blocked) = ([], [])
            return
        }
        // The workspace has each place once.
        let workers = Dictionary(
            workspace.workers.map { (Place($0.address, $0.port ?? configuration.sshPort), $0) },
            uniquingKeysWith: { first, _ in first })
        let there = Set(catalog.allocations.lazy.filter { $0.value.isThere }.map(\.key.worker))
        let found = there.compactMap { name -> Plan.Rename? in
            guard let machine = catalog.machines[name], let worker = workers[Place(machine.address, machine.port)],
                worker.name != name,
                !Set(hostKeys(worker.address, machine.port, worker.user ?? configuration.sshUser)).isDisjoint(
                    with: machine.hostKeys)
            else { return nil }
            return Plan.Rename(from: name, to: worker.name, generation: machine.generation)
        }
        // Of two old names of one machine nobody can say what runs there.
        var claims: [WorkerName: Int] = [:]
        for rename in found { claims[rename.to, default: 0] += 1 }
        let sound = found.filter { claims[$0.to] == 1 }.sorted { $0.from < $1.from }
        let leaving = Set(sound.map(\.from))
        blocked = sound.filter { there.contains($0.to) && !leaving.contains($0.to) }
        all = blocked.isEmpty ? sound : []
    }
}
