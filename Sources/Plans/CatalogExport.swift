public import Model
public import YAML

/// What planning needs to know of a bucket, as a file: for planning on another machine, and for looking at.
///
/// It holds no times, runs or values of secrets, and the same facts give the same bytes.
public struct CatalogExport: Equatable, Sendable {
    /// The format that `bytes` writes and `read` reads.
    public static let format = 1

    /// Id of the bucket that it is of.
    public var bucket: String
    /// What the catalog knows of allocations and jobs.
    public var snapshot: CatalogSnapshot
    /// What allocations run or have begun, as far as it is known: a plan says which files change from there.
    public var trees: [Digest: Tree]
    /// The manifests of what was promoted, by the digest of the file: a way back needs them.
    public var manifests: [Digest: [UInt8]]
    /// What is kept of files with secrets of what was promoted, by digest: a way back needs them, too.
    public var sealedFiles: [Digest: [UInt8]] = [:]

    /// A file of what was promoted; nil if the export does not have it.
    public func file(_ digest: Digest) -> [UInt8]? { manifests[digest] ?? sealedFiles[digest] }

    public init(
        bucket: String, snapshot: CatalogSnapshot, trees: [Digest: Tree] = [:], manifests: [Digest: [UInt8]] = [:]
    ) {
        self.bucket = bucket
        self.snapshot = snapshot
        self.trees = trees
        self.manifests = manifests
    }

    /// Canonical YAML.
    public var bytes: [UInt8] {
        RecordFile.write(Contents(self))
    }

    /// Reads what `bytes` wrote.
    ///
    /// - Throws: `InputFailure` with every error found, each with file, line and column.
    public static func read(_ bytes: [UInt8], file: String) throws(InputFailure) -> CatalogExport {
        let export = try RecordFile.read(
            Contents.self, bytes, file: file,
            .init(
                field: "catalog_format", number: Self.format, noun: "catalog", what: "an export of a catalog",
                remedy: "export it again with this release")
        ).export
        try CanonicalForm.require(bytes, equals: export.bytes, file: file)
        return export
    }
}

extension CatalogExport {
    /// The export as it is in the file: everything sorted, and with its name.
    private struct Contents: Record, FieldValue {
        var bucket: String
        var revision: Int
        var allocations: [Allocation]
        var jobs: [Job]
        var workers: [PlanWorker]
        var machines: [NamedMachine]
        var trees: [NamedTree]
        var manifests: [NamedFile]
        var sealedFiles: [NamedFile]
        var authorities: [CertificateAuthority]
        /// Sorted by worker.
        var workerIDs: [Plan.Named<String>]

        static let title = "catalog"
        static let meaning = "What planning needs to know of a bucket."
        static let style = Emitter.Style.block
        static let blank = Contents(CatalogExport(bucket: "", snapshot: .empty))

        init(_ export: CatalogExport) {
            let snapshot = export.snapshot
            bucket = export.bucket
            revision = snapshot.revision
            allocations = snapshot.allocations.sorted { $0.key < $1.key }.map {
                Allocation(id: $0.key, record: $0.value)
            }
            jobs = snapshot.jobs.sorted { $0.key < $1.key }.map { Job(job: $0.key, record: $0.value) }
            workers = snapshot.workers.sorted { $0.key < $1.key }.map(\.value)
            machines = snapshot.machines.sorted { $0.key < $1.key }.map {
                NamedMachine(worker: $0.key, machine: $0.value)
            }
            trees = export.trees.sorted { $0.key.hex < $1.key.hex }.map {
                NamedTree(content: $0.key, entries: $0.value.lines)
            }
            manifests = NamedFile.list(export.manifests)
            sealedFiles = NamedFile.list(export.sealedFiles)
            authorities = snapshot.authorities
            workerIDs = snapshot.workerIDs.sorted { $0.key < $1.key }.map { .init($0.key.text, $0.value) }
        }

        /// If something is listed twice, the canonical form of what remains is another one.
        var export: CatalogExport {
            var export = CatalogExport(
                bucket: bucket,
                snapshot: CatalogSnapshot(
                    revision: revision, allocations: Dictionary(allocations.map { ($0.id, $0.record) }) { $1 },
                    jobs: Dictionary(jobs.map { ($0.job, $0.record) }) { $1 },
                    workers: Dictionary(workers.map { ($0.worker, $0) }) { $1 },
                    machines: Dictionary(machines.map { ($0.worker, $0.machine) }) { $1 }),
                trees: Dictionary(
                    trees.compactMap { tree in
                        Tree(lines: tree.entries, digest: tree.content).map { (tree.content, $0) }
                    }
                ) {
                    $1
                }, manifests: Dictionary(manifests.map { ($0.file, Array($0.text.utf8)) }) { $1 })
            export.snapshot.authorities = authorities
            export.snapshot.workerIDs = Dictionary(
                workerIDs.compactMap { named in WorkerName(named.name).map { ($0, named.value) } }
            ) { $1 }
            export.sealedFiles = Dictionary(sealedFiles.map { ($0.file, Array($0.text.utf8)) }) { $1 }
            return export
        }

        mutating func visit(_ fields: inout some Fields) {
            fields.constant("catalog_format", .int(CatalogExport.format), "the version of this format")
            fields.required("bucket", &bucket, "the bucket's id")
            fields.required("revision", &revision, .count, "the revision of the catalog")
            fields.required("allocations", &allocations, "what is known of allocations")
            fields.required("jobs", &jobs, "what is known of jobs")
            fields.required("workers", &workers, "workers as they were last used")
            fields.optional("machines", &machines, default: [], "machines of workers over ssh")
            fields.required("trees", &trees, "lists of files")
            fields.optional("manifests", &manifests, default: [], "manifests of what was promoted")
            fields.optional(
                "sealed_files", &sealedFiles, default: [], "files with secrets of what was promoted, without the values"
            )
            fields.optional("authorities", &authorities, default: [], "authorities whose certificates are trusted")
            fields.optional(
                "worker_ids", &workerIDs, MapType(element: TextType(.plain), key: "worker"), default: [],
                "ids that Maand had given to workers")
        }
    }

    private struct Allocation: Record, FieldValue {
        var id: AllocationID
        var record: AllocationRecord

        static let title = "allocation"
        static let meaning = "What is known of an allocation."
        static var blank: Allocation {
            Allocation(id: .init(job: .blank, worker: .blank), record: AllocationRecord(promoted: nil))
        }

        mutating func visit(_ fields: inout some Fields) {
            var (job, worker) = (id.job, id.worker)
            fields.required("job", &job, "the job")
            fields.required("worker", &worker, "the worker")
            id = AllocationID(job: job, worker: worker)
            fields.required("standing", &record.state, "whether it runs")
            fields.optional("promoted", &record.promoted, "what was promoted")
            fields.optional("unfinished", &record.unfinished, "what was started and not promoted")
            fields.flag("interrupted", &record.isInterrupted, "what was started there is a target by itself")
            fields.optional("drifted", &record.drifted, "what was found instead")
            fields.flag("owes_gate", &record.owesGate, "it has passed no gate since its promote")
            fields.flag("failed_gate", &record.failedGate, "the last gate named it")
            fields.optional("taken_back", &record.takenBack, "the content that was last rolled back there")
            fields.flag("drained", &record.isDrained, "hooks have drained it, and none have put it back")
        }
    }

    private struct Job: Record, FieldValue {
        var job: JobName
        var record: JobRecord

        static let title = "catalog_job"
        static let meaning = "What is known of a job."
        static var blank: Job { Job(job: .blank, record: JobRecord()) }

        mutating func visit(_ fields: inout some Fields) {
            fields.required("job", &job, "the name")
            fields.required("gate_pending", &record.gatePending, "its last gate failed or never ran")
            fields.required("incomplete", &record.incomplete, "a rollout of it has not ended")
            fields.flag(
                "maand_modes", &record.keepsMaandModes, "it was taken over from Maand: its files stay executable")
            // A dictionary has no order: names are sorted as everywhere.
            var ports = record.assignedPorts.sorted { $0.key < $1.key }.map { Plan.Named($0.key, $0.value) }
            fields.required(
                "assigned_ports", &ports, MapType(element: .integer(Plan.portRange), key: "name of a port"), "its ports"
            )
            record.assignedPorts = Dictionary(ports.map { ($0.name, $0.value) }) { $1 }
            fields.optional(
                "variables", &record.variables, TextMapType(key: "key", text: .plain), default: [:],
                "its variables")
            var secrets = record.secrets.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { Plan.Named($0.key, $0.value) }
            fields.optional(
                "secrets", &secrets, MapType(element: ParsedType(), key: "key"), default: [],
                "its secrets with the fingerprints of their values")
            record.secrets = Dictionary(secrets.map { ($0.name, $0.value) }) { $1 }
            var files = record.certificateFiles.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { Plan.Named($0.key, $0.value) }
            var certificates = record.certificates.values.sorted {
                ($0.name, $0.worker?.text ?? "") < ($1.name, $1.worker?.text ?? "")
            }
            fields.optional("certificates", &certificates, default: [], "its certificates, without their keys")
            record.certificates = Dictionary(certificates.map { ($0.file, $0) }) { $1 }
            fields.optional(
                "certificate_files", &files, MapType(element: ParsedType(), key: "key"), default: [],
                "the files of these with the fingerprints of what is in them")
            record.certificateFiles = Dictionary(files.map { ($0.name, $0.value) }) { $1 }
            var prepared = record.prepared.sorted { $0.key < $1.key }.map { Plan.Named($0.key, $0.value) }
            fields.optional(
                "prepared", &prepared, MapType(element: ParsedType(), key: "command"), default: [],
                "what its commands of `post_build` saw when they last ran well")
            record.prepared = Dictionary(prepared.map { ($0.name, $0.value) }) { $1 }
            var provided = record.provided.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { Plan.Named($0.key, $0.value) }
            fields.optional(
                "provided_secrets", &provided, MapType(element: ParsedType(), key: "key"), default: [],
                "its secrets that somebody else keeps, with the fingerprints of their values")
            record.provided = Dictionary(provided.map { ($0.name, $0.value) }) { $1 }
            var unknown = record.unknownSecrets.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            fields.optional(
                "unknown_secrets", &unknown, ListType(element: .text(.plain)), default: [],
                "its secrets of which no fingerprint is known; `maand-plan prepare` finds it out")
            record.unknownSecrets = Set(unknown)
        }
    }

    private struct NamedMachine: Record, FieldValue {
        var worker: WorkerName
        var machine: Machine

        static let title = "machine"
        static let meaning = "The machine of a worker."
        static var blank: NamedMachine {
            NamedMachine(worker: .blank, machine: Machine(address: "", port: 22, hostKeys: [], generation: ""))
        }

        mutating func visit(_ fields: inout some Fields) {
            fields.required("worker", &worker, "the name")
            fields.required("address", &machine.address, "as connections used it")
            fields.required("port", &machine.port, .integer(Plan.portRange), "of sshd")
            fields.required("host_keys", &machine.hostKeys, "fingerprints")
            fields.required("generation", &machine.generation, .text(.generation), "id of the receipts there")
        }
    }

    private struct NamedTree: Record, FieldValue {
        var content: Digest
        /// Lines of the tree.
        var entries: [String]

        static let title = "tree"
        static let meaning = "The files of one content."
        static let style = Emitter.Style.block
        static let blank = NamedTree(content: .blank, entries: [])

        mutating func visit(_ fields: inout some Fields) {
            fields.required("content", &content, "its digest")
            fields.required(
                "entries", &entries, ListType(element: TextType(.plain), style: .block), "a line for each entry")
        }

        func check(_ report: RecordReport) {
            if Tree(lines: entries, digest: content) == nil {
                report.error("content", "the entries are not those of this content")
            }
        }
    }
}

extension CatalogExport {
    private struct NamedFile: Record, FieldValue {
        /// The digest of the file.
        var file: Digest
        var text: String

        static let title = "kept_file"
        static let meaning = "A file of an earlier release; of one with secrets what is kept of it."
        static let style = Emitter.Style.block
        static let blank = NamedFile(file: .blank, text: "")

        static func list(_ files: [Digest: [UInt8]]) -> [NamedFile] {
            files.sorted { $0.key.hex < $1.key.hex }.map {
                NamedFile(file: $0.key, text: String(decoding: $0.value, as: UTF8.self))
            }
        }

        mutating func visit(_ fields: inout some Fields) {
            fields.required("file", &file, "the digest of the file")
            fields.required("text", &text, .text(.any), "its text")
        }

        func check(_ report: RecordReport) {
            if Digest.of(Array(text.utf8)) != file { report.error("file", "the text is not that of this digest") }
        }
    }
}

extension Release: Record, FieldValue {
    static let title = "release"
    static let meaning = "A version with its files."
    static var blank: Release { Release(version: "", content: .blank) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("version", &version, .text(.version), "the version")
        fields.required("content", &content, "the digest of the files")
    }
}
