public import Model
public import Plans
public import YAML

/// The files of allocations as a deploy would bring them, whatever is recorded of them.
public struct PlannedContent: Sendable {
    /// A file that cannot be rendered stands in them as a file of nothing.
    public var trees: [AllocationID: Tree] = [:]
    /// Where the bytes of their files are; each digest once.
    public var capture: [PlanningResult.Capture] = []
    /// The jobs that have active allocations, by wave, with nothing to do: what gates of them would ask.
    public var waves: [Plan.Wave] = []
    /// Folders of their hooks.
    public var modules: [Tree] = []
    /// Allocations whose templates cannot be rendered, and why.
    public var failures: [AllocationID: InputFailure] = [:]
}

extension Planner {
    /// What planning makes of the workspace, also of disabled allocations.
    ///
    /// - Parameter version: that runs on an allocation now, for templates.
    /// - Throws: `PlanningError` if ports cannot be assigned.
    public static func content(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot,
        version: (AllocationID) -> String
    ) throws -> PlannedContent {
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        var templates = TemplateInput(workspace, configuration, catalog, ports)
        let everybody = try WorkerChoice(.init(), workspace, catalog)
        var content = PlannedContent()
        var rendered: [PlanningResult.Capture] = []
        var all: [JobName: (all: [Tree], generated: [Digest: [UInt8]])] = [:]
        for job in workspace.jobs {
            let planner = JobPlanner(
                job, options: .init(), choice: everybody,
                keepsMaandModes: catalog.jobs[job.name]?.keepsMaandModes ?? false,
                renderer: templates.renderer(of: job), room: RenderedRoom(),
                trees: { throw PlanningError.contentMissing($0) })
            for allocation in job.allocations {
                let worker = workspace.workers[allocation.worker]
                let id = AllocationID(job: job.name, worker: worker.name)
                do throws(InputFailure) {
                    let (tree, generated) = try planner.content(of: worker, runs: version(id))
                    content.trees[id] = tree
                    all[job.name, default: ([], [:])].all.append(tree)
                    all[job.name]?.generated.merge(generated) { first, _ in first }
                } catch {
                    content.failures[id] = error
                    let (tree, generated) = planner.contentAsFarAsPossible(of: worker, runs: version(id))
                    content.trees[id] = tree
                    all[job.name, default: ([], [:])].all.append(planner.content)
                    rendered += generated.map { .init(digest: $0.key, source: .bytes($0.value)) }
                }
            }
        }
        var waves: [Int: [Plan.Job]] = [:]
        for job in workspace.jobs {
            let active = job.allocations.filter { !$0.isDisabled }.map { workspace.workers[$0.worker].name }
            if active.isEmpty { continue }
            let rollout = JobRollout(
                name: job.name, manifest: job.manifest, hooks: job.hooks, demands: job.demands, active: active,
                source: .workers, states: [], actors: .init())
            waves[job.deploymentSequence, default: []].append(
                rollout.part(gateFirst: nil, isIncomplete: true, ports: ports[job.name] ?? [:]))
            content.modules.append(job.hooks.modules)
        }
        content.waves = waves.sorted { $0.key < $1.key }.map { .init(deploymentSequence: $0.key, jobs: $0.value) }
        content.capture = Self.content(workspace, all).0 + rendered
        return content
    }
}

extension Workspace {
    /// All allocations, disabled ones too, with the version of their job.
    public var allocations: [(id: AllocationID, version: String)] {
        jobs.flatMap { job in
            job.allocations.map { allocation in
                (
                    AllocationID(job: job.name, worker: workers[allocation.worker].name),
                    (job.manifest.version ?? Version.none).text
                )
            }
        }
    }
}
