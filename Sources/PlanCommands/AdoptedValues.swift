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

/// Puts variables, secrets and certificates of Maand into the catalog. What is there already stays.
struct AdoptedValues {
    private let bucket: BucketOptions
    private let records: MaandRecords
    private let workspace: Workspace
    private let catalog: Catalog
    private let now = Clock.system.now()

    init(_ bucket: BucketOptions, _ records: MaandRecords, _ workspace: Workspace, _ catalog: Catalog) {
        self.bucket = bucket
        self.records = records
        self.workspace = workspace
        self.catalog = catalog
    }

    typealias Taken = (what: String, taken: Int, left: [String])

    /// Variables and secrets of jobs; keys that were ever recorded here are left.
    func takeValues() throws -> Taken {
        var result: Taken = ("variables and secrets", 0, [])
        for value in records.values {
            let place = "\(value.key) of \(value.namespace)"
            if let problem = KeyValue.problem(ofKey: value.key) {
                result.left.append("\(place): the key \(problem)")
                continue
            }
            // Maand keeps empty values; one that is missing reads the same with `getOptional`.
            if let problem = KeyValue.problem(ofValue: value.text) {
                result.left.append("\(place): the value \(problem)")
                continue
            }
            if try catalog.keyValue(value.namespace, value.key) != nil { continue }
            let content: KeyValueWrite.Content
            if let name = SecretName(value.namespace, value.key) {
                content = try Vault.openOrCreate(in: bucket.folder, for: catalog).write(value.text, to: name)
            } else {
                content = .text(value.text)
            }
            do {
                try catalog.write(KeyValueWrite(value.namespace, value.key, content), at: now, by: ControlHost.who)
                result.taken += 1
            } catch let error as KeyValueError {
                result.left.append("\(place): \(error)")
            }
        }
        return result
    }

    /// The authority, and the certificates that manifests ask for.
    func takeCertificates() throws -> Taken {
        var result: Taken = ("certificates", 0, [])
        let readers = workspace.jobsWithAuthorities
        guard try catalog.storedAuthorities().isEmpty else { return result }
        // Also where no job asks for certificates yet: services may trust it, and it signs the first one.
        let files = ["ca.crt", "ca.key"].map { "\(bucket.folder)/secrets/\($0)" }
        if readers.isEmpty, !FileManager.default.fileExists(atPath: files[0]) { return result }
        guard let text = try? String(contentsOfFile: files[0], encoding: .utf8),
            let key = try? String(contentsOfFile: files[1], encoding: .utf8)
        else {
            result.left.append("the authority: secrets/ca.crt or secrets/ca.key cannot be read")
            return result
        }
        // All jobs have the same bytes of it.
        let certificate = asWritten(text, CertificateFile.authorities.path) { _ in true }
        let vault = try Vault.openOrCreate(in: bucket.folder, for: catalog)
        let authority: CertificateAuthority
        do throws(CertificateProblem) {
            _ = try SigningAuthority(certificate: certificate, key: key)
            let text = try CertificateText(certificate)
            authority = CertificateAuthority(
                fingerprint: text.fingerprint, commonName: text.commonName, endsAt: text.endsAt, role: .signing)
        } catch {
            result.left.append("the authority of secrets/ca.crt: \(error)")
            return result
        }
        var change = Catalog.CertificateChange()
        change.authorities = [
            StoredAuthority(
                authority, certificate: certificate,
                sealedKey: try vault.seal(key, for: .authority(authority.fingerprint)))
        ]
        for job in readers { change.files.append(try vault.file(.authorities, of: job, certificate)) }
        for need in workspace.certificates(of: []) {
            do {
                guard let (known, pair) = try taken(need, authority, certificate) else { continue }
                change.certificates.append(known)
                for (part, text) in zip(CertificateFile.Part.allCases, pair) {
                    change.files.append(try vault.file(need.file(part), of: need.job, text))
                }
                result.taken += 1
            } catch let problem as CertificateProblem {
                result.left.append("\(need.job): \(need.description): \(problem)")
            }
        }
        try catalog.record(change, at: now, by: ControlHost.who)
        return result
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
