internal import Model
internal import Plans
internal import YAML

extension Planner {
    /// What is planned of all jobs.
    struct Collected {
        var stops: [Plan.Stop] = []
        var waves: [Int: [Plan.Job]] = [:]
        var unchanged = 0
        var stopped: [Plan.Named<[WorkerName]>] = []
        var excluded: [JobName: [WorkerName]] = [:]
        var trees: [JobName: (all: [Tree], generated: [Digest: [UInt8]])] = [:]
        /// Folders of hooks of earlier releases, for the way back.
        private(set) var earlierModules: [Tree] = []
        /// Trees of earlier releases whose secrets have other values now, and what is kept of their files.
        private var renewed: (trees: [Tree], capture: [PlanningResult.Capture]) = ([], [])
        var warnings: [Diagnostic]

        init(_ warnings: [Diagnostic]) { self.warnings = warnings }

        /// Stops of what has left the workspace.
        mutating func add(_ removals: [Plan.Stop], _ choice: WorkerChoice) {
            for stop in removals {
                if choice.contains(stop.allocation.worker) {
                    stops.append(stop)
                } else {
                    excluded[stop.allocation.job, default: []].append(stop.allocation.worker)
                }
            }
        }

        /// What is planned of the jobs themselves, after the stops of what has left the workspace.
        ///
        /// - Throws: `InputFailure` with what is wrong in the templates of all jobs; what `trees` throws.
        mutating func addJobs(
            of workspace: Workspace, _ catalog: CatalogSnapshot, _ choice: WorkerChoice, _ options: Plan.Options,
            _ isSelected: (JobName) -> Bool, _ ports: [JobName: [String: Int]], _ templates: inout TemplateInput,
            _ oldTrees: @escaping (Digest) throws -> Tree
        ) throws {
            // What was stopped before is no loss.
            let losing = Set(stops.lazy.filter { !$0.from.stopped && !$0.from.stoppedByHand }.map(\.allocation.job))
            var room = RenderedRoom()
            var failures = TemplateFailures()
            for job in workspace.jobs where isSelected(job.name) {
                let renderer = templates.renderer(of: job)
                var planner = JobPlanner(
                    job, options: options, choice: choice,
                    keepsMaandModes: catalog.jobs[job.name]?.keepsMaandModes ?? false,
                    renderer: renderer, room: room, trees: oldTrees)
                do {
                    let outcome = try planner.plan(
                        workers: workspace.workers, catalog: catalog, ports: ports[job.name] ?? [:],
                        loses: losing.contains(job.name))
                    room = planner.room
                    add(outcome, of: job, workspace)
                } catch let failure as InputFailure {
                    let before = failures.count
                    renderer?.addProblems(to: &failures, workspace, catalog, options)
                    if failures.count == before { throw failure }
                }
            }
            try failures.check()
        }

        /// The result of a plan with all of this.
        func result(_ plan: Plan, _ workspace: Workspace) -> PlanningResult {
            let (capture, kept) = Planner.content(workspace, trees)
            return PlanningResult(
                plan: plan, capture: capture + renewed.capture, trees: kept + earlierModules + renewed.trees,
                warnings: warnings)
        }

        mutating func add(_ outcome: JobPlanner.Outcome, of job: Workspace.Job, _ workspace: Workspace) {
            unchanged += outcome.unchanged
            if let stale = outcome.staleOrder, outcome.plan != nil { warnings.append(job.warning(stale, workspace)) }
            warnings += outcome.warnings
            stops += outcome.stops
            excluded[job.name, default: []] += outcome.excluded
            if !outcome.stopped.isEmpty { stopped.append(.init(job.name.text, outcome.stopped)) }
            trees[job.name] = (outcome.trees, outcome.generated)
            if let plan = outcome.plan { waves[job.deploymentSequence, default: []].append(plan) }
        }

        /// The way back of what was planned.
        mutating func wayBack(
            of deploy: Deploy, _ workspace: Workspace, _ content: EarlierContent, _ catalog: CatalogSnapshot
        ) throws -> WayBack {
            let new = Dictionary(trees.values.flatMap(\.all).map { ($0.digest, $0) }) { first, _ in first }
            let all = EarlierContent(tree: { try new[$0] ?? content.tree($0) }, file: content.file)
            var planner = WayBackPlanner(
                deploy, workspace, all, ports: { catalog.jobs[$0]?.assignedPorts ?? [:] },
                fingerprint: { catalog.fingerprint(of: $0, workspace.provided) })
            let back = try planner.plan()
            (earlierModules, renewed) = (planner.modules, planner.kept)
            return back
        }

        /// Keeps the folders of hooks around stops, forth and back.
        mutating func keepStopHooks(of plan: Plan, _ workspace: Workspace) {
            let hooked = Set((plan.stopHooks + (plan.wayBack?.stopHooks ?? [])).map(\.job))
            for job in workspace.jobs where hooked.contains(job.name) {
                trees[job.name, default: ([], [:])].all.append(job.hooks.modules)
            }
        }

        var ordered: [Plan.Wave] {
            waves.keys.sorted().map { Plan.Wave(deploymentSequence: $0, jobs: waves[$0] ?? []) }
        }

        /// By job, in the order of their names.
        var leftOut: [Plan.Named<[WorkerName]>] {
            excluded.keys.sorted().compactMap { job in
                excluded[job].flatMap { $0.isEmpty ? nil : .init(job.text, $0) }
            }
        }
    }
}
