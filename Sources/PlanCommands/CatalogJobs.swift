import ArgumentParser
import Catalog
import Commands
import Model
import Planner
import Plans
import YAML

struct CatalogJobs: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract:
            "Lists jobs with the versions that run, what the workspace wants, and whether a rollout is incomplete.",
        discussion: """
            Target is the version of the workspace, seq the deployment_seq. Memory and cpu are reserved on each worker; the file \
            that says so is in parentheses. The state is new if nothing of the job was ever deployed.
            """)

    @OptionGroup var filter: CatalogFilter

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    private struct Row {
        let job: JobName
        let entry: JobEntry?
        let wanted: JobOverview?

        var state: String {
            guard let record = entry?.record else { return "new" }
            if record.gatePending { return "gate pending" }
            return record.incomplete ? "incomplete" : "complete"
        }

        var versions: [(version: String, count: Int)] {
            (entry?.versions ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        }
    }

    func run() throws {
        let overview = try CatalogOverview(options.bucket)
        let entries = Dictionary(
            try overview.catalog?.jobs().map { ($0.job, $0) } ?? [], uniquingKeysWith: { first, _ in first })
        var names = try filter.jobNames(of: overview)
        // Of which only something is kept, such as a variable.
        if filter.isEverything { names = Set(names).union(entries.keys).sorted() }
        try options.printList(
            [
                "job", "active", "stopped", "unfinished", "versions", "target", "seq", "selectors", "memory", "cpu",
                "state",
            ], names.map { Row(job: $0, entry: entries[$0], wanted: overview.jobs?[$0]) },
            row: { row in
                [
                    row.job.text, String(row.entry?.active ?? 0), String(row.entry?.stopped ?? 0),
                    String(row.entry?.unfinished ?? 0),
                    row.versions.map { "\($0.version) (\($0.count))" }.joined(separator: ", "),
                    row.wanted?.version ?? "-", row.wanted.map { String($0.deploymentSequence) } ?? "-",
                    row.wanted?.selectors.joined(separator: ",") ?? "-", text(row.wanted?.memory),
                    text(row.wanted?.cpu), row.state,
                ]
            }, json: json)
    }

    private func json(_ row: Row) -> [(String, JSON)] {
        let record = row.entry?.record ?? JobRecord()
        let ports = record.assignedPorts.sorted { $0.key < $1.key }
        return [
            ("job", .string(row.job.text)), ("active", .int(row.entry?.active ?? 0)),
            ("stopped", .int(row.entry?.stopped ?? 0)), ("unfinished", .int(row.entry?.unfinished ?? 0)),
            ("versions", .object(row.versions.map { ($0.version, .int($0.count)) })),
            ("gate_pending", .bool(record.gatePending)), ("incomplete", .bool(record.incomplete)),
            ("assigned_ports", .object(ports.map { ($0.key, .int($0.value)) })),
            ("target_version", .optional(row.wanted?.version)),
            ("deployment_seq", row.wanted.map { .int($0.deploymentSequence) } ?? .null),
            ("selectors", row.wanted.map { .array($0.selectors.map(JSON.string)) } ?? .null),
            ("memory", json(row.wanted?.memory)), ("cpu", json(row.wanted?.cpu)),
        ]
    }

    private func text(_ reservation: JobOverview.Reservation?) -> String {
        reservation.map { "\($0.amount) (\($0.source))" } ?? "-"
    }

    private func json(_ reservation: JobOverview.Reservation?) -> JSON {
        guard let reservation else { return .null }
        return .object([("amount", .string(reservation.amount)), ("source", .string(reservation.source))])
    }
}
