import Catalog
import Certificates
import Commands
import KeyValues
import Model
import Plans
import Templates
import UseCases

/// Which certificates the files have that run on workers.
struct DeployedCertificates {
    private let snapshot: CatalogSnapshot
    /// Files of certificates with the fingerprints that they have there, by allocation.
    private var found: [AllocationID: [SecretReference]] = [:]
    /// Allocations of which the store does not know the files any more.
    private var unknown: Set<AllocationID> = []

    init(_ snapshot: CatalogSnapshot, _ store: ContentStore) {
        self.snapshot = snapshot
        var known: [Digest: [SecretReference]?] = [:]
        for (allocation, record) in snapshot.allocations where record.isThere {
            // A job that never had a certificate has none.
            if snapshot.jobs[allocation.job]?.certificateFiles.isEmpty != false { continue }
            // What a run has begun may run already.
            for release in [record.promoted, record.unfinished].compactMap(\.self) {
                let references = known[release.content] ?? Self.references(release.content, store)
                known[release.content] = .some(references)
                if let references {
                    found[allocation, default: []] += references
                } else {
                    unknown.insert(allocation)
                }
            }
        }
    }

    /// Certificates in the files of a content; nil if the store does not know them any more.
    static func references(_ content: Digest, _ store: ContentStore) -> [SecretReference]? {
        guard let tree = try? store.tree(content) else { return nil }
        var references: [SecretReference] = []
        for entry in tree.entries where entry.kind == .sealed {
            guard let bytes = try? store.read(entry.digest, limit: SealedFile.maximumWritten),
                let file = SealedFile(bytes: bytes)
            else { return nil }
            references += file.secrets.filter(\.name.isCertificate)
        }
        return references
    }

    /// Whether a file is on a worker as it is now; nil if that is not known.
    func has(_ file: CertificateFile, _ allocation: AllocationID) -> Bool? {
        if unknown.contains(allocation) { return nil }
        let references = (found[allocation] ?? []).filter { $0.name.key == file.key && $0.name.job == allocation.job }
        return !references.isEmpty && references.allSatisfy { snapshot.fingerprint(of: $0.name) == $0.fingerprint }
    }

    /// What does not run gets the files of then before it runs again.
    private var running: [AllocationID: [SecretReference]] {
        found.filter { snapshot.allocations[$0.key]?.isRunning == true }
    }

    /// - Throws: `Failure` if some of the services do not trust all authorities yet.
    func requireAuthorities() throws {
        let behind = running.filter { _, references in
            references.contains { reference in
                reference.name.key == CertificateFile.authorities.key
                    && snapshot.fingerprint(of: reference.name) != reference.fingerprint
            }
        }.keys
        try refuse(
            Array(behind), "workers that do not trust the new authority yet", "deploy first")
    }

    /// - Throws: `Failure` if certificates that the authority has signed are still in use.
    func requireNone(of former: StoredAuthority, _ catalog: Catalog, _ vault: Vault) throws {
        var known: [SecretReference: Bool] = [:]
        var behind: [AllocationID] = []
        for (allocation, references) in running {
            for reference in references {
                guard let file = CertificateFile(key: reference.name.key), file != .authorities else { continue }
                let isSigned = try known[reference] ?? isSigned(reference, file, by: former, catalog, vault)
                known[reference] = isSigned
                if isSigned, behind.last != allocation { behind.append(allocation) }
            }
        }
        try refuse(
            behind, "workers with certificates that the earlier authority has signed",
            "`maand-plan certs renew` makes new ones, and a deploy brings them")
    }

    /// Whether the authority has signed the certificate of a file, or of the key; true if nobody knows.
    private func isSigned(
        _ reference: SecretReference, _ file: CertificateFile, by former: StoredAuthority, _ catalog: Catalog,
        _ vault: Vault
    ) throws -> Bool {
        let certificate = CertificateFile(name: file.name, worker: file.worker, part: .certificate)
        if let record = snapshot.jobs[reference.name.job]?.certificates[certificate],
            snapshot.fingerprint(of: reference.name) == reference.fingerprint
        {
            return record.authority == former.authority.fingerprint
        }
        // An earlier one: the file itself says who has signed it, and of a key its certificate does.
        guard file.part == .certificate else { return false }
        guard let stored = try catalog.storedSecret(reference) else { return true }
        return SigningAuthority.isSigned(try vault.open(stored), by: former.certificate)
    }

    private func refuse(_ behind: [AllocationID], _ problem: String, _ note: String) throws {
        let unknown = unknown.filter { snapshot.allocations[$0]?.isRunning == true }
        if !unknown.isEmpty {
            throw Failure(
                .failed, code: .contentMissing,
                "it is not known which certificates these have: \(unknown.sorted().map(\.description).listed(first: 5))",
                "deploy their jobs, with --force if nothing else changes: of files with keys the workers cannot tell")
        }
        guard !behind.isEmpty else { return }
        throw Failure(
            .invalidInput, code: .authorityInUse,
            "\(problem): \(behind.sorted().map(\.description).listed(first: 5))", note)
    }
}
