/// Which secret: the key of a job's namespace of secrets, or of its certificates.
public struct SecretName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let job: JobName
    public let key: String
    /// It is a file of the job's certificates: see `CertificateFile`.
    public let isCertificate: Bool

    public init(job: JobName, key: String, isCertificate: Bool = false) {
        self.job = job
        self.key = key
        self.isCertificate = isCertificate
    }

    /// Nil for a namespace that holds no secrets.
    public init?(_ namespace: KVNamespace, _ key: String) {
        switch namespace {
        case .secrets(let job): self.init(job: job, key: key)
        case .certificates(let job): self.init(job: job, key: key, isCertificate: true)
        case .bucket, .workers, .worker, .tags, .job, .allocation, .bucketVariables, .bucketJobVariables, .variables:
            return nil
        }
    }

    public var namespace: KVNamespace { isCertificate ? .certificates(job) : .secrets(job) }

    public var description: String { "\(key) of \(namespace)" }

    public static func < (one: SecretName, other: SecretName) -> Bool {
        if one.job != other.job { return one.job < other.job }
        if one.isCertificate != other.isCertificate { return other.isCertificate }
        return one.key.utf8.lexicographicallyPrecedes(other.key.utf8)
    }
}

/// What a secret's value is known by where it may not be: its HMAC under a key of the bucket, over namespace, key and value.
/// Two values of one secret have the same only if they are the same, and nobody without the bucket's key can try values.
public struct SecretFingerprint: Hashable, Sendable, CustomStringConvertible {
    private let digest: Digest

    /// Reads `hmac:` and 64 lower-case hexadecimal digits; nil for any other text.
    public init?(_ text: String) {
        guard text.hasPrefix("hmac:"), let digest = Digest(hex: text.utf8.dropFirst(5)) else { return nil }
        self.digest = digest
    }

    /// Reads the 64 digits alone.
    public init?(hex: String) {
        guard let digest = Digest(hex: hex.utf8) else { return nil }
        self.digest = digest
    }

    /// The 64 hexadecimal digits.
    public var hex: String { digest.hex }

    public var description: String { "hmac:\(hex)" }
}

/// A secret with the fingerprint of the value that it is to have.
public struct SecretReference: Hashable, Sendable {
    public let name: SecretName
    public let fingerprint: SecretFingerprint

    public init(name: SecretName, fingerprint: SecretFingerprint) {
        self.name = name
        self.fingerprint = fingerprint
    }
}
