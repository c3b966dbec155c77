internal import JobFiles
public import Model
public import Plans

/// A certificate that a job's manifest asks for.
public struct CertificateNeed: Equatable, Sendable {
    public let job: JobName
    public let name: String
    /// Nil for one that all workers of the job have.
    public let worker: WorkerName?
    public let commonName: String
    /// Host names and addresses that it has to have, each once.
    public let names: [String]
    public let isPKCS8: Bool

    /// The file of the certificate, or of its key.
    public func file(_ part: CertificateFile.Part) -> CertificateFile {
        CertificateFile(name: name, worker: worker, part: part)
    }

    /// For messages.
    public var description: String { worker.map { "\(name) for \($0)" } ?? name }

    /// What is recorded of it; nil if it was never made.
    public func certificate(in record: JobRecord) -> JobCertificate? { record.certificates[file(.certificate)] }

    /// Why what is recorded does not do, as the end of a sentence about the certificate; nil if it does.
    ///
    /// More names than are needed do: a worker that leaves changes no certificate.
    public func problem(_ record: JobRecord, _ authorities: [CertificateAuthority]) -> String? {
        guard let known = certificate(in: record),
            CertificateFile.Part.allCases.allSatisfy({ record.certificateFiles[file($0).key] != nil })
        else { return "is missing" }
        if known.commonName != commonName { return "has another common name than the manifest" }
        if known.isPKCS8 != isPKCS8 { return "has its key in another form than the manifest says" }
        if let lacking = names.first(where: { !known.names.contains($0) }) { return "is not for \(lacking)" }
        if !authorities.contains(where: { $0.fingerprint == known.authority }) {
            return "is of an authority that is trusted no more"
        }
        return nil
    }
}

extension CertificateNeed {
    /// One that no manifest asks for any more, and that an earlier release of the job has.
    public init(kept certificate: JobCertificate) {
        job = certificate.job
        name = certificate.name
        worker = certificate.worker
        commonName = certificate.commonName
        names = certificate.names
        isPKCS8 = certificate.isPKCS8
    }
}

extension Workspace {
    /// The certificates that allocations need, disabled ones too, so that they can be enabled at any time.
    ///
    /// - Parameter jobs: only of these; empty means all.
    public func certificates(of jobs: Set<JobName>) -> [CertificateNeed] {
        self.jobs.filter { (jobs.isEmpty || jobs.contains($0.name)) && !$0.manifest.certificates.isEmpty }.flatMap {
            job in
            job.certificates(job.allocations.map { workers[$0.worker] })
        }
    }

    /// The names of all workers, in the order of `workers.json`.
    public var workerNames: [WorkerName] { workers.map(\.name) }

    /// Workers on which a job has an allocation that is not disabled.
    public func activeWorkers(of job: JobName) -> [WorkerName] {
        let allocations = jobs.first { $0.name == job }?.allocations ?? []
        return allocations.filter { !$0.isDisabled }.map { workers[$0.worker].name }
    }

    /// Where the manifests of jobs are, for messages.
    public var folderOfJobs: String { "\(folder)/jobs" }

    /// Jobs that have a file of the authorities, sorted.
    public var jobsWithAuthorities: [JobName] { jobs.filter(\.hasAuthorities).map(\.name) }
}

extension Workspace.Job {
    /// Whether allocations of the job have the authorities' certificates.
    var hasAuthorities: Bool { manifest.wantsAuthorities || !manifest.certificates.isEmpty }

    func certificates(_ workers: [Workspace.Worker]) -> [CertificateNeed] {
        manifest.certificates.flatMap { request in
            let all: [(worker: WorkerName?, hosts: [Workspace.Worker])] =
                request.isOne
                ? (workers.isEmpty ? [] : [(nil, workers)]) : workers.map { ($0.name, [$0]) }
            return all.map { worker, hosts in
                CertificateNeed(
                    job: name, name: request.name, worker: worker, commonName: request.commonName,
                    names: Self.names(request, hosts), isPKCS8: request.isPKCS8)
            }
        }
    }

    /// Maand has 127.0.0.1 and the workers' addresses; a name where a worker has one. What clients look at are these names
    /// alone, so the common name is one of them where it can be.
    private static func names(_ request: Manifest.CertificateRequest, _ hosts: [Workspace.Worker]) -> [String] {
        var names = ["localhost", "127.0.0.1"]
        names += [request.commonName] + request.names
        for host in hosts { names += [host.name.text, host.address] + [host.hostname].compactMap(\.self) }
        var seen = Set<String>()
        return names.filter { HostText($0) != nil && seen.insert($0).inserted }
    }
}

extension Planner {
    /// Makes sure that allocations which are planned have their certificates.
    ///
    /// - Throws: `PlanningError.certificatesMissing`; if more is missing, `InputFailure` with all of it, since somebody has to
    ///   get all of it.
    static func checkCertificates(
        _ workspace: Workspace, _ catalog: CatalogSnapshot, _ choice: WorkerChoice, _ options: Plan.Options,
        _ isSelected: (JobName) -> Bool, _ templates: inout TemplateInput
    ) throws {
        let missing = missingCertificates(workspace, catalog, choice, isSelected)
        if missing.isEmpty { return }
        var failures = TemplateFailures()
        for job in workspace.jobs where isSelected(job.name) {
            guard var renderer = templates.renderer(of: job) else { continue }
            renderer.ignoresCertificates = true
            renderer.addProblems(to: &failures, workspace, catalog, options)
        }
        try failures.check(and: missing, workspace)
        throw PlanningError.certificatesMissing(missing)
    }

    /// Which certificates allocations that are planned do not have.
    private static func missingCertificates(
        _ workspace: Workspace, _ catalog: CatalogSnapshot, _ choice: WorkerChoice, _ isSelected: (JobName) -> Bool
    ) -> [PlanningError.MissingCertificates] {
        var missing: [PlanningError.MissingCertificates] = []
        for job in workspace.jobs where isSelected(job.name) && job.hasAuthorities {
            let record = catalog.jobs[job.name] ?? JobRecord()
            let workers = job.allocations.filter { !$0.isDisabled }.map { workspace.workers[$0.worker] }
            guard workers.contains(where: { choice.contains($0.name) }) else { continue }
            var problems = job.certificates(workers).filter { $0.worker.map(choice.contains) ?? true }.compactMap {
                need in
                need.problem(record, catalog.authorities).map { "the certificate \(need.description) \($0)" }
            }
            if problems.isEmpty, record.certificateFiles[CertificateFile.authorities.key] == nil {
                problems = ["the authority's certificate is missing"]
            }
            if !problems.isEmpty { missing.append(.init(job: job.name, problems: problems)) }
        }
        return missing
    }

    /// Makes sure that what goes back to an earlier release is trusted with the certificates of that.
    ///
    /// - Throws: `PlanningError.certificatesMissing`.
    static func checkTrust(of waves: [Plan.Wave], _ catalog: CatalogSnapshot) throws(PlanningError) {
        var missing: [PlanningError.MissingCertificates] = []
        for job in waves.lazy.flatMap(\.jobs) where !job.certificates.isEmpty {
            let record = catalog.jobs[job.job] ?? JobRecord()
            let sent = Set(job.certificates.map(\.fingerprint))
            let kept = record.certificates.values.filter { sent.contains($0.fingerprint) }
                .sorted { $0.file.key < $1.file.key }
            let problems = kept.map { CertificateNeed(kept: $0) }.compactMap { need in
                need.problem(record, catalog.authorities).map {
                    "the certificate \(need.description) of before \($0) (if the manifest does not ask for it any more, put "
                        + "its entry back first)"
                }
            }
            if !problems.isEmpty { missing.append(.init(job: job.job, problems: problems)) }
        }
        if !missing.isEmpty { throw .certificatesMissing(missing) }
    }
}
