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

    /// Warns of certificates and authorities that end soon, or that are over and stay as they are.
    ///
    /// - Parameter jobs: those that are planned; empty means all.
    /// - Throws: `Failure` if the plan sends one that is over.
    func check(_ plan: Plan, of jobs: [JobName], _ warnings: inout [Diagnostic]) throws {
        let senders = (plan.waves + (plan.wayBack?.waves ?? [])).flatMap(\.jobs).filter { !$0.certificates.isEmpty }
        let readers = workspace.jobsWithAuthorities.filter { jobs.isEmpty || jobs.contains($0) }
        if readers.isEmpty, senders.isEmpty { return }
        try checkAuthority(isSent: !senders.isEmpty, &warnings)
        let ended = senders.flatMap { job in
            job.endedCertificates(at: now).map { "\(job.job): \($0.place), valid until \($0.endsAt.utcText)" }
        }
        guard ended.isEmpty else {
            throw Failure(
                .invalidInput, code: .certificateEnded, "certificates are over: \(ended.listed(first: 5))",
                Self.advice + ". One that its job's manifest does not ask for any more: put its entry back first")
        }
        let known = workspace.certificates(of: Set(jobs)).compactMap { need in
            snapshot.jobs[need.job].flatMap { need.certificate(in: $0) }.map { (need: need, certificate: $0) }
        }
        let over = known.filter { $0.certificate.endsAt <= now }
        let signing = snapshot.signingAuthority
        let ending = known.filter { _, certificate in
            certificate.endsAt > now && configuration.endsSoon(certificate, signing, at: now)
        }
        warn("certificates are over", over.map(Self.text), &warnings)
        warn("certificates end soon", ending.map(Self.text), &warnings)
    }

    private static let advice =
        "`maand-plan certs renew` makes new ones, and so does `maand-plan deploy --issue-certs`"

    private func warn(_ what: String, _ certificates: [String], _ warnings: inout [Diagnostic]) {
        if certificates.isEmpty { return }
        warnings.append(
            Diagnostic(
                .warning, file: workspace.folderOfJobs, message: "\(what): \(certificates.listed(first: 5))",
                note: Self.advice))
    }

    private func checkAuthority(isSent: Bool, _ warnings: inout [Diagnostic]) throws {
        guard let signing = snapshot.signingAuthority else { return }
        let rest = signing.endsAt.days(from: now)
        if signing.endsAt <= now {
            let failure = Failure(ended: signing, of: snapshot.authorities)
            if isSent { throw failure }
            warnings.append(
                Diagnostic(.warning, file: workspace.folderOfJobs, message: failure.message, note: failure.note))
        } else if rest < CertificateList.authorityDays {
            warnings.append(
                Diagnostic(
                    .warning, file: workspace.folderOfJobs,
                    message: "the certificate authority \(signing.description) ends in \(rest) days",
                    note: snapshot.authorities.contains { $0.role == .next }
                        ? "`maand-plan certs ca use` lets the new one sign, once it is deployed"
                        : snapshot.authorities.contains { $0.role == .former }
                            ? "end its predecessor with `maand-plan certs ca drop`, then `certs ca new` begins to replace it"
                            : "`maand-plan certs ca new` begins to replace it"))
        }
    }

    private static func text(_ found: (need: CertificateNeed, certificate: JobCertificate)) -> String {
        "\(found.need.job): \(found.need.description), valid until \(found.certificate.endsAt.utcText)"
    }
}
