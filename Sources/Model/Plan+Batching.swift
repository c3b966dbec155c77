extension Plan.Batching {
    /// Cuts the entries of one phase, which are in rollout order, into batches.
    ///
    /// The planner cuts with it, and so does an executor whose rollout order is replaced by a hook.
    public func batches<Entry>(of entries: [Entry], in phase: PhaseKind) -> [[Entry]] {
        let size: Int
        switch phase {
        case .start: size = starts == 0 ? entries.count : starts
        case .upgrade: size = upgrades
        }
        return stride(from: 0, to: entries.count, by: max(size, 1)).map {
            Array(entries[$0..<min($0 + max(size, 1), entries.count)])
        }
    }
}
