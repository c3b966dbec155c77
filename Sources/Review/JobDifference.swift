internal import Model
internal import Plans

/// What differs in one job of two plans.
struct JobDifference {
    private(set) var items: [PlanDifference.Item] = []
    private let old: Plan.Job
    private let new: Plan.Job

    /// What a plan says of one worker, with states resolved.
    private struct Facts {
        var entry: Plan.Entry
        var phase: PhaseKind
        /// From 1.
        var batch: Int
        var state: FromState?
        var tree: Digest?
    }

    init(_ old: Plan.Job, _ new: Plan.Job, waves: (old: Int, new: Int)) {
        self.old = old
        self.new = new
        compareFields(waves)
        compareHooks()
        compareActive()
        compareFiles()
        compareWorkers()
    }

    private mutating func compareFields(_ waves: (old: Int, new: Int)) {
        var fields = FieldComparison()
        fields.compare("wave", waves.old, waves.new) { "\($0)" }
        fields.add(old.ruleChanges(to: new))
        for kind in PhaseKind.allCases {
            let gates = [old, new].map { job in job.phases.first { $0.kind == kind }?.gate }
            // A phase that only one plan has shows in its workers.
            if let before = gates[0], let after = gates[1] {
                fields.compare("gate of the \(kind.rawValue) phase", before, after) {
                    "\(own: $0.rawValue.replacing("_", with: " "))"
                }
            }
        }
        items += fields.items
    }

    private mutating func compareHooks() {
        for event in HookEvent.allCases {
            items += HookDifference(old.hooks(event), new.hooks(event), "\(own: event.rawValue)").items
        }
        // Where only one of them has hooks, each of them is told as added or removed.
        if let before = old.hooks?.modules, let after = new.hooks?.modules {
            var fields = FieldComparison()
            fields.compare("_modules of the hooks", before, after) { "\(own: $0.short)" }
            items += fields.items
        }
    }

    private mutating func compareActive() {
        var groups = WorkerGroups()
        let (before, after) = (Set(old.active), Set(new.active))
        for worker in old.active where !after.contains(worker) { groups.add(.removed, "gates cover", worker) }
        for worker in new.active where !before.contains(worker) { groups.add(.added, "gates cover", worker) }
        for worker in old.disabled where !new.disabled.contains(worker) {
            groups.add(.removed, "hooks run for the disabled", worker)
        }
        for worker in new.disabled where !old.disabled.contains(worker) {
            groups.add(.added, "hooks run for the disabled", worker)
        }
        items += groups.items
        if before == after, old.active != new.active {
            items.append(.init(sign: .changed, phrase: "order of the active allocations"))
        }
    }

    /// Paths whose content or change differs, told once for all states that have them.
    private mutating func compareFiles() {
        var seen = Set<String>()
        func tell(_ sign: PlanDifference.Sign, _ phrase: Phrase, _ content: FileChange? = nil) {
            guard seen.insert(sign.rawValue + phrase.terminal).inserted else { return }
            items.append(.init(sign: sign, phrase: phrase, content: content))
        }
        func content(_ path: String, _ kind: ChangeKind, _ from: Digest?, _ to: Digest?) -> FileChange {
            FileChange(path: path, kind: kind, from: from, to: to)
        }
        let before = Self.changes(old)
        let after = Self.changes(new)
        for (path, change) in before.ordered {
            guard let others = after.byPath[PathBytes(path)], let changes = before.byPath[PathBytes(path)] else {
                tell(.removed, "\(own: Self.word(change.kind)) \(path)", content(path, .removed, change.to, nil))
                continue
            }
            if changes == others { continue }
            if Set(changes.map(\.to)) != Set(others.map(\.to)) {
                let (from, to) = (changes.first?.to, others.first?.to)
                tell(
                    .changed, "\(path): other content, \(own: from?.short ?? "none") -> \(own: to?.short ?? "none")",
                    content(path, .modified, from, to))
            } else if Set(changes.map(\.from)) != Set(others.map(\.from)) {
                tell(.changed, "\(path): other content to begin with")
            } else {
                tell(.changed, "\(path): another kind of change")
            }
        }
        for (path, change) in after.ordered where before.byPath[PathBytes(path)] == nil {
            tell(.added, "\(own: Self.word(change.kind)) \(path)", content(path, .added, nil, change.to))
        }
    }

    private static func changes(
        _ job: Plan.Job
    ) -> (ordered: [(path: String, change: FileChange)], byPath: [PathBytes: Set<FileChange>]) {
        var ordered: [(path: String, change: FileChange)] = []
        var byPath: [PathBytes: Set<FileChange>] = [:]
        for change in job.changes.lazy.flatMap(\.value) {
            let path = PathBytes(change.path)
            if byPath[path] == nil { ordered.append((change.path, change)) }
            byPath[path, default: []].insert(change)
        }
        return (ordered, byPath)
    }

    /// What a plan does to a path.
    private static func word(_ kind: ChangeKind) -> String {
        switch kind {
        case .added: "adds"
        case .modified: "modifies"
        case .removed: "removes"
        case .mode: "changes the type or mode of"
        }
    }

    // MARK: Workers

    private mutating func compareWorkers() {
        let (before, after) = (Self.facts(old), Self.facts(new))
        var groups = WorkerGroups()
        for worker in before.order {
            guard let facts = before.facts[worker] else { continue }
            guard let other = after.facts[worker] else {
                groups.add(.removed, Self.action(facts), worker)
                continue
            }
            var fields = FieldComparison()
            fields.add(facts.entry.changes(to: other.entry))
            fields.compare("matched", facts.entry.matched, other.entry.matched) { globs in
                globs.isEmpty ? "none" : globs.map { "\($0.name)" }.list()
            }
            fields.compare("batch", Place(facts), Place(other)) { "\(own: $0.phase.rawValue) \($0.batch)" }
            fields.compare("from", facts.state, other.state) { $0?.phrase ?? "none" }
            fields.compare("content", facts.tree, other.tree) { "\(own: $0?.short ?? "none")" }
            for item in fields.items { groups.add(.changed, "\(item.phrase) on", worker) }
        }
        for worker in after.order where before.facts[worker] == nil {
            if let facts = after.facts[worker] { groups.add(.added, Self.action(facts), worker) }
        }
        items += groups.items
    }

    /// Where an allocation acts.
    private struct Place: Equatable {
        let phase: PhaseKind
        let batch: Int

        init(_ facts: Facts) {
            phase = facts.phase
            batch = facts.batch
        }
    }

    private static func action(_ facts: Facts) -> Phrase {
        "\(own: facts.entry.action.rawValue) (\(own: Wording.reason(facts.entry.reason))) on"
    }

    private static func facts(_ job: Plan.Job) -> (order: [WorkerName], facts: [WorkerName: Facts]) {
        let states = Dictionary(uniqueKeysWithValues: job.from.map { ($0.name, $0.value) })
        var order: [WorkerName] = []
        var facts: [WorkerName: Facts] = [:]
        for phase in job.phases {
            for (index, batch) in phase.batches.enumerated() {
                for entry in batch {
                    order.append(entry.worker)
                    facts[entry.worker] = Facts(
                        entry: entry, phase: phase.kind, batch: index + 1, state: states[entry.from])
                }
            }
        }
        for content in job.content { for worker in content.workers { facts[worker]?.tree = content.tree } }
        return (order, facts)
    }
}
