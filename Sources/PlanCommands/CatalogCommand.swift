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
        discussion: """
            The lists also show what the workspace wants. If it cannot be read, a warning says why, and they show what is \
            recorded.
            """,
        subcommands: [
            CatalogJobs.self, CatalogAllocations.self, CatalogDeployments.self, CatalogWorkers.self, CatalogPorts.self,
            CatalogHooks.self, CatalogKeyValues.self, ExportCatalog.self, BackUpCatalog.self, RefreshCommand.self,
            CollectStore.self,
        ])
}

/// What every list of the catalog takes.
struct CatalogListOptions: ParsableArguments {
    @OptionGroup var bucket: BucketOptions

    @Option(help: "The form of the list: text or json.")
    var format: OutputFormat = .text

    /// Prints a list.
    func printList<Entry>(
        _ headings: [String], _ list: [Entry], row: (Entry) -> [String], json: (Entry) -> [(String, JSON)]
    ) throws {
        switch format {
        case .text:
            var table = TextTable(headings)
            for entry in list { table.add(row(entry)) }
            try printResult(Array(table.text.utf8))
        case .json:
            try printResult(Array(JSON.array(list.map { .object(json($0)) }).text.utf8))
        }
    }

    /// Prints a list of the catalog alone; before the first run there is none, and the list is empty.
    func printRecorded<Entry>(
        _ headings: [String], _ entries: (Catalog) throws -> [Entry], row: (Entry) -> [String],
        json: (Entry) -> [(String, JSON)]
    ) throws {
        let configuration = try bucket.configuration()
        let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)
        try printList(headings, catalog.map { try entries($0) } ?? [], row: row, json: json)
    }
}

struct CatalogWorkers: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "Lists workers as they were last reached.")

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        try options.printRecorded(
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
