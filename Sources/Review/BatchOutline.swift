internal import Model
internal import Plans

/// The batches of a phase as a reviewer reads them: equal batches told as one, equal entries of a batch as one group.
struct BatchOutline {
    struct Item {
        /// `3`, or `1–301` for several batches.
        let number: String
        /// How many allocations act at a time; nil for a single batch.
        let each: Int?
        private(set) var groups: [Group]

        mutating func visit(_ body: (inout Phrase) -> Void) {
            for index in groups.indices { body(&groups[index].hosts) }
        }
    }

    /// Entries that differ in nothing but the worker, and in states whose differences the files show.
    struct Group {
        let entry: Plan.Entry
        /// What is done.
        let word: String
        /// The version that is there now, where the job has several.
        let version: String?
        fileprivate(set) var workers: [WorkerName]
        /// The workers in words.
        var hosts = Phrase()

        /// Why, and from which version where that is not the same for all.
        var reasonPhrase: Phrase {
            let from: Phrase = version.map { ", from \($0)" } ?? ""
            let gate =
                switch entry.gate {
                case .failed: ", failed the last gate"
                case .owed: ", its gate never passed"
                case nil: ""
                }
            return "\(own: Wording.reason(entry.reason))" + from + "\(own: gate)"
        }
    }

    let items: [Item]

    /// From here on, equal batches in a row are told as one.
    private static let manyBatches = 4

    init(_ phase: Plan.Phase, of job: Plan.Job) {
        let versions = job.oldVersions.count > 1 ? job.versionsOfStates : [:]
        var items: [Item] = []
        let batches = phase.batches.map { batch in
            batch.map { entry in
                (kind: EntryKind(entry, version: versions[entry.from]), worker: entry.worker, entry: entry)
            }
        }
        let kinds = batches.map { BatchKind($0.lazy.map(\.kind)) }
        var index = 0
        while index < kinds.count {
            let kind = kinds[index]
            var end = index + 1
            while end < kinds.count, kinds[end] == kind { end += 1 }
            // The last batch of a run is often smaller: it is told with the others.
            if end < kinds.count, kinds[end].isLess(than: kind) { end += 1 }
            if end - index >= Self.manyBatches {
                let groups = Self.groups(batches[index..<end].joined(), of: job)
                items.append(Item(number: "\(index + 1)–\(end)", each: kind.size, groups: groups))
            } else {
                for at in index..<end {
                    items.append(Item(number: "\(at + 1)", each: nil, groups: Self.groups(batches[at], of: job)))
                }
            }
            index = end
        }
        self.items = items
    }

    private static func groups(
        _ entries: some Sequence<(kind: EntryKind, worker: WorkerName, entry: Plan.Entry)>, of job: Plan.Job
    ) -> [Group] {
        var groups: [Group] = []
        var places: [EntryKind: Int] = [:]
        for (kind, worker, entry) in entries {
            if let place = places[kind] {
                groups[place].workers.append(worker)
            } else {
                places[kind] = groups.count
                groups.append(
                    Group(entry: entry, word: job.word(entry.action), version: kind.version, workers: [worker]))
            }
        }
        for index in groups.indices { groups[index].hosts = WorkerList.phrase(groups[index].workers) }
        return groups
    }
}

/// What makes entries equal to a reviewer.
private struct EntryKind: Hashable {
    let action: LifecycleAction
    let reason: Reason
    let version: String?
    /// Each glob and what it matches.
    let matched: [[String]]
    let gate: GateDebt?

    init(_ entry: Plan.Entry, version: String?) {
        action = entry.action
        reason = entry.reason
        self.version = version
        matched = entry.matched.map { [$0.name] + $0.value }
        gate = entry.gate
    }
}

/// What makes batches equal to a reviewer: how many entries of which kinds.
private struct BatchKind: Equatable {
    private let counts: [EntryKind: Int]

    init(_ batch: some Sequence<EntryKind>) { counts = batch.reduce(into: [:]) { $0[$1, default: 0] += 1 } }

    var size: Int { counts.values.reduce(0, +) }

    /// The same kinds, and none of them more often.
    func isLess(than other: BatchKind) -> Bool {
        counts.allSatisfy { $0.value <= other.counts[$0.key] ?? 0 }
    }
}

/// Stops that differ in nothing but the worker.
struct StopGroup {
    let stop: Plan.Stop
    var workers: [WorkerName]

    static func groups(_ stops: [Plan.Stop]) -> [StopGroup] {
        var groups: [StopGroup] = []
        for stop in stops {
            if let last = groups.last?.stop, last.allocation.job == stop.allocation.job, last.reason == stop.reason,
                last.from.version == stop.from.version, last.end == stop.end,
                last.isMakefileOptional == stop.isMakefileOptional,
                last.timeout == stop.timeout
            {
                groups[groups.count - 1].workers.append(stop.allocation.worker)
            } else {
                groups.append(StopGroup(stop: stop, workers: [stop.allocation.worker]))
            }
        }
        return groups
    }

    /// Why, and what becomes of the files.
    var reasonText: String {
        let files =
            switch stop.end {
            case .removed: "; deployed files go, data and logs stay"
            case .stopped: stop.reason == .rolledBack ? "; it was stopped before, and its files stay" : ""
            case .stoppedByHand: "; a person had stopped it before, and its files stay"
            }
        return Wording.reason(stop.reason) + (stop.isMakefileOptional ? "; by its Makefile where it has one" : "")
            + files + (stop.timeout == Plan.Timeouts().action ? "" : "; \(stop.timeout) s at most")
    }
}
