public import YAML

/// What planning needs to know of a bucket, as a file: for planning on another machine, and for looking at.
///
/// It holds no times, runs or secrets, and the same facts give the same bytes.
public struct CatalogExport: Equatable, Sendable {
    /// The format that `bytes` writes and `read` reads.
    public static let format = 1

    /// Id of the bucket that it is of.
    public var bucket: String
    /// What the catalog knows of allocations and jobs.
    public var snapshot: CatalogSnapshot
    /// What allocations run or have begun, as far as it is known: a plan says which files change from there.
    public var trees: [Digest: Tree]

    public init(bucket: String, snapshot: CatalogSnapshot, trees: [Digest: Tree] = [:]) {
        self.bucket = bucket
        self.snapshot = snapshot
        self.trees = trees
    }

    /// Canonical YAML.
    public var bytes: [UInt8] {
        var out = Emitter()
        out.field("catalog_format", .int(Self.format))
        out.field("bucket", .string(bucket))
        out.field("revision", .int(snapshot.revision))
        out.sequence("allocations") { out in
            for (id, record) in snapshot.allocations.sorted(by: { $0.key < $1.key }) {
                out.mappingItem(.flow) { out in
                    out.field("job", .string(id.job.text))
                    out.field("worker", .string(id.worker.text))
                    out.field("standing", .string(record.standing.rawValue))
                    for (name, release) in [
                        ("promoted", record.promoted), ("unfinished", record.unfinished), ("drifted", record.drifted),
                    ] {
                        guard let release else { continue }
                        out.mapping(name, .flow) { out in
                            out.field("version", .string(release.version))
                            out.field("content", .string(release.content.description))
                            if release.treeRules != 1 { out.field("tree_rules", .int(release.treeRules)) }
                        }
                    }
                    if record.owesGate { out.field("owes_gate", .bool(true)) }
                    if record.failedGate { out.field("failed_gate", .bool(true)) }
                }
            }
        }
        out.sequence("jobs") { out in
            for (name, record) in snapshot.jobs.sorted(by: { $0.key < $1.key }) {
                out.mappingItem(.flow) { out in
                    out.field("job", .string(name.text))
                    out.field("gate_pending", .bool(record.gatePending))
                    out.field("incomplete", .bool(record.incomplete))
                    out.mapping("assigned_ports", .flow) { out in
                        for (port, number) in record.assignedPorts.sorted(by: { $0.key < $1.key }) {
                            out.field(port, .int(number))
                        }
                    }
                    if !record.variables.isEmpty {
                        out.mapping("variables", .flow) { out in
                            let sorted = record.variables.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                            for (key, value) in sorted { out.field(key, .string(value)) }
                        }
                    }
                }
            }
        }
        out.sequence("workers") { out in
            for (_, worker) in snapshot.workers.sorted(by: { $0.key < $1.key }) { worker.emit(into: &out) }
        }
        if !snapshot.machines.isEmpty {
            out.sequence("machines") { out in
                for (worker, machine) in snapshot.machines.sorted(by: { $0.key < $1.key }) {
                    machine.emit(of: worker, into: &out)
                }
            }
        }
        out.sequence("trees") { out in
            for (digest, tree) in trees.sorted(by: { $0.key.hex < $1.key.hex }) {
                out.mappingItem { out in
                    out.field("content", .string(digest.description))
                    out.sequence("entries") { out in for line in tree.lines { out.item(.string(line)) } }
                }
            }
        }
        return out.finish()
    }

    /// Reads what `bytes` wrote.
    ///
    /// - Throws: `InputFailure` with every error found, each with file, line and column.
    public static func read(_ bytes: [UInt8], file: String) throws(InputFailure) -> CatalogExport {
        try CanonicalForm.require(bytes, beginWith: "catalog_format", file: file, what: "an export of a catalog")
        let root = try YAMLDocument.parse(bytes, file: file, limits: .plan)
        let reader = Reader(root: root, source: bytes, file: file)
        let export = CatalogExportReader(reader: reader).export(root)
        try reader.check()
        guard let export else {
            throw InputFailure(Diagnostic(file: file, mark: root.mark, message: "this is no export of a catalog"))
        }
        try CanonicalForm.require(bytes, equals: export.bytes, file: file)
        return export
    }
}

private struct CatalogExportReader: NodeReading {
    let reader: Reader

    func export(_ root: Node) -> CatalogExport? {
        fields(root) { map in
            guard let formatNode = map.required("catalog_format"), let format = integer(formatNode, 0...Int.max)
            else { return nil }
            if format != CatalogExport.format {
                reader.error(
                    formatNode, "this is catalog format \(format), and this program reads \(CatalogExport.format)",
                    note: "export it again with this release")
                return nil
            }
            let bucket = string(map.required("bucket"))
            let revision = integer(map.required("revision"), 0...Int.max)
            let allocations = list(map.required("allocations"), allocation)
            let jobs = list(map.required("jobs"), job)
            let workers = list(map.required("workers")) { node in
                worker(node, isSSH: reader.mapping(node)?.entries.contains { $0.name == "port" } == true)
            }
            let machines = map.optional("machines").map { list($0, machine) } ?? []
            let trees = list(map.required("trees"), tree)
            guard let bucket, let revision, let allocations, let jobs, let workers, let machines, let trees else {
                return nil
            }
            // Where something is listed twice, the canonical form of what remains is another one.
            return CatalogExport(
                bucket: bucket,
                snapshot: CatalogSnapshot(
                    revision: revision, allocations: Dictionary(allocations) { $1 }, jobs: Dictionary(jobs) { $1 },
                    workers: Dictionary(workers.map { ($0.worker, $0) }) { $1 },
                    machines: Dictionary(machines) { $1 }),
                trees: Dictionary(trees.map { ($0.digest, $0) }) { $1 })
        }
    }

    private func allocation(_ node: Node) -> (AllocationID, AllocationRecord)? {
        fields(node) { map in
            let job: JobName? = name(map.required("job"))
            let worker: WorkerName? = name(map.required("worker"))
            let standing: AllocationRecord.Standing? = word(map.required("standing"))
            let promoted = map.optional("promoted").map(release)
            let unfinished = map.optional("unfinished").map(release)
            let drifted = map.optional("drifted").map(release)
            let owesGate = map.optional("owes_gate").flatMap(boolean) ?? false
            let failedGate = map.optional("failed_gate").flatMap(boolean) ?? false
            guard let job, let worker, let standing, promoted != .some(nil), unfinished != .some(nil),
                drifted != .some(nil)
            else { return nil }
            var record = AllocationRecord(
                promoted: promoted ?? nil, unfinished: unfinished ?? nil, standing: standing, owesGate: owesGate,
                failedGate: failedGate)
            record.drifted = drifted ?? nil
            return (AllocationID(job: job, worker: worker), record)
        }
    }

    private func release(_ node: Node) -> Release? {
        fields(node) { map in
            let version = self.version(map.required("version"))
            let content = map.required("content").flatMap { node in string(node).flatMap { digest(node, $0) } }
            let rules = map.optional("tree_rules").flatMap { integer($0, 1...Tree.rules) } ?? 1
            return all(version, content).map { Release(version: $0.0, content: $0.1, treeRules: rules) }
        }
    }

    private func job(_ node: Node) -> (JobName, JobRecord)? {
        fields(node) { map in
            let job: JobName? = name(map.required("job"))
            let gatePending = boolean(map.required("gate_pending"))
            let incomplete = boolean(map.required("incomplete"))
            let ports = named(map.required("assigned_ports")) { integer($0, Plan.portRange) }
            let variables = map.optional("variables").map { named($0, string) } ?? []
            guard let job, let gatePending, let incomplete, let ports, let variables else { return nil }
            return (
                job,
                JobRecord(
                    gatePending: gatePending, incomplete: incomplete,
                    assignedPorts: Dictionary(ports.map { ($0.name, $0.value.value) }) { $1 },
                    variables: Dictionary(variables.map { ($0.name, $0.value.value) }) { $1 })
            )
        }
    }

    private func tree(_ node: Node) -> Tree? {
        fields(node) { map in
            let contentNode = map.required("content")
            let content = contentNode.flatMap { node in string(node).flatMap { digest(node, $0) } }
            let lines = list(map.required("entries"), string)
            guard let contentNode, let content, let lines else { return nil }
            guard let tree = Tree(lines: lines), tree.digest == content else {
                reader.error(contentNode, "the entries are not those of this content")
                return nil
            }
            return tree
        }
    }
}
