internal import Model
internal import Plans

extension Planner {
    /// Active allocations that an earlier run has drained, and for which nothing in these waves is done that puts them back; by
    /// job, in the order of the jobs' names.
    static func drained(
        _ waves: [Plan.Wave], _ jobs: [Workspace.Job], _ workspace: Workspace, _ catalog: CatalogSnapshot
    ) -> [Plan.Named<[WorkerName]>] {
        guard catalog.allocations.contains(where: \.value.isDrained) else { return [] }
        let planned = Dictionary(
            waves.lazy.flatMap(\.jobs).map { ($0.job, $0) }, uniquingKeysWith: { first, _ in first })
        return jobs.sorted { $0.name < $1.name }.compactMap { job in
            let part = planned[job.name]
            let putsBack = part?.hooks(.afterAllocationHealthy).isEmpty == false
            let acting = Set(
                (part?.phases ?? []).lazy.flatMap(\.batches).joined().filter { putsBack && part?.runs($0) == true }
                    .map(\.worker))
            let left = job.allocations.filter { !$0.isDisabled }.map { workspace.workers[$0.worker].name }.filter {
                !acting.contains($0)
                    && catalog.allocations[AllocationID(job: job.name, worker: $0)]?.isDrained == true
            }
            return left.isEmpty ? nil : Plan.Named(job.name.text, left)
        }
    }
}
