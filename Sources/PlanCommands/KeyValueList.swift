import ArgumentParser
import Catalog
import Commands
import KeyValues
import Model
import Planner
import Plans
import Review
import Windows
import YAML

struct ListKeyValues: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists keys and values; of secrets the keys alone.",
        discussion: """
            Without options, the variables and secrets of all jobs. With --jobs, all that hooks and templates of these jobs may \
            read, on all of their workers; with --workers, all that jobs on these workers may read there.
            """)

    @Argument(help: "The namespace, such as vars/job/api.")
    var namespace: KVNamespace?

    @Flag(help: "Also what follows from the workspace: maand/... and vars/bucket....")
    var derived = false

    @OptionGroup var filter: CatalogFilter

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func validate() throws {
        if namespace != nil, derived || !filter.isEverything {
            throw ValidationError("a namespace and options that choose namespaces cannot be given together")
        }
    }

    func run() throws {
        let listing = try KeyValueListing(options.bucket)
        if let namespace {
            try listing.print(try listing.rows(in: namespace), options)
        } else if derived || !filter.isEverything {
            try listing.print(try listing.rows(filter), options)
        } else {
            try listing.print(try listing.store.namespacesOfJobs().flatMap { try listing.rows(in: $0) }, options)
        }
    }
}

struct CatalogKeyValues: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        commandName: "kv", abstract: "Lists the keys and values of all namespaces; of secrets the keys alone.",
        discussion: "The same as `maand-plan kv list --derived`.")

    @OptionGroup var filter: CatalogFilter

    @OptionGroup var options: CatalogListOptions

    var printsJSON: Bool { options.format == .json }

    func run() throws {
        let listing = try KeyValueListing(options.bucket)
        try listing.print(try listing.rows(filter), options)
    }
}

/// Keys and values as lists show them.
struct KeyValueListing {
    let store: KeyValueStore
    private let bucket: BucketOptions

    /// What is shown of one key. Swift 6.3.1 cannot optimize tuples that hold a whole `KeyValueView.Value` here.
    struct Row {
        let namespace: KVNamespace
        let key: String
        /// Nil for a secret.
        let text: String?
        let version: Int?
        let source: String
    }

    init(_ bucket: BucketOptions) throws {
        self.bucket = bucket
        store = try KeyValueStore(bucket)
    }

    func rows(in namespace: KVNamespace) throws -> [Row] {
        try rows(in: namespace, try store.view(of: namespace))
    }

    private func rows(in namespace: KVNamespace, _ view: KeyValueView) throws -> [Row] {
        try view.values(in: namespace).map { value in
            Row(
                namespace: namespace, key: value.key,
                text: namespace.isSecret ? nil : try view.text(of: value, in: namespace), version: value.version,
                source: value.source)
        }
    }

    /// What the chosen jobs may read on the chosen workers; without names, all that there is.
    func rows(_ filter: CatalogFilter) throws -> [Row] {
        let overview = try CatalogOverview(bucket)
        let names = try filter.names(in: overview)
        let facts = try store.facts()
        let shown = try filter.places(of: overview)
        var namespaces: Set<KVNamespace> = [.bucket, .workers, .bucketVariables]
        for id in shown { namespaces.formUnion(facts.namespaces(readableBy: id)) }
        // A job without allocations has its own ones all the same.
        if names.workers.isEmpty, !filter.active {
            for job in names.jobs { namespaces.formUnion(facts.namespaces(of: job)) }
        }
        if filter.isEverything {
            namespaces.formUnion(try store.namespacesOfJobs())
            for worker in facts.workers { namespaces.formUnion([.worker(worker.worker), .tags(worker.worker)]) }
            for job in facts.jobs { namespaces.formUnion(facts.namespaces(of: job.job)) }
        }
        let view = store.view(facts)
        var rows = try namespaces.sorted { $0.text < $1.text }.flatMap { try self.rows(in: $0, view) }
        var seen = Set<[String]>()
        for id in shown {
            rows += try certificates(of: id, facts).filter { seen.insert([$0.namespace.text, $0.key]).inserted }
        }
        return rows.sorted { ($0.namespace.text, $0.key) < ($1.namespace.text, $1.key) }
    }

    /// Certificates are kept, encrypted, elsewhere than where hooks and templates find them.
    private func certificates(of id: AllocationID, _ facts: Facts) throws -> [Row] {
        guard let job = facts.job(id.job) else { return [] }
        let view = store.view(facts, of: id.job)
        let names = job.certificates + job.sharedCertificates
        var places = names.flatMap { name in
            CertificateFile.Part.allCases.map { part in
                (KVNamespace.allocation(id), CertificateFile(name: name, worker: nil, part: part).path)
            }
        }
        if !names.isEmpty { places.append((.workers, CertificateFile.authorities.path)) }
        return try places.compactMap { namespace, key in
            try view.value(namespace, key).map { value in
                Row(namespace: namespace, key: key, text: nil, version: value.version, source: value.source)
            }
        }
    }

    func print(_ rows: [Row], _ options: CatalogListOptions) throws {
        try options.printList(
            ["namespace", "key", "value", "version", "from"], rows,
            row: { row in
                [
                    row.namespace.text, row.key, row.text.map(Self.short) ?? "(secret)",
                    row.version.map { String($0) } ?? "-", row.source,
                ]
            },
            json: { row in
                [
                    ("namespace", .string(row.namespace.text)), ("key", .string(row.key)),
                    ("value", .optional(row.text)), ("secret", .bool(row.text == nil)),
                    ("version", row.version.map(JSON.int) ?? .null), ("from", .string(row.source)),
                ]
            })
    }

    /// For a row of a table.
    private static func short(_ text: String) -> String { text.count > 60 ? text.prefix(57) + "..." : text }
}

extension Facts {
    /// The namespaces that hooks and templates of an allocation may read, beside those that all may.
    fileprivate func namespaces(readableBy id: AllocationID) -> [KVNamespace] {
        [.worker(id.worker), .tags(id.worker), .allocation(id)] + namespaces(of: id.job)
    }

    /// Those of a job, wherever it is, and of the jobs that it demands.
    fileprivate func namespaces(of job: JobName) -> [KVNamespace] {
        [.bucketJobVariables(job)]
            + ([job] + upstreams(of: job)).flatMap { [KVNamespace.job($0), .variables($0), .secrets($0)] }
    }
}

extension KeyValueView.Value {
    fileprivate var version: Int? {
        switch origin {
        case .workspace: nil
        case .stored(let version, _, _): version
        }
    }

    fileprivate var source: String {
        switch origin {
        case .workspace(let file): file
        case .stored(_, let at, let who): "\(who), \(at.utcText)"
        }
    }
}
