import ArgumentParser
import Catalog
import Commands
import Model
import Plans
import Windows
import YAML

struct CatalogAllocations: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "allocations",
        abstract: "Lists allocations with what was promoted, what was only begun, and what the workspace wants.",
        discussion: """
            The state says what the next deploy would do: new (start it), restart (change it), promoted (nothing), disabled, \
            removed (the workspace does not want it); or what has happened: health_failed (its gate has failed), stopped (by a \
            person), left behind (the last run has gone on without it). Target is the version of the workspace.
            """)

    @OptionGroup var filter: CatalogFilter

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        let overview = try CatalogOverview(options.bucket)
        try options.printList(
            ["job", "worker", "state", "version", "target", "content", "unfinished", "gate", "run"],
            try filter.rows(of: overview, options.bucket),
            row: { row in
                let record = row.entry?.record
                return [
                    row.allocation.job.text, row.allocation.worker.text, row.state.text,
                    record?.promoted?.version ?? "-", row.target ?? "-", short(record?.promoted?.content),
                    record?.unfinished.map { "\($0.version) \(short($0.content))" } ?? "-",
                    record?.gateDebt?.rawValue ?? "-", row.entry?.run.description ?? "-",
                ]
            },
            json: { row in
                let record = row.entry?.record
                return [
                    ("job", .string(row.allocation.job.text)), ("worker", .string(row.allocation.worker.text)),
                    ("state", .string(row.state.rawValue)), ("standing", .optional(record?.state.rawValue)),
                    ("promoted", json(record?.promoted)), ("unfinished", json(record?.unfinished)),
                    ("target_version", .optional(row.target)),
                    ("not_passed_gate", .optional(record?.gateDebt?.rawValue)),
                    ("drained", .bool(record?.isDrained ?? false)),
                    ("run", row.entry.map { .int($0.run.number) } ?? .null),
                    ("changed_at", .optional(row.entry?.changedAt.utcText)),
                ]
            })
    }

    private func short(_ digest: Digest?) -> String { digest.map { String($0.hex.prefix(12)) } ?? "-" }

    private func json(_ release: Release?) -> JSON {
        guard let release else { return .null }
        return .object([("version", .string(release.version)), ("content", .string(release.content.description))])
    }
}
