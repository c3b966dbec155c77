public import Model
public import Plans

extension Planner {
    /// Plans to run one command of a job, once for each of its active allocations.
    ///
    /// - Parameters:
    ///   - command: of the event `cli`.
    ///   - hostKeys: see `plan`.
    /// - Throws: `PlanningError`.
    public static func planJobCommand(
        _ command: String, of name: JobName, _ workspace: Workspace, _ configuration: BucketConfiguration,
        _ catalog: CatalogSnapshot, hostKeys: HostKeys = { _, _, _ in [] }
    ) throws -> PlanningResult {
        guard let job = workspace.jobs.first(where: { $0.name == name }) else {
            throw PlanningError.unknownJobs([name], known: workspace.jobs.map(\.name).sorted())
        }
        let known = job.hooks[.cli]
        guard let hook = known.first(where: { $0.command == command }) else {
            throw PlanningError.unknownCommand(command, of: name, known: known.map(\.command))
        }
        let active = job.allocations.filter { !$0.isDisabled }.map { workspace.workers[$0.worker].name }
        if active.isEmpty { throw PlanningError.noActiveAllocation(name) }
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        let content = Plan.Job(
            job: name, version: (job.manifest.version ?? Version.none).text, active: active, from: [], content: [],
            changes: [], hooks: Plan.Hooks(modules: job.hooks.modules.digest, commands: [.cli: [hook]]),
            rolloutOrder: .workers, batching: job.manifest.batching(active: active.count), repeatable: [],
            timeouts: job.manifest.timeouts, gateFirst: false, phases: [], healthCheck: nil)
        let work = Work.jobCommand(JobCommand(job: content, sequence: job.deploymentSequence))
        var plan = Plan(
            fleet: configuration.fleet(
                workers([], [], work.body.waves, workspace, configuration, catalog, hostKeys)),
            base: .init(catalogRevision: catalog.revision), policy: configuration.policy.withoutWayBack, work: work)
        plan.facts = facts(for: plan, workspace, ports)
        let (capture, trees) = self.content(workspace, [name: ([job.hooks.modules], [:])])
        return PlanningResult(plan: plan, capture: capture, trees: trees, warnings: workspace.warnings)
    }
}
