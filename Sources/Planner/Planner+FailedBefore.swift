internal import Model
internal import Plans

extension Planner {
    /// Allocations that get files which were taken back there, by job.
    static func failedBefore(
        _ waves: [Plan.Wave], _ catalog: CatalogSnapshot, _ planned: [Tree], _ oldTrees: (Digest) throws -> Tree
    ) -> [Plan.Named<[WorkerName]>] {
        let trees = Dictionary(planned.map { ($0.digest, $0) }) { first, _ in first }
        // By the rules of an earlier release, a tree has another digest. What the store has lost is none of them.
        var known: [[Digest]: Bool] = [:]
        func isSame(_ failed: Digest, _ tree: Digest) -> Bool {
            if failed == tree { return true }
            if let isSame = known[[failed, tree]] { return isSame }
            let isSame = trees[tree].map { new in (try? oldTrees(failed))?.counts(as: new) == true } ?? false
            known[[failed, tree]] = isSame
            return isSame
        }
        return waves.flatMap(\.jobs).compactMap { job in
            let workers = job.content.flatMap { content in
                content.workers.filter { worker in
                    let id = AllocationID(job: job.job, worker: worker)
                    return catalog.allocations[id]?.takenBack.map { isSame($0, content.tree) } == true
                }
            }
            return workers.isEmpty ? nil : .init(job.job.text, workers)
        }.sorted { $0.name < $1.name }
    }
}
