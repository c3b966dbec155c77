import ArgumentParser
import Catalog
import Commands
import Model
import Planner
import Plans
import YAML

struct CatalogPorts: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "ports", abstract: "Lists the ports of jobs with their numbers.",
        discussion:
            "A number is from the manifest, or was assigned from the bucket's range. Before the first deploy it is the one that a plan would assign."
    )

    @OptionGroup var filter: CatalogFilter

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    private struct Row {
        let job: JobName
        let port: String
        let number: Int
        let source: String
    }

    func run() throws {
        let overview = try CatalogOverview(options.bucket)
        let recorded = try overview.jobs == nil ? overview.catalog?.jobs() : nil
        let rows = try filter.jobNames(of: overview).flatMap { job -> [Row] in
            if let jobs = overview.jobs {
                return (jobs[job]?.ports ?? []).map {
                    Row(job: job, port: $0.name, number: $0.number, source: $0.isFixed ? "manifest" : "range")
                }
            }
            let ports = recorded?.first { $0.job == job }?.record.assignedPorts ?? [:]
            return ports.sorted { $0.key < $1.key }.map {
                Row(job: job, port: $0.key, number: $0.value, source: "recorded")
            }
        }
        try options.printList(
            ["job", "port", "number", "from"], rows,
            row: { [$0.job.text, $0.port, String($0.number), $0.source] },
            json: {
                [
                    ("job", .string($0.job.text)), ("port", .string($0.port)), ("number", .int($0.number)),
                    ("from", .string($0.source)),
                ]
            })
    }
}

struct CatalogHooks: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "hooks",
        abstract: "Lists the commands of the jobs in the workspace, with their events and demands.")

    @OptionGroup var filter: CatalogFilter

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        // Nothing of it is recorded.
        let overview = try CatalogOverview(options.bucket, needsWorkspace: true)
        let rows = try filter.jobNames(of: overview).flatMap { job in
            (overview.jobs?[job]?.commands ?? []).map { (job: job, command: $0) }
        }
        try options.printList(
            ["job", "command", "events", "demanded job", "demanded command", "config"], rows,
            row: { row in
                let demand = row.command.demand
                return [
                    row.job.text, row.command.name, row.command.events.joined(separator: ","),
                    demand?.upstream.text ?? "-", demand?.upstreamCommand ?? "-", demand?.config ?? "-",
                ]
            },
            json: { row in
                let demand = row.command.demand.map { demand in
                    JSON.object([
                        ("job", .string(demand.upstream.text)), ("command", .string(demand.upstreamCommand)),
                        ("config", .string(demand.config)),
                    ])
                }
                return [
                    ("job", .string(row.job.text)), ("command", .string(row.command.name)),
                    ("executed_on", .array(row.command.events.map(JSON.string))), ("demands", demand ?? .null),
                ]
            })
    }
}
