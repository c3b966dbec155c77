import Catalog
import Commands
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
    private var unknown: [AllocationID] = []

    init(_ snapshot: CatalogSnapshot, _ store: ContentStore) {
        self.snapshot = snapshot
        var known: [Digest: [SecretReference]?] = [:]
        for (allocation, record) in snapshot.allocations where record.isThere {
            // What a run has begun may run already.
            for release in [record.promoted, record.unfinished].compactMap(\.self) {
                let references = known[release.content] ?? Self.references(release.content, store)
                known[release.content] = .some(references)
                if let references {
                    found[allocation, default: []] += references
                } else {
                    unknown.append(allocation)
                }
            }
        }
    }

    private static func references(_ content: Digest, _ store: ContentStore) -> [SecretReference]? {
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

    /// Whether a file is on a worker as it is now.
    func has(_ file: CertificateFile, _ allocation: AllocationID) -> Bool {
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
            Array(behind), "do not have the certificate of the new authority yet",
            "deploy first")
    }

    /// - Throws: `Failure` if certificates of these authorities are still in use.
    func requireNone(of authorities: [Digest]) throws {
        let behind = running.filter { _, references in
            references.contains { reference in
                guard let file = CertificateFile(key: reference.name.key), file != .authorities else { return false }
                let known = snapshot.jobs[reference.name.job]?.certificates.first {
                    $0.name == file.name && $0.worker == file.worker
                }
                return snapshot.fingerprint(of: reference.name) != reference.fingerprint
                    || known.map { authorities.contains($0.authority) } != false
            }
        }.keys
        try refuse(
            Array(behind), "have certificates that the earlier authority has signed",
            "`maand-plan certs renew` makes new ones, and a deploy brings them")
    }

    private func refuse(_ behind: [AllocationID], _ problem: String, _ note: String) throws {
        let unknown = unknown.filter { snapshot.allocations[$0]?.isRunning == true }
        if !unknown.isEmpty {
            throw Failure(
                .failed, code: .contentMissing,
                "it is not known which certificates these have: \(unknown.sorted().map(\.description).listed(first: 5))",
                "`maand-plan catalog refresh` asks the workers for their files")
        }
        guard !behind.isEmpty else { return }
        throw Failure(
            .invalidInput, code: .authorityInUse,
            "\(behind.sorted().map(\.description).listed(first: 5)) \(problem)", note)
    }
}
