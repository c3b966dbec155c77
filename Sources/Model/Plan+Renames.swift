internal import YAML

extension Plan {
    /// A machine whose worker goes by another name from now on. Nothing is stopped or started for it: what the catalog knows
    /// of the old name it knows of the new one, once the machine has shown the receipts that are recorded of it.
    public struct Rename: Hashable, Sendable, CustomStringConvertible {
        /// The name that the catalog has.
        public var from: WorkerName
        /// The name that the workspace has; the worker is among the plan's.
        public var to: WorkerName
        /// Of the receipts that the machine has to show.
        public var generation: String

        public init(from: WorkerName, to: WorkerName, generation: String) {
            self.from = from
            self.to = to
            self.generation = generation
        }

        public var description: String { "\(from) -> \(to)" }
    }
}

extension StepID {
    /// The step that comes before all others of a plan with renames. They come true together, since names may be swapped.
    public static let renames = StepID("renames")
}

extension CatalogSnapshot {
    /// What is known when these renames have come true.
    public func renamed(_ renames: [Plan.Rename]) -> CatalogSnapshot {
        if renames.isEmpty { return self }
        let names = Dictionary(renames.map { ($0.from, $0.to) }, uniquingKeysWith: { first, _ in first })
        let new = Set(names.values)
        /// Nil for what a name loses that another machine takes.
        func name(_ old: WorkerName) -> WorkerName? { names[old] ?? (new.contains(old) ? nil : old) }
        var renamed = self
        renamed.allocations = [:]
        for (id, record) in allocations {
            guard let worker = name(id.worker) else { continue }
            renamed.allocations[AllocationID(job: id.job, worker: worker)] = record
        }
        renamed.machines = [:]
        for (old, machine) in machines {
            guard let worker = name(old) else { continue }
            renamed.machines[worker] = machine
        }
        return renamed
    }

    /// Those of `renames` that cannot come true any more: what they are about is recorded otherwise by now.
    public func contradicted(_ renames: [Plan.Rename]) -> [Plan.Rename] {
        if renames.isEmpty { return [] }
        let leaving = Set(renames.map(\.from))
        let taken = Set(allocations.lazy.filter { $0.value.isThere }.map(\.key.worker)).subtracting(leaving)
        return renames.filter { machines[$0.from]?.generation != $0.generation || taken.contains($0.to) }
    }
}

extension Plan.Rename {
    func emit(into out: inout Emitter) {
        out.mappingItem(.flow) { out in
            out.field("from", .string(from.text))
            out.field("to", .string(to.text))
            out.field("generation", .string(generation))
        }
    }
}

extension PlanReader {
    func rename(_ node: Node) -> Plan.Rename? {
        fields(node) { map in
            let from: WorkerName? = name(map.required("from"))
            let to: WorkerName? = name(map.required("to"))
            let generation = generation(map.required("generation"))
            return all(from, to, generation).map(Plan.Rename.init)
        }
    }

    /// Whether each machine has one old name and one new one, and can be asked under the new one.
    func checkRenames(_ plan: Plan, root: Node) {
        if plan.renames.isEmpty { return }
        if plan.kind != .deploy { reader.error(root, "only a rollout renames workers") }
        if plan.transport != .ssh { reader.error(root, "only workers over ssh are renamed: others are their folders") }
        let there = Set(plan.workers.lazy.filter { !$0.isRemoved }.map(\.worker))
        let gone = Set(plan.workers.lazy.filter(\.isRemoved).map(\.worker))
        var old = Set<WorkerName>()
        var new = Set<WorkerName>()
        var generations = Set<String>()
        for rename in plan.renames {
            if rename.from == rename.to { reader.error(root, "\(rename.from) is renamed to itself") }
            if !old.insert(rename.from).inserted { reader.error(root, "\(rename.from) is renamed twice") }
            if !new.insert(rename.to).inserted { reader.error(root, "two workers are renamed to \(rename.to)") }
            if !generations.insert(rename.generation).inserted {
                reader.error(root, "two workers that are renamed have the same receipts")
            }
            if !there.contains(rename.to) {
                reader.error(
                    root, "the renamed worker \(rename.to) does not stand under `workers`, or is removed there")
            }
            if gone.contains(rename.from) {
                reader.error(root, "\(rename.from) is renamed, and stands under `workers` as removed")
            }
        }
    }
}
