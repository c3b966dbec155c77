internal import Catalog
internal import ControllerHooks
internal import Executor
public import Model
internal import Plans
internal import Workers

/// Asks the health checks of what runs now, on demand. Changes nothing.
public struct CheckHealth: Sendable {
    let context: ExecutionContext
    private var catalog: Catalog { context.catalog }

    public init(in context: ExecutionContext) { self.context = context }

    /// How healthy a job is.
    public struct Health: Sendable {
        public let job: JobName
        /// What runs; several in the middle of a rollout, with commas between them.
        public let version: String
        /// How many allocations were asked.
        public let allocations: Int
        /// Nil where all of them pass.
        public let problem: String?
        /// The job has no health check, so nothing was asked.
        public let isUnchecked: Bool
    }

    /// Asks the health checks of jobs, as the last plan that promoted anything of them has them, on every allocation that
    /// is promoted and not stopped. Changes nothing.
    ///
    /// - Parameters:
    ///   - jobs: empty means every job that is deployed.
    ///   - waits: whether a check is tried as often as in a rollout, or once.
    ///   - waiting: called after each try that did not pass.
    /// - Returns: sorted by job.
    /// - Throws: `RolloutError.notDeployed`, `.preflight` where this host lacks something that hooks need.
    public func check(
        _ jobs: [JobName], waits: Bool, waiting: @escaping @Sendable (JobName, _ tries: Int, _ problem: String) -> Void
    ) async throws -> [Health] {
        let deployed = try deployedJobs()
        let unknown = jobs.filter { deployed[$0] == nil }
        guard unknown.isEmpty else { throw RolloutError.notDeployed(unknown) }
        let chosen = (jobs.isEmpty ? Array(deployed.keys) : jobs).sorted()
        let workers = try knownWorkers()
        let fleet = context.configuration.fleet(workers.values.map(\.worker).sorted { $0.worker < $1.worker })
        let transport = try await context.transport(for: fleet)
        var found: [Health] = []
        do {
            for job in chosen {
                guard let deployment = deployed[job] else { continue }
                found.append(
                    try await health(of: deployment, workers, fleet, over: transport, waits: waits) { tries, problem in
                        waiting(job, tries, problem)
                    })
            }
        } catch {
            await transport.close()
            throw error
        }
        await transport.close()
        return found
    }

    /// Every worker that a run ever named.
    func knownWorkers() throws -> [WorkerName: Known] {
        let known = try catalog.workers().map { ($0.worker.worker, Known(worker: $0.worker, run: $0.run)) }
        return Dictionary(known, uniquingKeysWith: { first, _ in first })
    }

    /// Whether asking these jobs runs hooks, so that the bucket has to be held.
    public func needsHooks(_ jobs: [JobName]) throws -> Bool {
        try deployedJobs().contains { name, deployment in
            (jobs.isEmpty || jobs.contains(name)) && !deployment.job.hooks(.healthCheck).isEmpty
        }
    }

    struct Known {
        var worker: PlanWorker
        /// The last run that reached it.
        var run: RunID
    }

    struct Deployment {
        var plan: Plan
        var job: Plan.Job
        /// Where it is promoted and runs, with what.
        var active: [WorkerName: String]

        var versions: String { Set(active.values).sorted().joined(separator: ", ") }
    }

    /// Jobs that run somewhere, each as in the last plan that promoted anything of it.
    func deployedJobs() throws -> [JobName: Deployment] {
        var plans: [RunID: Plan] = [:]
        var found: [JobName: Deployment] = [:]
        let allocations = try catalog.allocations().filter {
            $0.record.state == .active && $0.record.promoted != nil
        }
        let active = Dictionary(grouping: allocations, by: \.allocation.job)
        for (name, id) in try catalog.latestDeployments() {
            guard let entries = active[name], let run = try catalog.run(id) else { continue }
            let plan = try plans[id] ?? context.plan(of: run)
            plans[id] = plan
            guard let job = plan.waves.lazy.flatMap(\.jobs).first(where: { $0.job == name }) else { continue }
            found[name] = Deployment(
                plan: plan, job: job,
                active: Dictionary(
                    entries.map { ($0.allocation.worker, $0.record.promoted?.version ?? job.version) },
                    uniquingKeysWith: { first, _ in first }))
        }
        return found
    }

    private func health(
        of deployment: Deployment, _ workers: [WorkerName: Known], _ fleet: Fleet, over transport: any Transport,
        waits: Bool,
        waiting: @Sendable (_ tries: Int, _ problem: String) -> Void
    ) async throws -> Health {
        let job = deployment.job
        guard let health = job.healthCheck, let latest = try catalog.runs(limit: 1).first else {
            return Health(
                job: job.job, version: deployment.versions, allocations: deployment.active.count, problem: nil,
                isUnchecked: true)
        }
        let session = try session(to: workers, of: fleet, over: transport)
        let adopted = try adopted(workers)
        let root = "\(fleet.workerRoot)/\(fleet.bucket)"
        let hooks =
            job.hooks(.healthCheck).isEmpty
            ? nil
            : try await HookHost(context: context).runner(
                for: deployment.plan, latest, generation: nil, keepsAddress: false,
                workers: HookWorkers(fleet: fleet, transport: transport, session: session)
            ).runner
        let probe = probe(of: deployment, health, latest, session, hooks) { worker, line, timeout in
            guard adopted.contains(worker) else { return nil }
            return try await WorkerSurvey.check(line, on: worker.text, root: root, timeout: timeout, over: transport)
        }
        let targets = deployment.active.keys.sorted().map { ($0, workers[$0]?.worker.address ?? $0.text) }
        let gate = probe.gate(over: targets, isSingle: !waits)
        let problem: String?
        do {
            problem = try await gate.pass(clock: context.clock, waiting: waiting)?.problem
        } catch {
            await hooks?.services.close()
            throw error
        }
        await hooks?.services.close()
        return Health(
            job: job.job, version: deployment.versions, allocations: targets.count, problem: problem, isUnchecked: false
        )
    }

    /// Workers that were taken over from Maand and that no rollout has reached since: nothing of ours is there.
    private func adopted(_ workers: [WorkerName: Known]) throws -> Set<WorkerName> {
        let adoptions = Set(
            try Set(workers.values.map(\.run)).filter { try catalog.run($0)?.cause == .adoption })
        return Set(workers.values.filter { adoptions.contains($0.run) }.map(\.worker.worker))
    }

    /// What asks the health check of a job outside of rollouts.
    ///
    /// - Parameter untaken: asks a worker on which nothing of ours is; nil for other workers.
    func probe(
        of deployment: Deployment, _ health: HealthCheck, _ latest: Run,
        _ session: @escaping @Sendable (WorkerName) async throws -> WorkerSession, _ hooks: HookRunner?,
        untaken: @escaping @Sendable (WorkerName, _ line: String, _ timeout: Int) async throws -> AttemptReport? = {
            _, _, _ in nil
        }
    ) -> HealthProbe {
        let job = deployment.job
        return HealthProbe(
            job: job, health: health, run: latest,
            session: session, untaken: untaken, hooks: hooks,
            version: { [active = deployment.active] in active[$0] ?? job.version },
            order: (job.active.filter { deployment.active[$0] != nil }, job.rolloutOrder == .keyValue),
            phase: { _ in Plan.Job.phaseOutsideRollouts }, followsOwners: true)
    }

    /// The way to workers that runs have reached, each on behalf of the last one.
    func session(
        to workers: [WorkerName: Known], of fleet: Fleet, over transport: any Transport
    ) throws -> @Sendable (WorkerName) async throws -> WorkerSession {
        var runs: [RunID: Owner] = [:]
        for id in Set(workers.values.map(\.run)) {
            guard let run = try catalog.run(id) else { continue }
            runs[id] = context.owner(of: run)
        }
        let adopted = try adopted(workers)
        let owners = workers.compactMapValues { runs[$0.run] }
        return { worker in
            if adopted.contains(worker) {
                throw NotReady(
                    .refused,
                    "it was taken over from Maand, and hooks reach it after the first rollout, such as `maand-plan restart JOB`"
                )
            }
            guard let owner = owners[worker] else { throw NotReady(.refused, "no run has ever reached it") }
            return WorkerSession(worker, of: fleet, owner: owner, transport: transport)
        }
    }
}
