internal import JobFiles
internal import Model
internal import Plans
internal import Templates
internal import YAML

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
    /// Certificates that are missing are no problem: they are reported otherwise.
    var ignoresCertificates = false
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
        let values = values(for: worker)
        let data = data(worker, currentVersion)
        var files: [File] = []
        do throws(TemplateProblem) {
            for template in job.templates {
                files.append(file(template, try template.template.render(data, values: values)))
            }
        } catch {
            var failures = TemplateFailures()
            failures.add(problems(for: worker, currentVersion: currentVersion), worker.name)
            try failures.check()
        }
        return files + certificates(for: worker)
    }

    /// What keeps the templates from being rendered for one allocation, each with its file.
    func problems(
        for worker: Workspace.Worker, currentVersion: String
    ) -> [(file: String, problem: TemplateProblem)] {
        let values = values(for: worker)
        let data = data(worker, currentVersion)
        return job.templates.flatMap { template in
            template.template.problems(data, values: values).map { (template.file, $0) }
        }
    }

    /// Whether a template becomes another file when another version runs.
    func differs(_ template: ParsedTemplate, for worker: Workspace.Worker, when old: String, and new: String) -> Bool {
        let values = values(for: worker)
        func rendered(_ version: String) -> Template.Rendered? {
            try? template.template.render(data(worker, version), values: values)
        }
        return rendered(old) != rendered(new)
    }

    private func values(for worker: Workspace.Worker) -> AllocationValues {
        AllocationValues(renderer: self, allocation: AllocationID(job: job.name, worker: worker.name))
    }

    /// The same, with a file of nothing in the place of each that cannot be rendered.
    func filesAsFarAsPossible(for worker: Workspace.Worker, currentVersion: String) -> [File] {
        let values = values(for: worker)
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
