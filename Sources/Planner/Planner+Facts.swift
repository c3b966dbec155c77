internal import Model
public import Plans

extension Planner {
    /// What hooks, templates and people are told about a workspace.
    ///
    /// - Throws: `PlanningError` where ports cannot be assigned.
    public static func facts(_ workspace: Workspace, _ catalog: CatalogSnapshot) throws -> Facts {
        Facts(workspace, ports: try PortAssignment(workspace, catalog: catalog).ports, ids: catalog.workerIDs)
    }

    /// What the plan's hooks are told; nil where it has none.
    static func facts(
        for plan: Plan, _ workspace: Workspace, _ ports: [JobName: [String: Int]], _ catalog: CatalogSnapshot
    ) -> Facts? {
        guard plan.hasHooks else { return nil }
        let jobs = (plan.modules + (plan.wholeWayBack?.modules ?? [])).map(\.job)
        return Facts(workspace, ports: ports, ids: catalog.workerIDs).told(to: Set(jobs))
    }
}

extension Facts {
    /// How labels, tags and versions are written.
    enum Spelling {
        /// Labels and tags folded, versions as manifests have them, values trimmed: as in Maand.
        case present
        /// Up to 0.3.0: labels, tags and values as they are spelled, versions with three numbers.
        case first

        /// Values of settings and variables. Maand trims them.
        func values(_ values: [String: String]) -> [String: String] {
            switch self {
            case .present: values.mapValues(\.trimmingWhitespace)
            case .first: values
            }
        }
    }

    /// - Parameter ids: those that Maand had given to workers.
    init(
        _ workspace: Workspace, ports: [JobName: [String: Int]], ids: [WorkerName: String],
        _ spelling: Spelling = .present
    ) {
        self.init(
            variables: spelling.values(workspace.variables),
            workers: workspace.workers.map { worker in
                let labels = spelling == .present ? worker.labels : worker.spelledLabels
                var fact = Worker(
                    worker: worker.name, hostname: worker.hostname, labels: labels.sorted(),
                    memory: worker.memory?.number, cpu: worker.cpu?.number,
                    tags: spelling == .present ? worker.tags : worker.spelledTags)
                fact.givenID = ids[worker.name]
                return fact
            },
            jobs: workspace.jobs.map { Job($0, workspace, ports: ports[$0.name] ?? [:], spelling) })
    }
}

extension Facts.Job {
    fileprivate init(
        _ job: Workspace.Job, _ workspace: Workspace, ports: [String: Int], _ spelling: Facts.Spelling
    ) {
        let version = job.manifest.version ?? Version.none
        self.init(
            job: job.name, version: spelling == .present ? version.text : version.normalized,
            selectors: spelling == .present ? job.manifest.selectors : job.manifest.spelledSelectors,
            disabled: job.allocations.filter(\.isDisabled).map { workspace.workers[$0.worker].name },
            memory: .init(job.data.memory, job.manifest.memory), cpu: .init(job.data.cpu, job.manifest.cpu),
            ports: ports.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) },
            settings: spelling.values(job.data.settings), variables: spelling.values(job.data.variables),
            demands: job.manifest.commands.compactMap { command in
                guard let demand = command.demand, let upstream = JobName(demand.job) else { return nil }
                return Facts.Demand(
                    command: command.name, upstream: upstream, upstreamCommand: demand.command, config: demand.config)
            })
        certificates = job.manifest.certificates.filter { !$0.isOne }.map(\.name)
        sharedCertificates = job.manifest.certificates.filter(\.isOne).map(\.name)
    }
}

extension Facts.Amount {
    /// Where the manifest gives no bounds, they are what is reserved.
    fileprivate init(_ reserved: Quantity, _ bounds: Manifest.Bounds) {
        self.init(
            reserved: reserved.number, minimum: (bounds.isUnset ? reserved : bounds.minimum).number,
            maximum: (bounds.isUnset ? reserved : bounds.maximum).number)
    }
}
