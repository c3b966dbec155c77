import ArgumentParser
import Catalog
import Commands
import Model
import Plans
import Windows
import YAML

struct CatalogDeployments: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "deployments", abstract: "Lists what runs have promoted, the newest first.",
        discussion: """
            With --workers or --active, only what runs now: on these workers, or anywhere. `catalog allocations` shows the \
            state of each allocation.
            """)

    @OptionGroup var filter: CatalogFilter

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    @Option(help: "How many rows to show at most.")
    var limit = 50

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit has to be at least 1") }
    }

    func run() throws {
        try options.printList(
            ["run", "job", "version", "content", "allocations", "first", "last"], try entries(),
            row: { entry in
                [
                    entry.run.description, entry.job.text, entry.release.version,
                    String(entry.release.content.hex.prefix(12)), String(entry.allocations), entry.firstAt.utcText,
                    entry.lastAt.utcText,
                ]
            },
            json: { entry in
                [
                    ("run", .int(entry.run.number)), ("job", .string(entry.job.text)),
                    ("version", .string(entry.release.version)),
                    ("content", .string(entry.release.content.description)), ("allocations", .int(entry.allocations)),
                    ("first_at", .string(entry.firstAt.utcText)), ("last_at", .string(entry.lastAt.utcText)),
                ]
            })
    }

    private func entries() throws -> [DeploymentEntry] {
        if filter.isEverything {
            let id = try options.bucket.configuration().bucketID
            return try Catalog.openReadOnly(in: options.bucket.folder, bucket: id)?.deployments(limit: limit) ?? []
        }
        let overview = try CatalogOverview(options.bucket)
        let names = try filter.names(in: overview)
        var entries = try overview.catalog?.deployments(limit: .max) ?? []
        if !names.jobs.isEmpty { entries.removeAll { !names.jobs.contains($0.job) } }
        if filter.active || !names.workers.isEmpty {
            let running = overview.running(on: names.workers)
            entries.removeAll { running[$0.job]?.contains($0.release.content) != true }
        }
        return Array(entries.prefix(limit))
    }
}
