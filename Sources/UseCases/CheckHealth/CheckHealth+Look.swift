internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import Workers

extension CheckHealth {
    /// Asks the health checks of jobs once, for a comparison: no hook is run, and nothing is put on a worker that is not there.
    ///
    /// - Parameters:
    ///   - jobs: empty means every job that is deployed.
    ///   - workers: those that are asked, each with whether the script of this release lies there.
    /// - Returns: sorted by job; jobs without an allocation on these workers are left out.
    /// - Throws: `CatalogError`, `StoreError`, `CancellationError`.
    func look(
        at jobs: Set<JobName>, on workers: [WorkerName: Bool], of fleet: Fleet, over transport: any Transport
    ) async throws -> [DriftReport.Service] {
        let known = try knownWorkers()
        let session = try session(to: known, of: fleet, over: transport)
        guard let latest = try context.catalog.runs(limit: 1).first else { return [] }
        var services: [DriftReport.Service] = []
        for (name, deployment) in try deployedJobs().sorted(by: { $0.key < $1.key })
        where jobs.isEmpty || jobs.contains(name) {
            var deployment = deployment
            deployment.active = deployment.active.filter { workers[$0.key] != nil }
            guard !deployment.active.isEmpty else { continue }
            var service = DriftReport.Service(
                name, version: deployment.versions, allocations: deployment.active.count)
            guard let health = deployment.job.healthCheck else {
                services.append(service)
                continue
            }
            if health.checks.contains(where: { $0.kind == .ssh }) {
                service.unasked = deployment.active.keys.filter { workers[$0] != true }.sorted()
            }
            service.skipsHooks = !deployment.job.hooks(.healthCheck).isEmpty
            let targets = deployment.active.keys.sorted().filter { !service.unasked.contains($0) }
                .map { ($0, known[$0]?.worker.address ?? $0.text) }
            if health.checks.isEmpty || targets.isEmpty {
                service.state = .unasked
            } else {
                let gate = probe(of: deployment, health, latest, session, nil).gate(over: targets, isSingle: true)
                let failure = try await gate.pass(clock: context.clock) { _, _ in }
                service.failing = (failure?.allocations ?? []).map { .init($0.worker, $0.problem) }
                service.state = failure == nil ? .healthy : .unhealthy
            }
            services.append(service)
        }
        return services
    }
}
