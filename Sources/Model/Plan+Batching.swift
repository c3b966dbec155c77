extension Plan.Batching {
    /// Cuts the entries of one phase, which are in rollout order, into batches.
    ///
    /// The planner cuts with it, and so does an executor whose rollout order is replaced by a hook.
    ///
    /// - Parameters:
    ///   - tag: the worker tag that `spread` names, of an entry's worker. Entries with the same value, or none, stay
    ///     together: the groups follow each other as their first entries do, and no batch reaches into the next group.
    ///   - failed: whether the job's last gate named the entry's allocation: these come first.
    public func batches<Entry>(
        of entries: [Entry], in phase: PhaseKind, tag: (Entry) -> String? = { _ in nil },
        failed: (Entry) -> Bool = { _ in false }
    ) -> [[Entry]] {
        let (first, rest) = (entries.filter(failed), entries.filter { !failed($0) })
        let groups = spread == nil ? [first + rest] : groups(first, tag) + groups(rest, tag)
        var batches: [[Entry]] = []
        for group in groups {
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
        case .recover, .upgrade, .jobControl: max(index < first.count ? first[index] : upgrades, 1)
        }
    }

    private func groups<Entry>(_ entries: [Entry], _ tag: (Entry) -> String?) -> [[Entry]] {
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
