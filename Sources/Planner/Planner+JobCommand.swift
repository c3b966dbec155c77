public import Model
public import Plans
internal import YAML

extension Planner {
    /// Plans to run one command of a job, once for each of its allocations, disabled ones too.
    ///
    /// - Parameters:
    ///   - command: of the event `cli` or `post_build`.
    ///   - hostKeys: see `plan`.
    /// - Throws: `PlanningError`.
    public static func planJobCommand(
        _ command: String, of name: JobName, _ workspace: Workspace, _ configuration: BucketConfiguration,
        _ catalog: CatalogSnapshot, hostKeys: HostKeys = { _, _, _ in [] }
    ) throws -> PlanningResult {
        guard let job = workspace.jobs.first(where: { $0.name == name }) else {
            throw PlanningError.unknownJobs([name], known: workspace.jobs.map(\.name).sorted())
        }
        let known = JobCommand.events.flatMap { event in job.hooks[event].map { (event, $0) } }
        guard let (event, hook) = known.first(where: { $0.1.command == command }) else {
            throw PlanningError.unknownCommand(command, of: name, known: known.map(\.1.command))
        }
        let active = job.allocations.filter { !$0.isDisabled }.map { workspace.workers[$0.worker].name }
        let disabled = job.disabledWorkers(in: workspace)
        if active.isEmpty, disabled.isEmpty { throw PlanningError.noActiveAllocation(name) }
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        var content = Plan.Job(
            job: name, version: (job.manifest.version ?? Version.none).text, active: active, from: [], content: [],
            changes: [], hooks: Plan.Hooks(modules: job.hooks.modules.digest, commands: [event: [hook]]),
            rolloutOrder: .workers, batching: job.manifest.batching(active: active.count), repeatable: [],
            timeouts: job.manifest.timeouts, gateFirst: nil, phases: [], healthCheck: nil)
        content.disabled = disabled
        let work = Work.jobCommand(JobCommand(job: content, sequence: job.deploymentSequence))
        var plan = Plan(
            fleet: configuration.fleet(
                workers([], [], work.body.waves, workspace, configuration, catalog, hostKeys)),
            base: .init(catalogRevision: catalog.revision), policy: configuration.policy.withoutWayBack, work: work)
        plan.facts = facts(for: plan, workspace, ports, catalog)
        let (capture, trees) = self.content(workspace, [name: ([job.hooks.modules], [:])])
        return PlanningResult(plan: plan, capture: capture, trees: trees, warnings: workspace.warnings)
    }
}

/// Commands of `post_build` of one job that are to run before the next plan is made.
public struct DueBuild: Sendable {
    public let job: JobName
    /// In the order of the manifest.
    public let commands: [String]
    /// What each command sees now.
    public let inputs: [String: Digest]

    func warning(_ workspace: Workspace) -> Diagnostic {
        Diagnostic(
            .warning, file: "\(workspace.folder)/jobs/\(job)/manifest.json",
            message:
                "job \(job): \(commands.joined(separator: ", ")) of post_build has not run for what the workspace says now",
            note: "`maand-plan prepare` runs it, and `deploy --prepare` does so first")
    }
}

extension Planner {
    /// Jobs with commands of `post_build` that have not run for what they see now; jobs that others demand first.
    ///
    /// What they see are their scripts, and everything of the workspace that hooks of the job can ask for.
    public static func dueBuilds(_ workspace: Workspace, _ catalog: CatalogSnapshot) throws -> [DueBuild] {
        let builders = workspace.jobs.filter { job in
            !job.hooks[.postBuild].isEmpty && job.allocations.contains { !$0.isDisabled }
        }
        if builders.isEmpty { return [] }
        let facts = Facts(
            workspace, ports: try PortAssignment(workspace, catalog: catalog).ports, ids: catalog.workerIDs)
        return builders.sorted { ($0.deploymentSequence, $0.name) < ($1.deploymentSequence, $1.name) }.compactMap {
            job in
            let known = catalog.jobs[job.name]?.prepared ?? [:]
            let inputs = Dictionary(
                job.hooks[.postBuild].map { hook in
                    (
                        hook.command,
                        facts.inputs(of: job.name, modules: job.hooks.modules.digest, hook.command)
                    )
                }
            ) { first, _ in first }
            let due = job.hooks[.postBuild].map(\.command).filter { known[$0] != inputs[$0] }
            return due.isEmpty ? nil : DueBuild(job: job.name, commands: due, inputs: inputs)
        }
    }
}
