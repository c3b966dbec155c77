extension Plan.Batching {
    /// Cuts the entries of one phase, which are in rollout order, into batches.
    ///
    /// The planner cuts with it, and so does an executor whose rollout order is replaced by a hook.
    ///
    /// - Parameter tag: the worker tag that `spread` names, of an entry's worker. Entries with the same value, or none,
    ///   stay together: the groups follow each other as their first entries do, and no batch reaches into the next group.
    public func batches<Entry>(
        of entries: [Entry], in phase: PhaseKind, tag: (Entry) -> String? = { _ in nil }
    ) -> [[Entry]] {
        var batches: [[Entry]] = []
        for group in groups(entries, tag) {
            var rest = group[...]
            while !rest.isEmpty {
                let size = size(ofBatch: batches.count, in: phase) ?? rest.count
                batches.append(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
        }
        return batches
    }

    /// Nil where there is no limit.
    private func size(ofBatch index: Int, in phase: PhaseKind) -> Int? {
        switch phase {
        case .start: starts == 0 ? nil : max(starts, 1)
        case .upgrade, .jobControl: max(index < first.count ? first[index] : upgrades, 1)
        }
    }

    private func groups<Entry>(_ entries: [Entry], _ tag: (Entry) -> String?) -> [[Entry]] {
        if spread == nil { return [entries] }
        var groups: [[Entry]] = []
        var places: [String?: Int] = [:]
        for entry in entries {
            let value = tag(entry)
            if let place = places[value] {
                groups[place].append(entry)
            } else {
                places[value] = groups.count
                groups.append([entry])
            }
        }
        return groups
    }
}
