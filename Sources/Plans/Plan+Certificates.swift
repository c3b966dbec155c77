public import Model
internal import Windows
internal import YAML

extension Plan {
    /// A certificate that a job's files have, as reviewers see it.
    public struct Certificate: Equatable, Sendable {
        /// The file on workers.
        public var file: String
        /// The worker that it is for; nil if it is for all of the job.
        public var worker: WorkerName?
        /// It may be empty.
        public var commonName: String
        /// Host names and addresses; an authority has none.
        public var names: [String]
        public var endsAt: Timestamp
        /// SHA-256 of the certificate as DER.
        public var fingerprint: Digest

        /// Those that are written into files of a job.
        ///
        /// - Parameters:
        ///   - secrets: of the files.
        ///   - known: what is recorded of the job's certificates.
        public static func list(
            _ secrets: [Secret], _ known: [CertificateFile: JobCertificate], _ authorities: [CertificateAuthority]
        ) -> [Plan.Certificate] {
            secrets.flatMap { secret -> [Plan.Certificate] in
                guard secret.reference.name.isCertificate,
                    let file = CertificateFile(key: secret.reference.name.key), file.part == .certificate
                else { return [] }
                if file == .authorities {
                    return authorities.map { authority in
                        Plan.Certificate(
                            file: file.path, commonName: authority.commonName, names: [], endsAt: authority.endsAt,
                            fingerprint: authority.fingerprint)
                    }
                }
                guard let known = known[file] else { return [] }
                return [
                    Plan.Certificate(
                        file: file.path, worker: file.worker, commonName: known.commonName, names: known.names,
                        endsAt: known.endsAt, fingerprint: known.fingerprint)
                ]
            }
        }
    }
}

extension Plan.Certificate: Record, FieldValue {
    static let title = "certificate"
    static let meaning = "A certificate in the files that are sent."
    static var blank: Plan.Certificate {
        Plan.Certificate(
            file: "", commonName: "", names: [], endsAt: Timestamp(milliseconds: 0), fingerprint: .blank)
    }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("file", &file, .text(.path), "the file")
        fields.optional("worker", &worker, "the worker that it is for; none if it is for all")
        fields.required("common_name", &commonName, .text(.plain), "the common name; it may be empty")
        fields.required("names", &names, "host names and addresses")
        fields.required("ends", &endsAt, "the last moment at which it is valid")
        fields.required("fingerprint", &fingerprint, "the SHA-256 of the certificate")
    }
}

extension Plan.Certificate {
    /// The file, and the worker that has it, for messages.
    public var place: String { file + (worker.map { " for \($0)" } ?? "") }
}

extension Plan.Job {
    /// Certificates of its files that are over. One of authorities may be, as long as another one is to replace it.
    public func endedCertificates(at now: Timestamp) -> [Plan.Certificate] {
        certificates.filter { $0.endsAt <= now && $0.file != CertificateFile.authorities.path }
    }
}

extension Deploy {
    /// Writes down which certificates the files of its jobs have, of those of the way back too.
    public mutating func nameCertificates(_ catalog: CatalogSnapshot) {
        waves.nameCertificates(catalog)
        wayBack?.waves.nameCertificates(catalog)
    }
}

extension [Plan.Wave] {
    fileprivate mutating func nameCertificates(_ catalog: CatalogSnapshot) {
        for wave in indices {
            for index in self[wave].jobs.indices where !self[wave].jobs[index].secrets.isEmpty {
                let job = self[wave].jobs[index]
                self[wave].jobs[index].certificates = catalog.certificates(among: job.secrets, of: job.job)
            }
        }
    }
}

extension Facts {
    /// The same for jobs that go back: their hooks find the certificates of the files that these get, whatever the
    /// workspace asks for.
    func withCertificates(of waves: [Plan.Wave]) -> Facts {
        var files: [JobName: [Plan.Certificate]] = [:]
        for job in waves.lazy.flatMap(\.jobs) where !job.content.isEmpty { files[job.job] = job.certificates }
        var facts = self
        for index in facts.jobs.indices {
            guard let certificates = files[facts.jobs[index].job] else { continue }
            func names(_ isShared: Bool) -> [String] {
                let found = certificates.filter { ($0.worker == nil) == isShared }.compactMap { certificate in
                    CertificateFile(key: String(certificate.file.dropFirst(CertificateFile.folder.count + 1)))?.name
                }
                return Set(found).subtracting([CertificateFile.authorities.name]).sorted()
            }
            facts.jobs[index].certificates = names(false)
            facts.jobs[index].sharedCertificates = names(true)
        }
        return facts
    }
}

extension Plan {
    /// Gives hooks of a plan that takes a run back the certificates of its files.
    public mutating func takeCertificatesOfFiles() { facts = facts?.withCertificates(of: waves) }
}
