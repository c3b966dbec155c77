import Catalog
import Commands
import Model
import Planner
import Plans
import Windows
import YAML

/// What there is of certificates, and of which state.
struct CertificateList {
    private let workspace: Workspace
    private let snapshot: CatalogSnapshot
    private let configuration: BucketConfiguration
    private let deployed: DeployedCertificates
    private let now: Timestamp

    init(
        _ workspace: Workspace, _ snapshot: CatalogSnapshot, _ configuration: BucketConfiguration,
        _ store: ContentStore, at now: Timestamp
    ) {
        self.workspace = workspace
        self.snapshot = snapshot
        self.configuration = configuration
        self.now = now
        deployed = DeployedCertificates(snapshot, store)
    }

    /// How a certificate is; Maand's words, and `missing`.
    enum Status: String {
        case ok, expiring, expired, missing, outdated
    }

    struct Row {
        var scope: String
        var job: JobName?
        var worker: WorkerName?
        var name: String
        var commonName: String
        var endsAt: Timestamp?
        var daysLeft: Int?
        var status: Status
        /// Why it is outdated.
        var problem: String?
        /// Whether all of its workers have it; nil for an authority, and if that is not known.
        var isDeployed: Bool?
        var fingerprint: Digest?
    }

    /// Authorities first, then certificates by job, name and worker.
    ///
    /// - Parameters:
    ///   - jobs: only of these; empty means all.
    ///   - workers: only for these, and those that are for all of a job; empty means all.
    func rows(of jobs: Set<JobName>, on workers: Set<String>) -> [Row] {
        let authorities = snapshot.authorities.map { authority in
            Row(
                scope: "ca", name: authority.role.rawValue, commonName: authority.commonName, endsAt: authority.endsAt,
                daysLeft: authority.endsAt.days(from: now), status: status(authority.endsAt, Self.authorityDays * 24),
                fingerprint: authority.fingerprint)
        }
        let needs = workspace.certificates(of: jobs).filter { need in
            workers.isEmpty || need.worker.map { workers.contains($0.text) } ?? true
        }
        return authorities + needs.map(row)
    }

    /// Days before its end from which on an authority should be replaced.
    static let authorityDays = 90

    private func row(_ need: CertificateNeed) -> Row {
        let record = snapshot.jobs[need.job] ?? JobRecord()
        var row = Row(
            scope: "job", job: need.job, worker: need.worker, name: need.name, commonName: need.commonName,
            status: .missing)
        guard let known = need.certificate(in: record) else { return row }
        row.endsAt = known.endsAt
        row.daysLeft = known.endsAt.days(from: now)
        row.fingerprint = known.fingerprint
        row.problem = need.problem(record, snapshot.authorities)
        if row.problem == nil, let signing = snapshot.signingAuthority, known.authority != signing.fingerprint {
            row.problem = "is of an authority that signs no more"
        }
        row.status = row.problem == nil ? status(known.endsAt, configuration.renewalHours) : .outdated
        let states = (need.worker.map { [$0] } ?? workspace.activeWorkers(of: need.job)).map {
            deployed.has(need.file(.certificate), AllocationID(job: need.job, worker: $0))
        }
        row.isDeployed = states.isEmpty || states.contains(false) ? false : states.contains(nil) ? nil : true
        return row
    }

    /// - Parameter soon: hours.
    private func status(_ end: Timestamp, _ soon: Int) -> Status {
        if end <= now { return .expired }
        return end.isWithin(hours: soon, of: now) ? .expiring : .ok
    }
}

extension CertificateList.Row {
    var cells: [String] {
        [
            scope, job?.text ?? "-", worker?.text ?? "-", name, commonName.isEmpty ? "-" : commonName,
            endsAt?.utcText ?? "-", daysLeft.map(String.init) ?? "-",
            status.rawValue + (problem.map { ": it \($0)" } ?? ""), isDeployed.map { $0 ? "yes" : "no" } ?? "-",
        ]
    }

    var json: JSON {
        .object([
            ("scope", .string(scope)), ("job", .optional(job?.text)), ("worker", .optional(worker?.text)),
            ("certificate", .string(name)), ("common_name", .string(commonName)),
            ("not_after", .optional(endsAt?.utcText)), ("days_left", daysLeft.map(JSON.int) ?? .null),
            ("status", .string(status.rawValue)), ("problem", .optional(problem)),
            ("deployed", isDeployed.map(JSON.bool) ?? .null), ("fingerprint", .optional(fingerprint?.description)),
        ])
    }
}
