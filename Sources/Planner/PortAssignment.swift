internal import Model
internal import Plans

/// Gives every port of a workspace its number.
///
/// A port keeps the number that the catalog has for it as long as that lies in the bucket's range and no manifest fixes
/// it. New ones get the lowest free numbers, in the order of the jobs' and the ports' names. So the same workspace and
/// catalog always give the same numbers, and a number never moves without need.
struct PortAssignment {
    /// Job -> port -> number.
    let ports: [JobName: [String: Int]]

    init(_ workspace: Workspace, catalog: CatalogSnapshot) throws(PlanningError) {
        var ports: [JobName: [String: Int]] = [:]
        var taken = Set<Int>()
        for job in workspace.jobs {
            for port in job.manifest.ports {
                guard let number = port.number else { continue }
                ports[job.name, default: [:]][port.name] = number
                taken.insert(number)
            }
        }
        var wanting: [(job: JobName, port: String)] = []
        for job in workspace.jobs {
            for port in job.manifest.ports where port.number == nil {
                if let number = catalog.jobs[job.name]?.assignedPorts[port.name],
                    workspace.portRange.contains(number), taken.insert(number).inserted
                {
                    ports[job.name, default: [:]][port.name] = number
                } else {
                    wanting.append((job.name, port.name))
                }
            }
        }
        var free = workspace.portRange.lazy.filter { !taken.contains($0) }.makeIterator()
        for (job, port) in wanting {
            guard let number = free.next() else {
                throw .portsExhausted(job: job, port: port, range: workspace.portRange)
            }
            ports[job, default: [:]][port] = number
        }
        self.ports = ports
    }
}
