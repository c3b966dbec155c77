internal import Model
internal import Plans
internal import YAML

/// The demands between jobs, and the level of each job that follows from them: those of commands, and those that `after` names,
/// which have no commands.
///
/// A job that demands nothing has level 0; a job that demands others has one more than the highest of them. Every job
/// counts, whether or not it has allocations (Maand case `demand-to-job-without-allocations`).
struct DemandGraph {
    struct Job {
        let name: JobName
        let manifest: Manifest
        let reader: Reader
    }

    private let jobs: [JobName: Job]
    private let order: [JobName]

    init(_ jobs: [Job]) {
        self.jobs = Dictionary(uniqueKeysWithValues: jobs.map { ($0.name, $0) })
        order = jobs.map(\.name)
    }

    /// What follows for one job.
    struct Place {
        var level = 0
        /// Demanded directly or through others.
        var upstreams: Set<JobName> = []
    }

    /// That a job is rolled out after another one.
    private struct Edge {
        let upstream: JobName
        /// What in the manifest says so.
        let source: String
        let node: Node
    }

    /// The place of each job. Unknown jobs and commands, versions that do not fit and cycles are recorded at the
    /// demand, and such a demand counts for nothing.
    func resolved() -> [JobName: Place] {
        var edges: [JobName: [Edge]] = [:]
        for job in order.compactMap({ jobs[$0] }) {
            let found = self.edges(of: job)
            if !found.isEmpty { edges[job.name] = found }
        }
        var places: [JobName: Place] = [:]
        var waiting = order.filter { edges[$0] != nil }
        for name in order where edges[name] == nil { places[name] = Place() }
        // Each pass settles the jobs whose upstreams are settled; what no pass settles is on a cycle or behind one.
        while !waiting.isEmpty {
            var left: [JobName] = []
            for name in waiting {
                var place = Place()
                var isSettled = true
                for edge in edges[name] ?? [] {
                    guard let upstream = places[edge.upstream] else {
                        isSettled = false
                        break
                    }
                    place.level = max(place.level, upstream.level + 1)
                    place.upstreams.formUnion(upstream.upstreams)
                    place.upstreams.insert(edge.upstream)
                }
                if isSettled { places[name] = place } else { left.append(name) }
            }
            if left.count == waiting.count { break }
            waiting = left
        }
        for cycle in cycles(among: waiting, edges.mapValues { $0.map(\.upstream) }) {
            guard let first = cycle.first, let next = cycle.dropFirst().first, let job = jobs[first],
                let edge = edges[first]?.first(where: { $0.upstream == next })
            else { continue }
            job.reader.error(
                edge.node,
                "job \(first): \(edge.source) closes a circle of demands: "
                    + cycle.map(\.text).joined(separator: " -> "),
                note: "no order of deployment satisfies all of them")
        }
        return places
    }

    private func edges(of job: Job) -> [Edge] {
        let demanded = job.manifest.commands.compactMap { command -> Edge? in
            guard let demand = command.demand, let upstream = resolve(demand, of: command.name, in: job) else {
                return nil
            }
            return Edge(upstream: upstream, source: command.name, node: demand.jobNode)
        }
        return demanded
            + job.manifest.after.compactMap { predecessor in
                if let name = JobName(predecessor.job), jobs[name] != nil {
                    return Edge(upstream: name, source: "after", node: predecessor.node)
                }
                let nearest = Suggestion.nearest(to: predecessor.job, among: order.map(\.text))
                job.reader.error(
                    predecessor.node, "job \(job.name): after names the unknown job \"\(predecessor.job)\"",
                    note: nearest.map { "did you mean \"\($0)\"?" })
                return nil
            }
    }

    private func resolve(_ demand: Manifest.Demand, of command: String, in job: Job) -> JobName? {
        guard let name = JobName(demand.job), let upstream = jobs[name] else {
            let nearest = Suggestion.nearest(to: demand.job, among: order.map(\.text))
            job.reader.error(
                demand.jobNode, "job \(job.name): \(command) demands the unknown job \"\(demand.job)\"",
                note: nearest.map { "did you mean \"\($0)\"?" })
            return nil
        }
        let commands = upstream.manifest.commands.map(\.name)
        if !commands.contains(demand.command) {
            let nearest = Suggestion.nearest(to: demand.command, among: commands)
            job.reader.error(
                demand.commandNode,
                "job \(job.name): \(command) demands \"\(demand.command)\", which job \(name) does not declare",
                note: nearest.map { "did you mean \"\($0)\"?" })
            return nil
        }
        for side in [job, upstream] where side.manifest.version == nil && !side.reader.hasErrors {
            side.reader.error(
                side.reader.root, "job \(side.name) has to declare a version",
                note: "\(command) of job \(job.name) demands \(demand.command) of job \(name)")
        }
        if let version = upstream.manifest.version { check(demand, of: command, in: job, upstream: name, version) }
        return name
    }

    private func check(
        _ demand: Manifest.Demand, of command: String, in job: Job, upstream: JobName, _ version: Version
    ) {
        let limit: String
        let node: Node?
        if let minimum = demand.minimum, version < minimum {
            node = demand.minimumNode
            limit = "below min_version \(minimum.normalized)"
        } else if let maximum = demand.maximum, maximum < version {
            node = demand.maximumNode
            limit = "above max_version \(maximum.normalized)"
        } else {
            return
        }
        job.reader.error(
            node ?? demand.jobNode,
            "job \(job.name): \(command) demands job \(upstream), whose version \(version.normalized) is \(limit)")
    }

    /// One circle for each group of jobs that stand on one; jobs that only lead to a circle are left out.
    private func cycles(among names: [JobName], _ upstreams: [JobName: [JobName]]) -> [[JobName]] {
        var cycles: [[JobName]] = []
        var done = Set<JobName>()
        let open = Set(names)
        for start in names where !done.contains(start) {
            var path: [JobName] = []
            var at: JobName? = start
            while let name = at, !done.contains(name) {
                done.insert(name)
                path.append(name)
                at = upstreams[name]?.first { open.contains($0) }
            }
            // The walk ends where it meets itself, or a walk before it.
            if let end = at, let first = path.firstIndex(of: end) { cycles.append(path[first...] + [end]) }
        }
        return cycles
    }
}
