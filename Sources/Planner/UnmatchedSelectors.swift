internal import Model
internal import Plans
internal import YAML

/// Says why no worker has all labels of a job.
enum UnmatchedSelectors {
    /// Nil if some worker has them all, or if there is no worker yet.
    ///
    /// - Parameter workers: those of the workspace.
    static func job(_ name: JobName, _ selectors: [String], _ workers: [Workspace.Worker]) -> Plan.UnmatchedJob? {
        if workers.isEmpty || workers.contains(where: { selectors.allSatisfy($0.labels.contains) }) { return nil }
        let known = Set(workers.flatMap(\.labels)).sorted()
        let nearest = selectors.filter { !known.contains($0) }.compactMap { label in
            Suggestion.nearest(to: label, among: known).map { Plan.Named(label, $0) }
        }
        var seen = Set<String>()
        return Plan.UnmatchedJob(
            job: name, selectors: selectors, nearest: nearest.filter { seen.insert($0.name).inserted })
    }

    /// Warns at the manifest of a job without a worker.
    static func warn(_ job: JobName, _ manifest: Manifest, _ workers: [Workspace.Worker], _ reader: Reader) {
        guard let unmatched = self.job(job, manifest.selectors, workers) else { return }
        let node = manifest.selectorsNode ?? reader.root
        let missing = unmatched.selectors.filter { label in !workers.contains { $0.labels.contains(label) } }
        let why: String =
            if missing.isEmpty {
                "no worker has all of the labels \(unmatched.selectors.joined(separator: ", "))"
            } else {
                "no worker has the label \(missing.joined(separator: ", "))"
            }
        let ofItself = manifest.selectorsNode == nil ? " (its name, as the manifest has no `selectors`)" : ""
        let nearest = unmatched.nearest.map { "`\($0.value)`" }.joined(separator: ", ")
        reader.warn(
            node, "job \(job): its selectors match no worker: \(why)\(ofItself)",
            note: nearest.isEmpty ? "give workers these `labels` in workers.json" : "did you mean \(nearest)?")
    }
}

extension Workspace {
    /// Jobs without a worker.
    func unmatched(_ isSelected: (JobName) -> Bool) -> [Plan.UnmatchedJob] {
        jobs.filter { $0.allocations.isEmpty && isSelected($0.name) }.compactMap {
            UnmatchedSelectors.job($0.name, $0.manifest.selectors, workers)
        }
    }
}
