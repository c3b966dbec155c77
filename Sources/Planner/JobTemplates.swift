internal import JobFiles
internal import Model
internal import Plans
internal import Templates
internal import YAML

/// A template of a job that was read without errors.
struct ParsedTemplate: Sendable {
    /// The file itself, for messages.
    var file: String
    /// What it becomes.
    var path: String
    var isExecutable: Bool
    var template: Template
    /// Values of secrets may stand in what it becomes.
    var mentionsSecrets: Bool

    static func read(_ sources: [JobTemplate], folder: String, into findings: inout Findings) -> [ParsedTemplate] {
        sources.compactMap { source in
            let file = "\(folder)/\(source.path)\(JobTemplate.suffix)"
            do throws(TemplateProblem) {
                return ParsedTemplate(
                    file: file, path: source.path, isExecutable: source.isExecutable,
                    template: try Template(source.bytes),
                    mentionsSecrets: ["getSecret", "secrets/"].contains { name in
                        String(decoding: source.bytes, as: UTF8.self).contains(name)
                    })
            } catch {
                findings.add(InputFailure(error.diagnostic(file)))
                return nil
            }
        }
    }
}

extension TemplateProblem {
    fileprivate func diagnostic(_ file: String) -> Diagnostic {
        Diagnostic(file: file, mark: mark, message: message, note: note)
    }
}

/// What templates of all jobs are rendered with; worked out when the first job has any.
struct TemplateInput {
    private let workspace: Workspace
    private let configuration: BucketConfiguration
    private let catalog: CatalogSnapshot
    private let ports: [JobName: [String: Int]]
    private var facts: Facts?
    /// As they were written up to 0.3.0; nil if they are the same.
    private var firstFacts: Facts?

    init(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ catalog: CatalogSnapshot,
        _ ports: [JobName: [String: Int]]
    ) {
        self.workspace = workspace
        self.configuration = configuration
        self.catalog = catalog
        self.ports = ports
    }

    /// Nil where the job has no templates.
    mutating func renderer(of job: Workspace.Job) -> JobRenderer? {
        if job.templates.isEmpty, !job.hasAuthorities { return nil }
        let facts: Facts
        if let known = self.facts {
            facts = known
        } else {
            facts = Facts(workspace, ports: ports, ids: catalog.workerIDs)
            let first = Facts(workspace, ports: ports, ids: catalog.workerIDs, .first)
            firstFacts = first == facts ? nil : first
            self.facts = facts
        }
        return JobRenderer(
            job: job, facts: facts, firstFacts: firstFacts, ids: catalog.workerIDs, records: catalog.jobs,
            provided: workspace.provided, bucket: configuration.bucketID,
            root: "\(configuration.workerRoot)/\(configuration.bucketID)")
    }
}

/// How many bytes the templates of one plan may still become, over all jobs and workers: they are in memory until the plan
/// is written. Files with the same bytes count once a job.
struct RenderedRoom {
    private static let maximum = 256 << 20

    private var rest = Self.maximum

    /// - Throws: `InputFailure` at the template where there is no room for the file.
    mutating func take(_ file: JobRenderer.File) throws(InputFailure) {
        guard file.bytes.count <= rest else {
            throw InputFailure(
                Diagnostic(
                    file: file.template, mark: Mark(line: 1, column: 1),
                    message: "templates become more than \(Self.maximum >> 20) MiB in one plan",
                    note: "plan some of the jobs at a time, with --jobs, or let the templates write less"))
        }
        rest -= file.bytes.count
    }
}

/// Renders the templates of one job.
struct JobRenderer {
    let job: Workspace.Job
    let facts: Facts
    /// As they were written up to 0.3.0; nil if they are the same.
    let firstFacts: Facts?
    /// Ids that Maand had given to workers.
    let ids: [WorkerName: String]
    /// What is stored for jobs: variables, and of secrets the fingerprints.
    let records: [JobName: JobRecord]
    /// Secrets that somebody else keeps.
    let provided: ProvidedSecrets
    /// The bucket's id.
    let bucket: String
    /// The bucket's folder on workers.
    let root: String
    /// Labels are written as they are spelled.
    private var isFirst = false

    init(
        job: Workspace.Job, facts: Facts, firstFacts: Facts?, ids: [WorkerName: String], records: [JobName: JobRecord],
        provided: ProvidedSecrets, bucket: String, root: String
    ) {
        self.job = job
        self.facts = facts
        self.firstFacts = firstFacts
        self.ids = ids
        self.records = records
        self.provided = provided
        self.bucket = bucket
        self.root = root
    }

    struct File {
        /// The template, for messages.
        var template: String
        var entry: TreeEntry
        /// What is kept of it: of a file with secrets everything but their values.
        var bytes: [UInt8]
        var secrets: [SecretReference] = []
    }

    /// What the templates become for one allocation.
    ///
    /// - Throws: `InputFailure` with what is wrong in each template.
    func files(for worker: Workspace.Worker, currentVersion: String) throws(InputFailure) -> [File] {
        var findings = Findings()
        let values = AllocationValues(renderer: self, allocation: AllocationID(job: job.name, worker: worker.name))
        let data = data(worker, currentVersion)
        var files: [File] = []
        for template in job.templates {
            do throws(TemplateProblem) {
                files.append(file(template, try template.template.render(data, values: values)))
            } catch {
                let message = "\(error.message) (for worker \(worker.name))"
                findings.add(
                    InputFailure(
                        Diagnostic(file: template.file, mark: error.mark, message: message, note: error.note)))
            }
        }
        try findings.check()
        return files + certificates(for: worker)
    }

    /// The same, with a file of nothing in the place of each that cannot be rendered.
    func filesAsFarAsPossible(for worker: Workspace.Worker, currentVersion: String) -> [File] {
        let values = AllocationValues(renderer: self, allocation: AllocationID(job: job.name, worker: worker.name))
        let data = data(worker, currentVersion)
        let files = job.templates.map { template in
            if let rendered = try? template.template.render(data, values: values) { return file(template, rendered) }
            return File(
                template: template.file,
                entry: TreeEntry(
                    path: template.path, kind: template.mentionsSecrets ? .sealed : .file, digest: Digest.of([]),
                    size: 0),
                bytes: [])
        }
        return files + certificates(for: worker)
    }

    /// The files of the allocation's certificates, as far as they are there: whether all are, planning has checked where
    /// something is planned.
    private func certificates(for worker: Workspace.Worker) -> [File] {
        guard job.hasAuthorities else { return [] }
        let requests = job.manifest.certificates.flatMap { request in
            CertificateFile.Part.allCases.map {
                CertificateFile(name: request.name, worker: request.isOne ? nil : worker.name, part: $0)
            }
        }
        let known = records[job.name]?.certificateFiles ?? [:]
        return ([.authorities] + requests).compactMap { file in
            guard let fingerprint = known[file.key] else { return nil }
            let secret = SecretReference(name: file.secret(of: job.name), fingerprint: fingerprint)
            let bytes = SealedFile([.secret(.secret(secret))]).bytes
            return File(
                template: "\(CertificateFile.folder) of \(job.name)",
                entry: TreeEntry(
                    path: file.path, kind: .sealed, digest: Digest.of(bytes), size: bytes.count,
                    mode: job.manifest.fileModes.mode(of: file.path) ?? file.mode), bytes: bytes, secrets: [secret])
        }
    }

    private func file(_ template: ParsedTemplate, _ rendered: Template.Rendered) -> File {
        let mode = job.manifest.fileModes.mode(of: template.path)
        let (kind, bytes, secrets): (TreeEntry.Kind, [UInt8], [SecretReference]) =
            switch rendered {
            case .plain(let bytes): (template.isExecutable ? .executable : .file, bytes, [])
            case .sealed(let file): (.sealed, file.bytes, file.secrets)
            }
        // A program with secrets can be run by its owner, and by nobody else.
        let entry = TreeEntry(
            path: template.path, kind: kind, digest: Digest.of(bytes), size: bytes.count,
            mode: kind == .sealed && template.isExecutable ? 0o700 : nil)
        return File(
            template: template.file, entry: mode.map(entry.with) ?? entry, bytes: bytes, secrets: secrets)
    }

    /// The renderer as it was up to 0.3.0; nil if it gives the same files.
    var first: JobRenderer? {
        firstFacts.map { facts in
            var renderer = JobRenderer(
                job: job, facts: facts, firstFacts: nil, ids: ids, records: records, provided: provided, bucket: bucket,
                root: root)
            renderer.isFirst = true
            return renderer
        }
    }

    /// What `.` is: Maand's names.
    private func data(_ worker: Workspace.Worker, _ currentVersion: String) -> TemplateValue {
        let ofWorker: [String: TemplateValue] = [
            "WorkerIP": .text(worker.name.text),
            "WorkerID": .text(ids[worker.name] ?? Facts.stableID(of: worker.name.text)),
            "Labels": .texts((isFirst ? worker.spelledLabels : worker.labels).sorted()), "BucketID": .text(bucket),
            "UpdateSeq": .refused(Self.updateSequence),
        ]
        return .fields(
            [
                "AllocationID": .text(Facts.allocationID(AllocationID(job: job.name, worker: worker.name))),
                "Job": .text(job.name.text), "CurrentVersion": .text(currentVersion),
                "NewVersion": .text((job.manifest.version ?? Version.none).text), "BucketPath": .text(root),
                "JobPath": .text("\(root)/jobs/\(job.name)"), "WorkerData": .fields(ofWorker),
            ].merging(ofWorker) { own, _ in own })
    }

    /// Maand counts deploys.
    private static let updateSequence = TemplateRefusal(
        "`.UpdateSeq` would change the file at every deploy, and there is no such number here",
        note: "`.NewVersion` changes with the job; take `.UpdateSeq` out of the template")
}

/// What the templates of one allocation may ask for. One task uses it.
private final class AllocationValues: TemplateValues {
    private let renderer: JobRenderer
    private let allocation: AllocationID
    /// By the texts of the namespaces: a loop may ask for thousands of keys of one.
    private var known: [String: [String: String]] = [:]

    init(renderer: JobRenderer, allocation: AllocationID) {
        self.renderer = renderer
        self.allocation = allocation
    }

    var allocationNamespace: String { KVNamespace.allocation(allocation).text }
    var workerNamespace: String { KVNamespace.worker(allocation.worker).text }
    func namespace(ofJob job: String?) -> String { "maand/job/\(job ?? allocation.job.text)" }

    func value(_ text: String, _ key: String) throws(TemplateRefusal) -> TemplateValue? {
        if let file = try certificate(behind: key, of: try namespace(text)) { return .secret(.secret(file)) }
        if case .secrets(let job) = try namespace(text) {
            return try reference(SecretName(job: job, key: key)).map { .secret(.secret($0)) }
        }
        return try values(text)[key].map { .text($0) }
    }

    func setter(of key: String, in namespace: String) -> String? {
        KVNamespace(namespace).flatMap { KeySetter.text(of: key, in: $0, askedBy: renderer.job) }
    }

    /// A file of certificates that Maand has among its keys.
    ///
    /// - Throws: `TemplateRefusal` if it is named as one, and is none of the job's.
    private func certificate(
        behind key: String, of namespace: KVNamespace
    ) throws(TemplateRefusal) -> SecretReference? {
        guard key.hasPrefix("\(CertificateFile.folder)/") else { return nil }
        guard let name = renderer.facts.certificate(behind: key, of: namespace, for: allocation.job) else {
            let job = renderer.facts.job(allocation.job)
            let known = ((job?.certificates ?? []) + (job?.sharedCertificates ?? [])).flatMap { name in
                CertificateFile.Part.allCases.map { CertificateFile(name: name, worker: nil, part: $0).path }
            }
            throw TemplateRefusal(
                "\(key) of \(namespace) is no certificate of the job",
                note: Suggestion.nearest(to: key, among: known).map { "did you mean `\($0)`?" }
                    ?? "`certs` in its manifest asks for certificates")
        }
        if let fingerprint = renderer.records[name.job]?.certificateFiles[name.key] {
            return SecretReference(name: name, fingerprint: fingerprint)
        }
        if name.key == CertificateFile.authorities.key, !renderer.job.hasAuthorities {
            throw TemplateRefusal(
                "the job has no \(key)",
                note: "with `\"ca\": true` in its manifest it gets the authorities' certificates")
        }
        throw TemplateRefusal(
            "the certificate \(name) is missing",
            note: "`maand-plan certs issue` makes it, and so does `maand-plan deploy --issue-certs`")
    }

    func keys(_ text: String) throws(TemplateRefusal) -> [String] {
        var keys: [String]
        if case .secrets(let job) = try namespace(text) {
            let record = renderer.records[job] ?? JobRecord()
            let provided = renderer.provided.secrets(of: job).map(\.name.key)
            keys = Array(Set(record.secrets.keys).union(record.unknownSecrets).union(provided))
        } else {
            keys = Array(try values(text).keys)
        }
        keys.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return keys
    }

    func secret(_ key: String) throws(TemplateRefusal) -> SecretReference {
        let name = SecretName(job: allocation.job, key: key)
        if let reference = try reference(name) { return reference }
        let known = renderer.records[name.job]?.secrets.keys.sorted() ?? []
        let nearest = Suggestion.nearest(to: key, among: known).map { "did you mean `\($0)`? Or " } ?? ""
        throw TemplateRefusal(
            "there is no secret \(name)",
            note: nearest + (setter(of: key, in: name.namespace.text) ?? ""))
    }

    /// - Returns: nil if there is no such secret.
    private func reference(_ name: SecretName) throws(TemplateRefusal) -> SecretReference? {
        let record = renderer.records[name.job] ?? JobRecord()
        if let provider = renderer.provided.provider(of: name) {
            guard let fingerprint = record.provided[name.key] else {
                throw TemplateRefusal(
                    "nobody has asked for the secret \(name) yet, which \(provider) gives",
                    note: "`maand-plan prepare` asks, and records the fingerprint of the value")
            }
            return SecretReference(name: name, fingerprint: fingerprint)
        }
        if record.unknownSecrets.contains(name.key) {
            throw TemplateRefusal(
                "an earlier release has stored the secret \(name), and no fingerprint of its value is known",
                note:
                    "`maand-plan prepare` finds it out where the bucket's key is, and so does putting the secret again")
        }
        return record.secrets[name.key].map { SecretReference(name: name, fingerprint: $0) }
    }

    private func values(_ text: String) throws(TemplateRefusal) -> [String: String] {
        if let values = known[text] { return values }
        let values = try read(text)
        known[text] = values
        return values
    }

    private func namespace(_ text: String) throws(TemplateRefusal) -> KVNamespace {
        guard let namespace = KVNamespace(text), renderer.facts.isReadable(namespace, by: allocation) else {
            throw TemplateRefusal(
                "\(text) is not a namespace that the job \(allocation.job) may read",
                note: "of other jobs only those that its commands demand")
        }
        return namespace
    }

    private func read(_ text: String) throws(TemplateRefusal) -> [String: String] {
        let facts = renderer.facts
        let namespace = try namespace(text)
        switch namespace {
        // Their values are not known here.
        case .secrets, .certificates: return [:]
        case .variables(let job): return variables(of: job)
        case .job(let name):
            guard let job = facts.job(name), var values = facts.values(in: namespace, bucket: renderer.bucket) else {
                return [:]
            }
            let order = facts.rolloutOrder(of: job, chosen: variables(of: name)[KeyValue.rolloutOrder])
            values[KeyValue.rolloutOrder] = order.map(\.text).joined(separator: ",")
            return values
        case .bucket, .workers, .worker, .tags, .allocation, .bucketVariables, .bucketJobVariables:
            return facts.values(in: namespace, bucket: renderer.bucket) ?? [:]
        }
    }

    /// What stands with the job's code comes before what is stored.
    private func variables(of job: JobName) -> [String: String] {
        (renderer.records[job]?.variables ?? [:]).merging(renderer.facts.job(job)?.variables ?? [:]) { $1 }
    }
}
