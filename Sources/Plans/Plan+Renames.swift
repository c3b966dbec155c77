public import Model

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

extension Plan.Rename: Record, FieldValue {
    static let title = "rename"
    static let meaning = "One machine whose worker has a new name."
    static var blank: Plan.Rename { Plan.Rename(from: .blank, to: .blank, generation: "") }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("from", &from, "the old name")
        fields.required("to", &to, "the new name")
        fields.required(
            "generation", &generation, .text(.generation), "the id of the receipts that the machine must show")
    }
}

extension [Plan.Rename] {
    /// Whether each machine has one old name and one new one, and can be asked under the new one.
    func check(_ fleet: Fleet, _ report: RecordReport) {
        if isEmpty { return }
        func error(_ message: String) { report.error("renames", message) }
        if fleet.transport != .ssh { error("only workers over ssh are renamed: others are their folders") }
        let there = Set(fleet.workers.lazy.filter { !$0.isRemoved }.map(\.worker))
        let gone = Set(fleet.workers.lazy.filter(\.isRemoved).map(\.worker))
        var old = Set<WorkerName>()
        var new = Set<WorkerName>()
        var generations = Set<String>()
        for rename in self {
            if rename.from == rename.to { error("\(rename.from) is renamed to itself") }
            if !old.insert(rename.from).inserted { error("\(rename.from) is renamed twice") }
            if !new.insert(rename.to).inserted { error("two workers are renamed to \(rename.to)") }
            if !generations.insert(rename.generation).inserted {
                error("two workers that are renamed have the same receipts")
            }
            if !there.contains(rename.to) {
                error("the renamed worker \(rename.to) is missing under `workers`, or is removed there")
            }
            if gone.contains(rename.from) {
                error("\(rename.from) is renamed, and stands under `workers` as removed")
            }
        }
    }
}
