public import Model
internal import Windows
internal import YAML

/// A certificate of a job, without its key, as it is recorded.
public struct JobCertificate: Equatable, Sendable {
    public var job: JobName
    /// The name in the manifest's `certs`, and of the files.
    public var name: String
    /// Nil if it is one for all workers of the job.
    public var worker: WorkerName?
    /// It may be empty.
    public var commonName: String
    /// Host names and addresses, in the order of the certificate.
    public var names: [String]
    /// The key is written as PKCS #8.
    public var isPKCS8: Bool
    public var endsAt: Timestamp
    /// SHA-256 of the certificate as DER.
    public var fingerprint: Digest
    /// The same of the authority that has signed it.
    public var authority: Digest

    public init(
        job: JobName, name: String, worker: WorkerName?, commonName: String, names: [String], isPKCS8: Bool,
        endsAt: Timestamp, fingerprint: Digest, authority: Digest
    ) {
        self.job = job
        self.name = name
        self.worker = worker
        self.commonName = commonName
        self.names = names
        self.isPKCS8 = isPKCS8
        self.endsAt = endsAt
        self.fingerprint = fingerprint
        self.authority = authority
    }

    /// The file of the certificate.
    public var file: CertificateFile { CertificateFile(name: name, worker: worker, part: .certificate) }
}

/// An authority whose certificates services of the bucket trust.
public struct CertificateAuthority: Equatable, Sendable, Comparable {
    /// SHA-256 of its certificate as DER.
    public var fingerprint: Digest
    public var commonName: String
    public var endsAt: Timestamp
    public var role: Role

    /// What becomes of it.
    public enum Role: String, CaseIterable, Sendable {
        /// It signs new certificates.
        case signing
        /// It is trusted, and will sign.
        case next
        /// It is trusted, and signs no more.
        case former
    }

    /// The order in which `ca.crt` has them: what ends first comes first, whichever signs.
    public static func < (one: CertificateAuthority, other: CertificateAuthority) -> Bool {
        one.endsAt == other.endsAt ? one.fingerprint.hex < other.fingerprint.hex : one.endsAt < other.endsAt
    }

    public init(fingerprint: Digest, commonName: String, endsAt: Timestamp, role: Role) {
        self.fingerprint = fingerprint
        self.commonName = commonName
        self.endsAt = endsAt
        self.role = role
    }
}

/// A file in the folder `certs` of a job, and the key under which the catalog keeps it in `certs/job/<job>`: `ca.crt`,
/// `NAME/WORKER.crt` and `NAME/WORKER.key`; without a worker if it is one for all.
public struct CertificateFile: Hashable, Sendable {
    public enum Part: String, Sendable, CaseIterable {
        case certificate = "crt"
        case key
    }

    public var name: String
    public var worker: WorkerName?
    public var part: Part

    public init(name: String, worker: WorkerName?, part: Part) {
        self.name = name
        self.worker = worker
        self.part = part
    }

    /// The folder on workers.
    public static let folder = "certs"
    /// The certificates of the authorities that are trusted.
    public static let authorities = CertificateFile(name: "ca", worker: nil, part: .certificate)

    /// Reads `key`; nil for a text that is none.
    public init?(key: String) {
        guard let dot = key.lastIndex(of: "."), let part = Part(rawValue: String(key[key.index(after: dot)...])) else {
            return nil
        }
        let words = key[..<dot].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(name: String(words[0]), worker: nil, part: part)
        if words.count > 1 {
            guard let worker = WorkerName(String(words[1])) else { return nil }
            self.worker = worker
        }
    }

    /// What the catalog keeps of a job's file.
    public func secret(of job: JobName) -> SecretName { SecretName(job: job, key: key, isCertificate: true) }

    /// In the catalog.
    public var key: String { name + (worker.map { "/\($0)" } ?? "") + ".\(part.rawValue)" }

    /// On a worker, relative to the job's folder.
    public var path: String { "\(Self.folder)/\(name).\(part.rawValue)" }

    /// What a worker gets as its mode, if the manifest says nothing.
    public var mode: Int {
        switch part {
        case .certificate: 0o644
        case .key: 0o600
        }
    }
}

extension Facts {
    /// Where the value of a key is kept that Maand has among its own: `certs/NAME.crt` and `certs/NAME.key` of
    /// `maand/job/<job>/worker/<worker>`, and `certs/ca.crt` of `maand/worker`.
    ///
    /// - Parameter reader: the job that asks; its own file of authorities counts.
    /// - Returns: nil for other keys, and for what is not in the job's `certs`.
    public func certificate(behind key: String, of namespace: KVNamespace, for reader: JobName) -> SecretName? {
        guard key.hasPrefix("\(CertificateFile.folder)/"),
            var file = CertificateFile(key: String(key.dropFirst(CertificateFile.folder.count + 1))), file.worker == nil
        else { return nil }
        switch namespace {
        case .workers:
            return file == .authorities ? file.secret(of: reader) : nil
        case .allocation(let allocation):
            guard let job = job(allocation.job) else { return nil }
            if job.certificates.contains(file.name) {
                file.worker = allocation.worker
            } else if !job.sharedCertificates.contains(file.name) {
                return nil
            }
            return file.secret(of: allocation.job)
        case .bucket, .worker, .tags, .job, .bucketVariables, .bucketJobVariables, .variables, .secrets, .certificates:
            return nil
        }
    }
}

// MARK: In an export

extension JobCertificate: Record, FieldValue {
    static let title = "kept_certificate"
    static let meaning = "A certificate as it was made."
    static var blank: JobCertificate {
        JobCertificate(
            job: .blank, name: "", worker: nil, commonName: "", names: [], isPKCS8: false,
            endsAt: Timestamp(milliseconds: 0), fingerprint: .blank, authority: .blank)
    }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &job, "the job")
        fields.required("name", &name, .text(.plain), "the name in the manifest's `certs`")
        fields.optional("worker", &worker, "the worker that it is for; none if it is for all")
        fields.required("common_name", &commonName, .text(.plain), "the common name; it may be empty")
        fields.required("names", &names, "host names and addresses")
        fields.flag("pkcs8", &isPKCS8, "the key is written as PKCS #8")
        fields.required("ends", &endsAt, "the last moment at which it is valid")
        fields.required("fingerprint", &fingerprint, "the SHA-256 of the certificate")
        fields.required("authority", &authority, "the SHA-256 of the authority's certificate")
    }
}

extension CertificateAuthority.Role: FieldValue {}

extension CertificateAuthority: Record, FieldValue {
    static let title = "authority"
    static let meaning = "An authority whose certificates are trusted."
    static var blank: CertificateAuthority {
        CertificateAuthority(
            fingerprint: .blank, commonName: "", endsAt: Timestamp(milliseconds: 0), role: .signing)
    }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("fingerprint", &fingerprint, "the SHA-256 of its certificate")
        fields.required("common_name", &commonName, .text(.plain), "the common name")
        fields.required("ends", &endsAt, "the last moment at which it is valid")
        fields.required("role", &role, "what becomes of it")
    }
}
