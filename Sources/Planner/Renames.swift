public import Model

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
            all = []
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
        all = Self.sound(found, there).sorted { $0.from < $1.from }
    }

    /// Without those of which nobody can say what runs where: two old names of one machine, and a new name that the catalog
    /// knows for another machine that keeps it.
    private static func sound(_ found: [Plan.Rename], _ there: Set<WorkerName>) -> [Plan.Rename] {
        var claims: [WorkerName: Int] = [:]
        for rename in found { claims[rename.to, default: 0] += 1 }
        var sound = found.filter { claims[$0.to] == 1 }
        while true {
            let leaving = Set(sound.map(\.from))
            let kept = sound.filter { !there.contains($0.to) || leaving.contains($0.to) }
            if kept.count == sound.count { return sound }
            sound = kept
        }
    }
}
