import Catalog
import Certificates
import Commands
import Foundation
import KeyValues
import MaandBucket
import Model
import Planner
import Plans
import ThisHost

/// Puts variables, secrets and certificates of Maand into the catalog. What was written here since it was taken over stays.
struct AdoptedValues {
    private let bucket: BucketOptions
    /// The folder with Maand's files.
    private let source: String
    private let records: MaandRecords
    private let workspace: Workspace
    private let catalog: Catalog
    private let now = Clock.system.now()
    private let who = adopter + ControlHost.who

    /// What the one who has written a value begins with, if an adoption did.
    private static let adopter = "adopt by "

    init(
        _ bucket: BucketOptions, from source: String, _ records: MaandRecords, _ workspace: Workspace,
        _ catalog: Catalog
    ) {
        self.bucket = bucket
        self.source = source
        self.records = records
        self.workspace = workspace
        self.catalog = catalog
    }

    typealias Taken = (what: String, taken: Int, left: [String])

    // MARK: Values

    /// A value of Maand that may be taken over.
    struct Candidate {
        var value: MaandRecords.Value
        /// Decrypted.
        var text: String
        /// It was taken over before, and nobody has written it here since.
        var isKnown: Bool
    }

    /// Decrypts what may be taken over. Maand's key is needed only for secrets that are not recorded here yet.
    ///
    /// - Parameter catalog: nil if the bucket has none yet.
    /// - Throws: `MaandProblem`, `CatalogError`.
    static func candidates(_ records: MaandRecords, from source: String, _ catalog: Catalog?) throws -> [Candidate] {
        let key = MaandKey(in: source)
        return try records.values.compactMap { value in
            guard let known = try catalog?.keyValue(value.namespace, value.key) else {
                return Candidate(value: value, text: try key.open(value), isKnown: false)
            }
            guard known.value != nil, known.writtenBy.hasPrefix(adopter), let text = try? key.open(value) else {
                return nil
            }
            return Candidate(value: value, text: text, isKnown: true)
        }
    }

    /// Variables and secrets of jobs.
    func take(_ candidates: [Candidate]) throws -> Taken {
        var result: Taken = ("variables and secrets", 0, [])
        let files = Dictionary(grouping: candidates, by: \.value.namespace).keys.compactMap { namespace in
            if case .variables(let job) = namespace { job } else { nil }
        }
        let written = try Dictionary(
            uniqueKeysWithValues: files.map { ($0, try JobVariables.values(of: $0, in: bucket.path("workspace"))) })
        for candidate in candidates {
            let value = candidate.value
            let place = "\(value.key) of \(value.namespace)"
            if let problem = problem(of: candidate) {
                result.left.append("\(place): \(problem)")
                continue
            }
            if candidate.isKnown, try text(of: value) == candidate.text { continue }
            if case .variables(let job) = value.namespace, let text = written[job]?[value.key],
                text != candidate.text
            {
                // A hook of Maand may have written it after the file was read.
                result.left.append("\(place): vars.toml has another value, and here the file counts; change it there")
                continue
            }
            do {
                let content = try Vault.content(
                    of: candidate.text, in: value.namespace, value.key, bucket: bucket.folder, catalog)
                try catalog.write(KeyValueWrite(value.namespace, value.key, content), at: now, by: who)
                result.taken += 1
            } catch let error as KeyValueError {
                result.left.append("\(place): \(error)")
            }
        }
        return result
    }

    /// Why a value cannot be taken over; nil if it can.
    private func problem(of candidate: Candidate) -> String? {
        if let problem = KeyValue.problem(ofKey: candidate.value.key) { return "the key \(problem)" }
        guard candidate.text.isEmpty else { return KeyValue.problem(ofValue: candidate.text).map { "the value \($0)" } }
        // Maand reads a key of vars.toml without a value as an empty text, and keeps it.
        return candidate.value.namespace.isSecret
            ? "it is empty, and no secret can be; `getOptional` gives the same" : nil
    }

    /// The text that is recorded here.
    private func text(of value: MaandRecords.Value) throws -> String? {
        guard let entry = try catalog.keyValue(value.namespace, value.key) else { return nil }
        switch entry.value {
        case .text(let text): return text
        case .sealed(let sealed):
            return try Vault.open(in: bucket.folder, of: catalog)?.open(
                sealed, for: .init(namespace: value.namespace.text, key: value.key, version: entry.version))
        case nil: return nil
        }
    }

    // MARK: Certificates

    /// The authority, and the certificates that manifests ask for. Of those that are here already, Maand's is taken if it ends
    /// later, so if it was renewed there.
    ///
    /// - Parameter snapshot: of the catalog.
    func takeCertificates(_ snapshot: CatalogSnapshot) throws -> Taken {
        var result: Taken = ("certificates", 0, [])
        let isFirst = try catalog.storedAuthorities().isEmpty
        let pem: (certificate: String, key: String)
        switch authorityFiles() {
        case .success(let files)?: pem = files
        case .failure(let problem)?:
            if isFirst { result.left.append(problem.text) }
            return result
        case nil: return result
        }
        // All jobs have the same bytes of it.
        let readers = workspace.jobsWithAuthorities
        let certificate = asWritten(pem.certificate, CertificateFile.authorities.path) { readers.contains($0.job) }
        let vault = try Vault.openOrCreate(in: bucket.folder, for: catalog)
        let authority: CertificateAuthority
        do throws(CertificateProblem) {
            _ = try SigningAuthority(certificate: certificate, key: pem.key)
            let text = try CertificateText(certificate)
            authority = CertificateAuthority(
                fingerprint: text.fingerprint, commonName: text.commonName, endsAt: text.endsAt, role: .signing)
        } catch {
            if isFirst { result.left.append("the authority of secrets/ca.crt: \(error)") }
            return result
        }
        var change = Catalog.CertificateChange()
        if isFirst {
            change.authorities = [
                StoredAuthority(
                    authority, certificate: certificate,
                    sealedKey: try vault.seal(pem.key, for: .authority(authority.fingerprint)))
            ]
        } else if snapshot.authorities.map(\.fingerprint) != [authority.fingerprint] {
            // It was replaced here since.
            return result
        }
        for job in readers
        where try catalog.keyValue(.certificates(job), CertificateFile.authorities.key) == nil {
            change.files.append(try vault.file(.authorities, of: job, certificate))
        }
        for need in workspace.certificates(of: []) {
            do {
                guard let (known, pair) = try taken(need, authority, certificate) else { continue }
                let recorded = snapshot.jobs[need.job]?.certificates[known.file]
                if let recorded, recorded.endsAt >= known.endsAt { continue }
                change.certificates.append(known)
                for (part, text) in zip(CertificateFile.Part.allCases, pair) {
                    change.files.append(try vault.file(need.file(part), of: need.job, text))
                }
                result.taken += 1
            } catch let problem as CertificateProblem {
                result.left.append("\(need.job): \(need.description): \(problem)")
            }
        }
        if change.authorities == nil, change.files.isEmpty { return result }
        try catalog.record(change, at: now, by: who)
        return result
    }

    private struct Unreadable: Error { let text: String }

    /// The authority's certificate and key as Maand has them; nil if there is none and no job asks for certificates. Services
    /// may trust it also where none does yet, and it signs the first one.
    private func authorityFiles() -> Result<(certificate: String, key: String), Unreadable>? {
        let files = ["ca.crt", "ca.key"].map { "\(source)/secrets/\($0)" }
        if workspace.jobsWithAuthorities.isEmpty, !FileManager.default.fileExists(atPath: files[0]) { return nil }
        guard let certificate = try? String(contentsOfFile: files[0], encoding: .utf8),
            let key = try? String(contentsOfFile: files[1], encoding: .utf8)
        else { return .failure(Unreadable(text: "the authority: secrets/ca.crt or secrets/ca.key cannot be read")) }
        return .success((certificate, key))
    }

    /// A text as Maand has written it into a file: its database keeps texts without line feeds at their ends.
    private func asWritten(_ text: String, _ path: String, for isReader: (AllocationID) -> Bool) -> String {
        let rows = records.allocations.filter { isReader($0.id) }
        let sums = Set(rows.compactMap(\.hash).flatMap { [$0.currentFiles[path], $0.previousFiles[path]] })
        let bare = text.trimmingWhitespace
        return [text, bare, bare + "\n"].first { sums.contains(MaandDatabase.md5(Array($0.utf8))) } ?? bare + "\n"
    }

    /// A certificate as Maand has made it; nil if it has made none.
    ///
    /// - Returns: what is recorded of it, and its certificate and key.
    /// - Throws: `CertificateProblem` if it is not what the manifest asks for.
    private func taken(
        _ need: CertificateNeed, _ authority: CertificateAuthority, _ root: String
    ) throws(CertificateProblem) -> (JobCertificate, [String])? {
        let allocations = records.certificates.keys.sorted().filter {
            $0.job == need.job && (need.worker == nil || $0.worker == need.worker)
        }
        for allocation in allocations {
            let files = records.certificates[allocation] ?? [:]
            let pair = CertificateFile.Part.allCases.compactMap {
                files["\(CertificateFile.folder)/\(need.name).\($0.rawValue)"]
            }
            guard pair.count == 2 else { continue }
            let text = try CertificateText(pair[0])
            guard SigningAuthority.isSigned(pair[0], by: root) else {
                throw CertificateProblem("it is of another authority than secrets/ca.crt")
            }
            guard text.commonName == need.commonName else {
                throw CertificateProblem("it has another common name than the manifest")
            }
            // It counts as what the manifest asks for, with fewer names than a new one would have, until it is renewed. But it
            // is not for the address of a worker that it does not name.
            let names = need.names.filter { name in
                if case .address(let bytes)? = HostText(name) { text.addresses.contains(bytes) } else { true }
            }
            let known = JobCertificate(
                job: need.job, name: need.name, worker: need.worker, commonName: need.commonName, names: names,
                isPKCS8: need.isPKCS8, endsAt: text.endsAt, fingerprint: text.fingerprint,
                authority: authority.fingerprint)
            let paths = CertificateFile.Part.allCases.map { need.file($0).path }
            return (known, zip(pair, paths).map { asWritten($0, $1) { $0 == allocation } })
        }
        return nil
    }
}
