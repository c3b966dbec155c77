package import Catalog
package import ControllerHooks
package import Model
package import Plans
package import Workers

/// Asks whether the allocations of a job are healthy: the checks of its manifest, then its hooks.
package struct HealthProbe: Sendable {
    let job: Plan.Job
    let health: HealthCheck
    /// On whose behalf hooks are run.
    let run: Run
    /// The way to a worker, for checks that run a command there; throws what keeps it from being used.
    let session: @Sendable (WorkerName) async throws -> WorkerSession
    /// Runs a check's command on a worker that no run has taken yet; nil where one has.
    let untaken: @Sendable (WorkerName, _ line: String, _ timeout: Int) async throws -> AttemptReport?
    /// Nil where the plan has none.
    let hooks: HookRunner?
    /// What runs there now, for hooks.
    let version: @Sendable (WorkerName) -> String
    /// The job's active allocations in the order of its rollouts, for hooks, and whether somebody has set the order.
    let order: (workers: [WorkerName], isChosen: Bool)
    /// What hooks get as `DEPLOY_PHASE`.
    let phase: @Sendable (WorkerName) -> String
    /// Whether a worker is asked on behalf of whichever run of this controller has it, and not only of the session's own.
    let followsOwners: Bool

    package init(
        job: Plan.Job, health: HealthCheck, run: Run,
        session: @escaping @Sendable (WorkerName) async throws -> WorkerSession,
        untaken: @escaping @Sendable (WorkerName, String, Int) async throws -> AttemptReport? = { _, _, _ in nil },
        hooks: HookRunner?,
        version: @escaping @Sendable (WorkerName) -> String, order: (workers: [WorkerName], isChosen: Bool),
        phase: @escaping @Sendable (WorkerName) -> String, followsOwners: Bool = false
    ) {
        self.job = job
        self.health = health
        self.run = run
        self.session = session
        self.untaken = untaken
        self.hooks = hooks
        self.version = version
        self.order = order
        self.phase = phase
        self.followsOwners = followsOwners
    }

    /// - Parameters:
    ///   - targets: allocations' workers and the addresses where they are probed.
    ///   - isSingle: ask once, at once, and be content with one answer.
    package func gate(over targets: [(worker: WorkerName, address: String)], isSingle: Bool = false) -> Gate {
        var health = health
        if isSingle { (health.attempts, health.successes, health.initialDelaySeconds) = (1, 1, 0) }
        return Gate(
            health: health, targets: targets,
            command: { worker, line, timeout in await runCheck(worker, line, timeout: timeout) },
            hooks: { worker in await runHooks(worker, among: targets.map(\.worker)) })
    }

    /// Runs a check's command on a worker; nil where it exits 0. Its attempts are nobody's steps: each has an id of its own
    /// and is never asked about again.
    private func runCheck(_ worker: WorkerName, _ line: String, timeout: Int) async -> String? {
        do {
            if let report = try await untaken(worker, line, timeout) {
                return report.problem(of: "the check", timeout: timeout)
            }
            let session = try await session(worker)
            var report = try await session.run(.probe(line, of: session.owner, timeout: .seconds(timeout)))
            if followsOwners, case .notOwner(let owner?) = report, owner.controller == session.owner.controller {
                report = try await session.owned(by: owner).run(.probe(line, of: owner, timeout: .seconds(timeout)))
            }
            return report.problem(of: "the check", timeout: timeout)
        } catch {
            return (error as? NotReady)?.reason ?? "\(error)"
        }
    }

    /// Runs the job's hooks of the event `health_check` for one allocation, one after the other; nil where all succeed.
    ///
    /// - Parameter asked: all allocations that the gate asks about.
    private func runHooks(_ worker: WorkerName, among asked: [WorkerName]) async -> String? {
        guard let hooks else { return nil }
        let batch = HookBatch(
            asked, phase: phase(worker), order: order.workers, isOrderChosen: order.isChosen)
        for hook in job.hooks(.healthCheck) {
            let call = HookCall(probe: hook, of: job, worker, running: version(worker), in: batch, run: run)
            if let problem = await hooks.probe(call) { return problem }
        }
        return nil
    }
}
