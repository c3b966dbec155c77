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

    static func read(_ sources: [JobTemplate], folder: String, into findings: inout Findings) -> [ParsedTemplate] {
        sources.compactMap { source in
            let file = "\(folder)/\(source.path)\(JobTemplate.suffix)"
            do throws(TemplateProblem) {
                return ParsedTemplate(
                    file: file, path: source.path, isExecutable: source.isExecutable,
                    template: try Template(source.bytes))
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
        if job.templates.isEmpty { return nil }
        let facts = self.facts ?? Facts(workspace, ports: ports)
        self.facts = facts
        return JobRenderer(
            job: job, facts: facts, variables: catalog.jobs.mapValues(\.variables), bucket: configuration.bucketID,
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
    /// What `vars/job/<job>` has stored.
    let variables: [JobName: [String: String]]
    /// The bucket's id.
    let bucket: String
    /// The bucket's folder on workers.
    let root: String

    struct File {
        /// The template, for messages.
        var template: String
        var entry: TreeEntry
        var bytes: [UInt8]
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
                let bytes = try template.template.render(data, values: values)
                let entry = TreeEntry(
                    path: template.path, kind: template.isExecutable ? .executable : .file, digest: Digest.of(bytes),
                    size: bytes.count)
                files.append(File(template: template.file, entry: entry, bytes: bytes))
            } catch {
                let message = "\(error.message) (for worker \(worker.name))"
                findings.add(
                    InputFailure(
                        Diagnostic(file: template.file, mark: error.mark, message: message, note: error.note)))
            }
        }
        try findings.check()
        return files
    }

    /// What `.` is: Maand's names.
    private func data(_ worker: Workspace.Worker, _ currentVersion: String) -> TemplateValue {
        .fields([
            "AllocationID": .text(Facts.allocationID(AllocationID(job: job.name, worker: worker.name))),
            "Job": .text(job.name.text), "CurrentVersion": .text(currentVersion),
            "NewVersion": .text((job.manifest.version ?? Version.none).text), "WorkerIP": .text(worker.name.text),
            "WorkerID": .text(Facts.stableID(of: worker.name.text)),
            "Labels": .list(worker.labels.sorted().map { .text($0) }), "BucketPath": .text(root),
            "JobPath": .text("\(root)/jobs/\(job.name)"),
        ])
    }
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

    func value(_ text: String, _ key: String) throws(TemplateRefusal) -> String? { try values(text)[key] }

    func keys(_ text: String) throws(TemplateRefusal) -> [String] {
        try values(text).keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    func secret(_ key: String) throws(TemplateRefusal) -> String {
        throw Self.noSecrets(KVNamespace.secrets(allocation.job))
    }

    private func values(_ text: String) throws(TemplateRefusal) -> [String: String] {
        if let values = known[text] { return values }
        let values = try read(text)
        known[text] = values
        return values
    }

    private func read(_ text: String) throws(TemplateRefusal) -> [String: String] {
        let facts = renderer.facts
        guard let namespace = KVNamespace(text), facts.isReadable(namespace, by: allocation) else {
            throw TemplateRefusal(
                "\(text) is not a namespace that the job \(allocation.job) may read",
                note: "of other jobs only those that its commands demand")
        }
        switch namespace {
        case .secrets: throw Self.noSecrets(namespace)
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
        (renderer.variables[job] ?? [:]).merging(renderer.facts.job(job)?.variables ?? [:]) { $1 }
    }

    /// A rendered file lies in the store, and its digest in the plan: both would give a secret away.
    private static func noSecrets(_ namespace: KVNamespace) -> TemplateRefusal {
        TemplateRefusal(
            "\(namespace): this release puts no secrets into templates",
            note: "let a hook of the job, such as after_allocation_started, bring the secret to the worker")
    }
}
