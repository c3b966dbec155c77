public import Catalog
public import Model
public import Plans

/// The values of every namespace as somebody sees them: what follows from the workspace, what is stored, and for hooks
/// what hooks of the same run wrote.
public struct KeyValueView: Sendable {
    private let facts: Facts
    private let bucket: String
    private let catalog: Catalog?
    private let vault: Vault?
    private let run: RunID?
    private let job: JobName?

    /// - Parameters:
    ///   - bucket: the bucket's id.
    ///   - catalog: nil where the bucket has none yet.
    ///   - vault: opens secrets; nil where there is no key yet, and so no secret.
    ///   - run: whose hooks see this; nil for people.
    ///   - job: of these hooks; they find certificates where Maand has them.
    public init(
        facts: Facts, bucket: String, catalog: Catalog?, vault: Vault?, run: RunID? = nil, job: JobName? = nil
    ) {
        self.job = job
        self.facts = facts
        self.bucket = bucket
        self.catalog = catalog
        self.vault = vault
        self.run = run
    }

    /// A value and where it is from.
    public struct Value: Equatable, Sendable {
        public let key: String
        public let origin: Origin
        fileprivate let content: StoredValue
        /// Where it is kept, if that is elsewhere.
        fileprivate var kept: SecretName?

        /// Whether it is the key of a certificate, although its namespace holds no secrets.
        public var isKey: Bool { kept.flatMap { CertificateFile(key: $0.key) }?.part == .key }
    }

    public enum Origin: Equatable, Sendable {
        /// It follows from these files of the workspace.
        case workspace(String)
        case stored(version: Int, at: Timestamp, by: String)
    }

    /// The value of a key; nil where it has none, or where there is no such job or worker.
    public func value(_ namespace: KVNamespace, _ key: String) throws -> Value? {
        if let name = job.flatMap({ facts.certificate(behind: key, of: namespace, for: $0) }) {
            let entry = try catalog?.keyValue(name.namespace, name.key)
            if var value = merged(name.namespace, name.key, entry, nil) {
                value.kept = name
                return value
            }
        }
        let entry = try catalog?.keyValue(namespace, key, in: run)
        return merged(namespace, key, entry, try derived(namespace)?[key])
    }

    /// Everything in a namespace, sorted by key.
    public func values(in namespace: KVNamespace) throws -> [Value] {
        let derived = try derived(namespace) ?? [:]
        let stored = try catalog?.keyValues(in: namespace, run: run) ?? []
        let known = Set(stored.map(\.key))
        let values =
            stored.compactMap { merged(namespace, $0.key, $0, derived[$0.key]) }
            + derived.keys.filter { !known.contains($0) }.compactMap { merged(namespace, $0, nil, derived[$0]) }
        return values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// The text of a value, a secret's too.
    ///
    /// - Throws: `VaultError` where a secret cannot be decrypted.
    public func text(of value: Value, in namespace: KVNamespace) throws -> String {
        switch (value.content, value.origin) {
        case (.text(let text), _): return text
        case (.sealed(let bytes), .stored(let version, _, _)):
            let place = Vault.Place(
                namespace: (value.kept?.namespace ?? namespace).text, key: value.key, version: version)
            guard let vault else { throw VaultError.unreadable(place) }
            return try vault.open(bytes, for: place)
        case (.sealed, .workspace): return ""  // Nothing of the workspace is sealed.
        }
    }

    /// What a hook of this run wrote comes before the job's files, and those before what was stored earlier: a build of
    /// Maand puts `vars.toml` into its store, and hooks write after it.
    private func merged(
        _ namespace: KVNamespace, _ key: String, _ entry: KeyValueEntry?, _ derived: String?
    ) -> Value? {
        let isOfRun = run != nil && entry?.run == run
        if let derived, !isOfRun {
            let file = namespace.source(ofKey: key) ?? Self.variablesFile(namespace)
            return Value(key: key, origin: .workspace(file), content: .text(derived))
        }
        guard let entry, let content = entry.value else { return nil }
        return Value(
            key: key, origin: .stored(version: entry.version, at: entry.writtenAt, by: entry.writtenBy),
            content: content)
    }

    private static func variablesFile(_ namespace: KVNamespace) -> String {
        if case .variables(let job) = namespace { "workspace/jobs/\(job)/vars.toml" } else { "the workspace" }
    }

    private func derived(_ namespace: KVNamespace) throws -> [String: String]? {
        switch namespace {
        case .variables(let name): return facts.job(name)?.variables
        case .secrets, .certificates: return nil
        case .job(let name):
            guard let job = facts.job(name), var values = facts.values(in: namespace, bucket: bucket) else {
                return nil
            }
            var chosen: String?
            if case .text(let text)? = try value(.variables(name), KeyValue.rolloutOrder)?.content { chosen = text }
            let order = facts.rolloutOrder(of: job, chosen: chosen)
            values[KeyValue.rolloutOrder] = order.map(\.text).joined(separator: ",")
            return values
        case .bucket, .workers, .worker, .tags, .allocation, .bucketVariables, .bucketJobVariables:
            return facts.values(in: namespace, bucket: bucket)
        }
    }
}
