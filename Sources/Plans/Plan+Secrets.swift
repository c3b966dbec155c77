public import Model
internal import YAML

extension Plan {
    /// A secret whose value is written into files of a job when they are sent.
    public struct Secret: Equatable, Sendable {
        /// Which secret, and the fingerprint of the value that it had when the plan was made. If it has another value by
        /// then, the job's part of the plan is stale.
        public var reference: SecretReference
        /// Relative to the job's folder, sorted.
        public var files: [String]
        /// Who gives its value; nil if the catalog stores it.
        public var provider: SecretProvider?

        public init(_ reference: SecretReference, files: [String], provider: SecretProvider? = nil) {
            self.reference = reference
            self.files = files
            self.provider = provider
        }

        /// The secrets of files, sorted by name. The same secret has the same fingerprint in all of them.
        ///
        /// - Parameter provider: who gives the value of a secret; nil if the catalog stores it.
        public static func list(
            _ uses: some Sequence<(path: String, secrets: [SecretReference])>,
            provider: (SecretName) -> SecretProvider?
        ) -> [Secret] {
            var files: [SecretReference: Set<String>] = [:]
            for use in uses { for secret in use.secrets { files[secret, default: []].insert(use.path) } }
            return files.sorted { $0.key.name < $1.key.name }.map { reference, paths in
                Secret(
                    reference, files: paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) },
                    provider: provider(reference.name))
            }
        }
    }
}

extension Plan.Job {
    /// One of the secrets of the job's files, by its name. There may be as many as three for each allocation.
    public func secret(_ name: SecretName) -> Plan.Secret? {
        var (low, high) = (0, secrets.count)
        while low < high {
            let middle = (low + high) / 2
            if secrets[middle].reference.name < name { low = middle + 1 } else { high = middle }
        }
        return low < secrets.count && secrets[low].reference.name == name ? secrets[low] : nil
    }
}

extension Plan {
    /// Whether it writes secrets into files.
    public var hasSecrets: Bool { waves.lazy.flatMap(\.jobs).contains { !$0.secrets.isEmpty } }
}

extension Plan.Secret: Record, FieldValue {
    static let title = "secret"
    static let meaning = "A secret whose value is written into files when they are sent."
    static var blank: Plan.Secret {
        Plan.Secret(.init(name: .init(job: .blank, key: ""), fingerprint: .blank), files: [])
    }

    mutating func visit(_ fields: inout some Fields) {
        var (job, key, fingerprint) = (reference.name.job, reference.name.key, reference.fingerprint)
        var isCertificate = reference.name.isCertificate
        fields.required("job", &job, "the job to which the secret belongs")
        fields.required("key", &key, .text(.plain), "its key")
        fields.flag("certificate", &isCertificate, "it is a certificate or its key, and `maand-plan certs` has made it")
        fields.required("fingerprint", &fingerprint, "of the value that it had when the plan was made")
        reference = SecretReference(
            name: SecretName(job: job, key: key, isCertificate: isCertificate), fingerprint: fingerprint)
        fields.required("files", &files, ListType(element: .text(.path)), "the files, sorted")
        fields.optional("provider", &provider, "who gives the value; only if the catalog does not store it")
    }
}
