import Catalog
import Certificates
import Commands
import Foundation
import KeyValues
import Model
import Planner
import Plans
import ThisHost
import UseCases
import Windows
import Workers
import YAML

/// Makes certificates of jobs and the bucket's authorities, and keeps them in the catalog, encrypted. Nothing of it reaches a
/// worker: a deploy brings them there.
struct CertificateMaking {
    let bucket: BucketOptions
    let configuration: BucketConfiguration
    let workspace: Workspace
    private let now = Clock.system.now()

    init(_ bucket: BucketOptions) throws {
        self.bucket = bucket
        configuration = try bucket.configuration()
        workspace = try Workspace.read(bucket.path("workspace"), configuration)
    }

    /// Which certificates get a new one although they are there, and are what the manifest says.
    enum Renewal {
        case none
        /// Those that end soon, and those of an authority that signs no more.
        case due
        case all
    }

    /// Makes what is missing, and the bucket's first authority.
    ///
    /// - Parameter jobs: only for these; empty means all.
    func run(_ jobs: [JobName], _ renewal: Renewal) async throws {
        try checkNames(jobs)
        let selected = Set(jobs)
        let asked = workspace.certificates(of: selected)
        let readers = workspace.jobsWithAuthorities.filter { selected.isEmpty || selected.contains($0) }
        let known = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)
        if readers.isEmpty, try known?.storedAuthorities().isEmpty != false {
            return printNotice(
                "No certificates are needed: no job\(jobs.isEmpty ? "" : " of these") has `certs` or `ca` in its manifest."
            )
        }
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let vault = try Vault.openOrCreate(in: bucket.folder, for: catalog)
        let snapshot = try catalog.snapshot()
        let needs = asked + (try kept(asked, selected, snapshot, catalog))
        var change = Catalog.CertificateChange()
        var stored = try catalog.storedAuthorities()
        if stored.isEmpty {
            stored = [try newAuthority(.signing, vault)]
            change.authorities = stored
        }
        let signing = try Self.signing(stored, at: now)
        let due = needs.filter { isDue($0, snapshot, stored.map(\.authority), signing.authority, renewal) }
        try await add(due, signing, vault, to: &change)
        try addAuthorities(stored, for: readers, snapshot, vault, to: &change)
        try keep(change, catalog)
        if change.files.isEmpty {
            printNotice(
                renewal == .none
                    ? "All certificates are there, as the manifests say." : "No certificate is missing or due.")
        }
    }

    /// Certificates that no manifest asks for any more, and that are in files to which allocations can go back.
    private func kept(
        _ asked: [CertificateNeed], _ jobs: Set<JobName>, _ snapshot: CatalogSnapshot, _ catalog: Catalog
    ) throws -> [CertificateNeed] {
        let known = Set(asked.map { $0.file(.key).secret(of: $0.job) })
        let others = snapshot.jobs.filter { jobs.isEmpty || jobs.contains($0.key) }.flatMap(\.value.certificates.values)
            .map { CertificateNeed(kept: $0) }.filter { !known.contains($0.file(.key).secret(of: $0.job)) }
        if others.isEmpty { return [] }
        let contents = snapshot.allocations.values.flatMap { [$0.promoted, $0.unfinished] }.compactMap { $0?.content }
        let store = ContentStore(in: bucket.folder)
        let used = Set(
            try catalog.previousContents().union(contents).flatMap { content in
                (DeployedCertificates.references(content, store) ?? []).map(\.name)
            })
        return others.filter { need in
            CertificateFile.Part.allCases.contains { used.contains(need.file($0).secret(of: need.job)) }
        }.sorted { ($0.job, $0.file(.key).key) < ($1.job, $1.file(.key).key) }
    }

    /// - Throws: `PlanningError.unknownJobs`.
    func checkNames(_ jobs: [JobName]) throws {
        let unknown = jobs.filter { !workspace.jobNames.contains($0) }
        if !unknown.isEmpty { throw PlanningError.unknownJobs(unknown, known: workspace.jobNames) }
    }

    // MARK: Certificates

    private func isDue(
        _ need: CertificateNeed, _ snapshot: CatalogSnapshot, _ authorities: [CertificateAuthority],
        _ signing: CertificateAuthority, _ renewal: Renewal
    ) -> Bool {
        let record = snapshot.jobs[need.job] ?? JobRecord()
        if need.problem(record, authorities) != nil { return true }
        guard let known = need.certificate(in: record) else { return true }
        switch renewal {
        case .none: return false
        case .due:
            return known.authority != signing.fingerprint || configuration.endsSoon(known, signing, at: now)
        case .all: return true
        }
    }

    private func add(
        _ needs: [CertificateNeed], _ signing: StoredAuthority, _ vault: Vault,
        to change: inout Catalog.CertificateChange
    ) async throws {
        if needs.isEmpty { return }
        if needs.count > 50 { printNotice("\(needs.count) keys are being made.") }
        let key = try vault.open(signing.sealedKey, for: .authority(signing.authority.fingerprint))
        let authority = try SigningAuthority(certificate: signing.certificate, key: key)
        let (now, days) = (now, configuration.certificateDays)
        // To make keys takes a processor and nothing else.
        let pairs = await needs.sideBySide(width: ProcessInfo.processInfo.activeProcessorCount) { need in
            Result { () throws(CertificateProblem) in
                try authority.issue(
                    .init(commonName: need.commonName, names: need.names, isPKCS8: need.isPKCS8), from: now, days: days)
            }
        }
        for (need, pair) in zip(needs, pairs) {
            let pair = try pair.get()
            change.certificates.append(
                JobCertificate(
                    job: need.job, name: need.name, worker: need.worker, commonName: need.commonName,
                    names: need.names, isPKCS8: need.isPKCS8, endsAt: pair.endsAt, fingerprint: pair.fingerprint,
                    authority: signing.authority.fingerprint))
            for part in CertificateFile.Part.allCases {
                let text =
                    switch part {
                    case .certificate: pair.certificate
                    case .key: pair.key
                    }
                change.files.append(try vault.file(need.file(part), of: need.job, text))
            }
        }
    }

    /// Writes down what is new.
    private func keep(_ change: Catalog.CertificateChange, _ catalog: Catalog) throws {
        if change.files.isEmpty, change.authorities == nil { return }
        try checkRun(Set(change.files.compactMap { SecretName($0.namespace, $0.key)?.job }), catalog)
        try catalog.record(change, at: now, by: ControlHost.who)
        for authority in change.authorities ?? [] where authority.authority.role != .former {
            let text = authority.authority.description
            printNotice(authority.authority.role == .signing ? "Signs: \(text)" : "Is trusted, too: \(text)")
        }
        for certificate in change.certificates.prefix(20) {
            let name = certificate.worker.map { "\(certificate.name) for \($0)" } ?? certificate.name
            printNotice("  \(certificate.job): \(name), valid until \(certificate.endsAt.utcText)")
        }
        if change.certificates.count > 20 { printNotice("  and \(change.certificates.count - 20) others") }
        if !change.files.isEmpty { printNotice("A deploy brings the new files to the workers.") }
    }

    /// A run that has begun sends the files of when its plan was made.
    private func checkRun(_ jobs: Set<JobName>, _ catalog: Catalog) throws {
        guard let run = try catalog.unfinishedRun() else { return }
        let plan = try ContentStore(in: bucket.folder).plan(of: run)
        let planned = (plan.waves + (plan.wayBack?.waves ?? [])).flatMap(\.jobs)
        let sent = Set(planned.filter { !$0.certificates.isEmpty }.map(\.job))
        guard let job = sent.intersection(jobs).sorted().first else { return }
        throw Failure(
            .tryLater, code: .unfinishedRun, "run \(run.id) is not over, and sends certificates of the job \(job)",
            "let it end (maand-apply run:\(run.id)), or give it up: maand-apply abandon \(run.id) --reason '...'")
    }

    // MARK: Authorities

    /// How long an authority is valid: as long as Maand's.
    private static let authorityDays = 3650

    private func newAuthority(_ role: CertificateAuthority.Role, _ vault: Vault) throws -> StoredAuthority {
        // Two authorities of one name could not be told apart by a certificate's chain.
        let name = "\(configuration.bucketID.prefix(40)) \(now.utcText)"
        let pair = try SigningAuthority.make(named: name, from: now, days: Self.authorityDays)
        return StoredAuthority(
            .init(fingerprint: pair.fingerprint, commonName: name, endsAt: pair.endsAt, role: role),
            certificate: pair.certificate, sealedKey: try vault.seal(pair.key, for: .authority(pair.fingerprint)))
    }

    /// - Throws: `Failure` if the authority is over.
    private static func signing(_ stored: [StoredAuthority], at now: Timestamp) throws -> StoredAuthority {
        guard let signing = stored.first(where: { $0.authority.role == .signing }) else {
            throw Failure(.failed, code: .catalogDamaged, "the catalog has authorities, and none that signs")
        }
        guard signing.authority.endsAt > now else {
            throw Failure(ended: signing.authority, of: stored.map(\.authority))
        }
        return signing
    }

    /// The file of the authorities, where a job has another one.
    private func addAuthorities(
        _ stored: [StoredAuthority], for jobs: [JobName], _ snapshot: CatalogSnapshot, _ vault: Vault,
        to change: inout Catalog.CertificateChange
    ) throws {
        // Maand's ends without a line feed, and stays as it is as long as it is alone.
        let texts = stored.sorted { $0.authority < $1.authority }.map(\.certificate)
        let text = texts.count == 1 ? texts[0] : texts.map { $0.last == "\n" ? $0 : $0 + "\n" }.joined()
        for job in jobs {
            let name = CertificateFile.authorities.secret(of: job)
            if try vault.fingerprint(of: text, name) == snapshot.fingerprint(of: name) { continue }
            change.files.append(try vault.file(.authorities, of: job, text))
        }
    }

    /// A step of the replacement of the authority.
    enum Replacement {
        /// Another one is made, and trusted.
        case new
        /// It signs from now on.
        case use
        /// The earlier one is trusted no more.
        case drop
    }

    /// Takes a step, if what the one before has changed is on all workers.
    func replaceAuthority(_ step: Replacement) async throws {
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        guard let catalog = try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID) else {
            throw Self.none
        }
        var stored = try catalog.storedAuthorities()
        guard !stored.isEmpty else { throw Self.none }
        let writable = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let vault = try Vault.openOrCreate(in: bucket.folder, for: writable)
        let snapshot = try writable.snapshot()
        let deployed = DeployedCertificates(snapshot, ContentStore(in: bucket.folder))
        switch step {
        case .new: stored = try withNew(stored, vault)
        case .use:
            try Self.require(.next, in: stored, "there is no new authority", "`maand-plan certs ca new` makes one")
            // Nobody trusts one that is over, so there is nothing to wait for.
            let isOver = stored.contains { $0.authority.role == .signing && $0.authority.endsAt <= now }
            if !isOver { try deployed.requireAuthorities() }
            stored = stored.map { $0.with($0.authority.role == .next ? .signing : .former) }
        case .drop:
            try Self.require(
                .former, in: stored, "no authority is to be dropped",
                "`maand-plan certs ca new` begins the replacement of one, and `ca use` goes on with it")
            for former in stored where former.authority.role == .former && former.authority.endsAt > now {
                try deployed.requireNone(of: former, writable, vault)
            }
            stored.removeAll { $0.authority.role == .former }
        }
        var change = Catalog.CertificateChange()
        change.authorities = stored
        // Jobs that have left the workspace may come back.
        let known = snapshot.jobs.filter { $0.value.certificateFiles[CertificateFile.authorities.key] != nil }.keys
        let readers = Set(workspace.jobsWithAuthorities).union(known).sorted()
        try addAuthorities(stored, for: readers, snapshot, vault, to: &change)
        try keep(change, writable)
        // One that signs at once has no second step.
        let isOver = step == .new && !stored.contains { $0.authority.role == .next }
        printNotice(isOver ? "Then: maand-plan deploy --issue-certs" : step.next)
    }

    private static var none: Failure {
        Failure(
            .invalidInput, "the bucket has no certificate authority", "`maand-plan certs issue` makes the first one")
    }

    private static func require(
        _ role: CertificateAuthority.Role, in stored: [StoredAuthority], _ problem: String, _ note: String
    ) throws {
        if !stored.contains(where: { $0.authority.role == role }) { throw Failure(.invalidInput, problem, note) }
    }

    private func withNew(_ stored: [StoredAuthority], _ vault: Vault) throws -> [StoredAuthority] {
        // Nobody trusts one that is over, so there is nothing to wait for.
        if stored.allSatisfy({ $0.authority.endsAt <= now }) { return [try newAuthority(.signing, vault)] }
        if let other = stored.first(where: { $0.authority.role != .signing }) {
            throw Failure(
                .invalidInput, "an authority is being replaced already: \(other.authority.description)",
                other.authority.role == .next
                    ? "go on with `maand-plan certs ca use`" : "end that with `maand-plan certs ca drop`")
        }
        return stored + [try newAuthority(.next, vault)]
    }
}

extension CertificateMaking.Replacement {
    /// What to do now.
    fileprivate var next: String {
        switch self {
        case .new: "Then: deploy, so that all services trust it, and `maand-plan certs ca use`."
        case .use: "Then: `maand-plan certs renew`, deploy, and `maand-plan certs ca drop`."
        case .drop: "Then: deploy, so that services trust the earlier one no more."
        }
    }
}

extension StoredAuthority {
    fileprivate func with(_ role: CertificateAuthority.Role) -> StoredAuthority {
        var authority = authority
        authority.role = role
        return StoredAuthority(authority, certificate: certificate, sealedKey: sealedKey)
    }
}

extension CertificateAuthority {
    /// For messages.
    var description: String { "\(commonName), valid until \(endsAt.utcText), SHA-256 \(fingerprint.hex.prefix(16))" }
}

extension Failure {
    /// The authority that signs is over.
    init(ended signing: CertificateAuthority, of all: [CertificateAuthority]) {
        self.init(
            .invalidInput, code: .certificateEnded,
            "the certificate authority \(signing.description) is over, and so are its certificates",
            all.contains { $0.role == .next }
                ? "`maand-plan certs ca use` lets the new one sign" : "`maand-plan certs ca new` makes another one")
    }
}

extension Vault {
    /// What the catalog is told to keep a file of certificates.
    func file(_ file: CertificateFile, of job: JobName, _ text: String) throws -> KeyValueWrite {
        KeyValueWrite(
            .certificates(job), file.key, try write(text, to: file.secret(of: job)))
    }
}

extension BucketConfiguration {
    /// Whether a certificate is near its end or over, and another one would end later.
    func endsSoon(_ certificate: JobCertificate, _ signing: CertificateAuthority?, at now: Timestamp) -> Bool {
        // None outlives its authority.
        certificate.endsAt.isWithin(hours: renewalHours, of: now)
            && signing.map { certificate.endsAt < $0.endsAt } != false
    }
}

extension Timestamp {
    /// Whether it is at most so far ahead.
    func isWithin(hours: Int, of now: Timestamp) -> Bool {
        milliseconds - now.milliseconds <= Int64(hours) * 3_600_000
    }

    /// Whole days from now on.
    func days(from now: Timestamp) -> Int { Int((milliseconds - now.milliseconds) / 86_400_000) }
}
