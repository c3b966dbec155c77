import Commands
import Model
import Planner
import Plans
import UseCases
import Windows
import YAML

/// Certificates that end: planning knows no clock, so it is looked at afterwards.
struct CertificateDates {
    let workspace: Workspace
    let snapshot: CatalogSnapshot
    let configuration: BucketConfiguration
    let now: Timestamp

    /// Warns of certificates and authorities that end soon.
    ///
    /// - Parameter jobs: those that are planned; empty means all.
    /// - Throws: `Failure` if one is over.
    func check(_ jobs: [JobName], _ warnings: inout [Diagnostic]) throws {
        let needs = workspace.certificates(of: Set(jobs))
        let known = needs.compactMap { need in
            snapshot.jobs[need.job].flatMap { need.certificate(in: $0) }.map { (need: need, certificate: $0) }
        }
        if known.isEmpty { return }
        try checkAuthority(&warnings)
        let ended = known.filter { $0.certificate.endsAt <= now }
        guard ended.isEmpty else {
            throw Failure(
                .invalidInput, code: .certificateEnded,
                "certificates are over: " + ended.map(Self.text).listed(first: 5),
                "`maand-plan certs renew` makes new ones, and so does `maand-plan deploy --issue-certs`")
        }
        let ending = known.filter { configuration.isDue($0.certificate.endsAt, at: now) }
        if ending.isEmpty { return }
        warnings.append(
            Diagnostic(
                .warning, file: workspace.folderOfJobs,
                message: "certificates end soon: " + ending.map(Self.text).listed(first: 5),
                note: "`maand-plan certs renew` makes new ones, and so does `maand-plan deploy --issue-certs`"))
    }

    private func checkAuthority(_ warnings: inout [Diagnostic]) throws {
        guard let signing = snapshot.authorities.first(where: { $0.role == .signing }) else { return }
        if signing.endsAt <= now {
            throw Failure(
                .invalidInput, code: .certificateEnded,
                "the certificate authority \(signing.description) is over, and so are its certificates",
                "`maand-plan certs ca new` makes another one")
        }
        let rest = (signing.endsAt.milliseconds - now.milliseconds) / 86_400_000
        if rest >= Int64(CertificateList.authorityDays) || snapshot.authorities.count > 1 { return }
        warnings.append(
            Diagnostic(
                .warning, file: workspace.folderOfJobs,
                message: "the certificate authority \(signing.description) ends in \(rest) days",
                note: "`maand-plan certs ca new` begins to replace it"))
    }

    private static func text(_ found: (need: CertificateNeed, certificate: JobCertificate)) -> String {
        "\(found.need.job): \(found.need.description), valid until \(found.certificate.endsAt.utcText)"
    }
}
