import ArgumentParser
import Catalog
import Commands
import Model
import Plans
import Review
import Templates
import Windows
import YAML

struct CatalogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catalog",
        abstract: "Shows what is recorded of jobs, allocations, workers and deployments, and takes care of it.",
        subcommands: [
            CatalogJobs.self, CatalogAllocations.self, CatalogDeployments.self, CatalogWorkers.self, ExportCatalog.self,
            BackUpCatalog.self, RefreshCommand.self, CollectStore.self,
        ])
}

/// What every list of the catalog takes.
struct CatalogListOptions: ParsableArguments {
    @OptionGroup var bucket: BucketOptions

    @Option(help: "The form of the list: text or json.")
    var format: OutputFormat = .text

    /// Prints a list; before the first run there is no catalog, and the list is empty.
    func printList<Entry>(
        _ headings: [String], _ entries: (Catalog) throws -> [Entry], row: (Entry) -> [String],
        json: (Entry) -> [(String, JSON)]
    ) throws {
        let configuration = try bucket.configuration()
        let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)
        let list = try catalog.map { try entries($0) } ?? []
        switch format {
        case .text:
            var table = TextTable(headings)
            for entry in list { table.add(row(entry)) }
            try printResult(Array(table.text.utf8))
        case .json:
            try printResult(Array(JSON.array(list.map { .object(json($0)) }).text.utf8))
        }
    }
}

struct CatalogJobs: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Lists jobs with the versions that run, and whether a rollout is incomplete.")

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        try options.printList(
            ["job", "active", "stopped", "unfinished", "versions", "state"], { try $0.jobs() },
            row: { entry in
                let versions = entry.versions.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
                return [
                    entry.job.text, String(entry.active), String(entry.stopped), String(entry.unfinished),
                    versions.joined(separator: ", "), state(entry.record),
                ]
            },
            json: { entry in
                [
                    ("job", .string(entry.job.text)), ("active", .int(entry.active)),
                    ("stopped", .int(entry.stopped)), ("unfinished", .int(entry.unfinished)),
                    ("versions", .object(entry.versions.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) })),
                    ("gate_pending", .bool(entry.record.gatePending)),
                    ("incomplete", .bool(entry.record.incomplete)),
                    (
                        "assigned_ports",
                        .object(entry.record.assignedPorts.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) })
                    ),
                ]
            })
    }

    private func state(_ record: JobRecord) -> String {
        if record.gatePending { return "gate pending" }
        return record.incomplete ? "incomplete" : "complete"
    }
}

struct CatalogAllocations: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "allocations", abstract: "Lists allocations with what was promoted and what was only begun.")

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        try options.printList(
            ["job", "worker", "state", "version", "content", "unfinished", "gate", "run"],
            { try $0.allocations() },
            row: { entry in
                [
                    entry.allocation.job.text, entry.allocation.worker.text, entry.record.state.rawValue,
                    entry.record.promoted?.version ?? "-", short(entry.record.promoted?.content),
                    entry.record.unfinished.map { "\($0.version) \(short($0.content))" } ?? "-",
                    entry.record.gateDebt?.rawValue ?? "-", entry.run.description,
                ]
            },
            json: { entry in
                [
                    ("job", .string(entry.allocation.job.text)), ("worker", .string(entry.allocation.worker.text)),
                    ("standing", .string(entry.record.state.rawValue)), ("promoted", json(entry.record.promoted)),
                    ("unfinished", json(entry.record.unfinished)),
                    ("not_passed_gate", .optional(entry.record.gateDebt?.rawValue)),
                    ("drained", .bool(entry.record.isDrained)), ("run", .int(entry.run.number)),
                    ("changed_at", .string(entry.changedAt.utcText)),
                ]
            })
    }

    private func short(_ digest: Digest?) -> String { digest.map { String($0.hex.prefix(12)) } ?? "-" }

    private func json(_ release: Release?) -> JSON {
        guard let release else { return .null }
        return .object([("version", .string(release.version)), ("content", .string(release.content.description))])
    }
}

struct CatalogDeployments: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "deployments", abstract: "Lists what runs have promoted, the newest first.")

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    @Option(help: "How many rows to show at most.")
    var limit = 50

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit has to be at least 1") }
    }

    func run() throws {
        try options.printList(
            ["run", "job", "version", "content", "allocations", "first", "last"], { try $0.deployments(limit: limit) },
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
}

struct CatalogWorkers: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "Lists workers as they were last reached.")

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        try options.printList(
            ["worker", "address", "user", "port", "zone", "active", "run"], { try $0.workers() },
            row: { entry in
                [
                    entry.worker.worker.text, entry.worker.address, entry.worker.ssh?.user ?? "-",
                    entry.worker.ssh.map { String($0.port) } ?? "-", entry.worker.zone ?? "-",
                    String(entry.activeAllocations), entry.run.description,
                ]
            },
            json: { entry in
                [
                    ("worker", .string(entry.worker.worker.text)), ("address", .string(entry.worker.address)),
                    ("user", .optional(entry.worker.ssh?.user)),
                    ("port", entry.worker.ssh.map { .int($0.port) } ?? .null),
                    ("zone", .optional(entry.worker.zone)), ("active_allocations", .int(entry.activeAllocations)),
                    ("run", .int(entry.run.number)),
                ]
            })
    }
}

struct ExportCatalog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Prints what planning knows of the bucket: canonical text, without times and values of secrets.",
        discussion: "`maand-plan deploy --catalog FILE` plans against it, on any machine that has the workspace.")

    @OptionGroup var bucket: BucketOptions

    func run() throws {
        let id = try bucket.configuration().bucketID
        let snapshot = try Catalog.openReadOnly(in: bucket.folder, bucket: id)?.snapshot() ?? .empty
        let store = ContentStore(in: bucket.folder)
        var trees: [Digest: Tree] = [:]
        var manifests: [Digest: [UInt8]] = [:]
        for record in snapshot.allocations.values {
            for content in [record.promoted, record.unfinished, record.drifted].compactMap({ $0?.content })
            where trees[content] == nil {
                // What the store has lost cannot be told; a plan that needs it says so.
                trees[content] = try? store.tree(content)
            }
        }
        for content in Set(snapshot.allocations.values.compactMap(\.promoted?.content)) {
            guard let file = trees[content]?.entries.first(where: { $0.path == "manifest.json" })?.digest,
                let bytes = try? store.read(file, limit: InputLimits.standard.bytes),
                String(validating: bytes, as: UTF8.self) != nil
            else { continue }
            manifests[file] = bytes
        }
        var export = CatalogExport(bucket: id, snapshot: snapshot, trees: trees, manifests: manifests)
        for content in Set(snapshot.allocations.values.compactMap(\.promoted?.content)) {
            for entry in trees[content]?.entries ?? [] where entry.kind == .sealed {
                export.sealedFiles[entry.digest] = try? store.read(entry.digest, limit: SealedFile.maximumWritten)
            }
        }
        try printResult(export.bytes)
    }
}
