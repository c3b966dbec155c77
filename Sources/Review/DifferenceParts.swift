internal import Model
internal import Plans

// What parts of differences of plans are made of.

extension FromState {
    /// `2.0.0 (sha256:0123456789ab)` and what else is known.
    var phrase: Phrase {
        var text: Phrase = "\(version) (\(own: content?.short ?? "never promoted"))"
        if let unfinished { text = text + ", unfinished \(own: unfinished.short)" }
        if stopped { text = text + ", stopped" }
        return text
    }
}

extension Digest {
    /// Enough of it for people.
    var short: String { "sha256:" + hex.prefix(12) }
}

/// Collects `field: old -> new`.
struct FieldComparison {
    private(set) var items: [PlanDifference.Item] = []

    mutating func compare<Value: Equatable>(
        _ field: String, _ old: Value, _ new: Value, _ show: (Value) -> Phrase
    ) {
        if old == new { return }
        items.append(.init(sign: .changed, phrase: "\(own: field): \(show(old)) -> \(show(new))"))
    }

    /// Fields of a plan, as the plan has them.
    mutating func add(_ changes: [FieldChange]) {
        for change in changes {
            let (old, new) = (change.old.map { "\($0)" as Phrase }, change.new.map { "\($0)" as Phrase })
            items.append(
                .init(sign: .changed, phrase: "\(own: change.field): \(old ?? "none") -> \(new ?? "none")"))
        }
    }
}

/// Collects differences of single workers, and tells those that are alike together.
struct WorkerGroups {
    private var groups: [(sign: PlanDifference.Sign, phrase: Phrase, workers: [WorkerName])] = []
    private var places: [String: Int] = [:]

    /// - Parameter phrase: is followed by the workers.
    mutating func add(_ sign: PlanDifference.Sign, _ phrase: Phrase, _ worker: WorkerName) {
        let key = sign.rawValue + phrase.terminal
        if let place = places[key] {
            groups[place].workers.append(worker)
        } else {
            places[key] = groups.count
            groups.append((sign, phrase, [worker]))
        }
    }

    var items: [PlanDifference.Item] {
        groups.map { .init(sign: $0.sign, phrase: "\($0.phrase) \(WorkerList.phrase($0.workers))") }
    }
}
