public import Model
public import Plans

/// What a workspace says of a job, for lists.
public struct JobOverview: Sendable {
    public let job: JobName
    /// The version that a deploy would bring.
    public let version: String
    /// The level in the demand graph.
    public let deploymentSequence: Int
    public let selectors: [String]
    /// Reserved on each of its workers; nil where nothing is.
    public let memory: Reservation?
    public let cpu: Reservation?
    /// In the order of `workers.json`.
    public let allocations: [Allocation]
    /// In the order of the manifest.
    public let commands: [Command]
    /// Sorted by name.
    public let ports: [Port]

    /// An amount, and which file says so.
    public struct Reservation: Sendable {
        /// Such as `2048 mb`.
        public let amount: String
        /// `manifest`, or the name of the file in `workspace/`.
        public let source: String
    }

    public struct Allocation: Sendable {
        public let worker: WorkerName
        public let isDisabled: Bool
    }

    public struct Command: Sendable {
        public let name: String
        /// In the manifest's words.
        public let events: [String]
        public let demand: Facts.Demand?
    }

    public struct Port: Sendable {
        public let name: String
        public let number: Int
        /// The manifest gives the number; otherwise it is from the bucket's range.
        public let isFixed: Bool
    }
}

extension Planner {
    /// What a workspace says of its jobs, sorted by name.
    ///
    /// - Throws: `PlanningError` where ports cannot be assigned.
    public static func overview(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot
    ) throws(PlanningError) -> [JobOverview] {
        let ports = try PortAssignment(workspace, catalog: catalog).ports
        return workspace.jobs.map { job in
            JobOverview(job, workspace, configuration, ports: ports[job.name] ?? [:])
        }
    }
}

extension JobOverview {
    fileprivate init(
        _ job: Workspace.Job, _ workspace: Workspace, _ configuration: BucketConfiguration, ports: [String: Int]
    ) {
        self.job = job.name
        version = (job.manifest.version ?? Version.none).text
        deploymentSequence = job.deploymentSequence
        selectors = job.manifest.selectors
        func reservation(_ quantity: Quantity, _ unit: Quantity.Unit) -> Reservation? {
            if quantity == .zero { return nil }
            let isOverridden = job.data.settings[unit.field] != nil
            return Reservation(
                amount: quantity.text(unit), source: isOverridden ? configuration.jobSettingsFile : "manifest")
        }
        memory = reservation(job.data.memory, .memory)
        cpu = reservation(job.data.cpu, .cpu)
        allocations = job.allocations.map {
            Allocation(worker: workspace.workers[$0.worker].name, isDisabled: $0.isDisabled)
        }
        commands = job.manifest.commands.map { command in
            let demand = command.demand.flatMap { demand in
                JobName(demand.job).map {
                    Facts.Demand(
                        command: command.name, upstream: $0, upstreamCommand: demand.command, config: demand.config)
                }
            }
            return Command(name: command.name, events: command.events.map(\.rawValue), demand: demand)
        }
        self.ports = job.manifest.ports.compactMap { port in
            ports[port.name].map { Port(name: port.name, number: $0, isFixed: port.number != nil) }
        }
    }
}

extension BucketConfiguration {
    /// The file in `workspace/` that sets reservations.
    var jobSettingsFile: String {
        jobConfigSelector.isEmpty ? "bucket.jobs.conf" : "bucket.jobs.\(jobConfigSelector).conf"
    }
}
