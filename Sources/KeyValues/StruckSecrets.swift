public import Catalog
public import Model
internal import YAML

/// The values that are struck out of what hooks of a job print. They are bounded, and where there are more, nothing of the
/// output is shown.
public struct StruckSecrets: Sendable {
    /// Bytes of all values together.
    public static let limit = 16 << 20
    /// Bytes of the values that were not taken, which are beside the others.
    static let refusedLimit = 1 << 20

    /// Why no output can be shown.
    enum Obstacle: Sendable {
        case tooMany, unreadable, tooSlow

        /// What is shown in the place of the output.
        var note: String {
            let reason =
                switch self {
                case .tooMany:
                    "hooks of its job may have seen more than \(StruckSecrets.limit >> 20) MiB of secrets, earlier values "
                        + "included, and no more than that can be struck out"
                case .unreadable: "the secrets that are to be struck out of it could not be read"
                case .tooSlow:
                    "too much in it is similar to secrets of its job, and to strike them out would take too long"
                }
            return "[this output is left out: \(reason)]\n"
        }
    }

    private(set) var values: Set<String> = []
    private(set) var obstacle: Obstacle?
    private var bytes = 0
    private var refusedBytes = 0

    /// There are none.
    public init() {}

    /// There are more than can be struck out.
    public static var tooMany: StruckSecrets { StruckSecrets(.tooMany) }
    /// Nobody knows which there are.
    public static var unreadable: StruckSecrets { StruckSecrets(.unreadable) }

    private init(_ obstacle: Obstacle) { self.obstacle = obstacle }

    public var isEmpty: Bool { values.isEmpty && obstacle == nil }

    public mutating func insert(_ value: String) {
        guard obstacle == nil, values.insert(value).inserted else { return }
        bytes += value.utf8.count
        if bytes > Self.limit { give(up: .tooMany) }
    }

    /// Adds a value that somebody wanted to have as a secret in vain, as long as there is room for such.
    public mutating func insert(refused value: String) {
        let count = value.utf8.count
        guard obstacle == nil, refusedBytes + count <= Self.refusedLimit, values.insert(value).inserted else { return }
        refusedBytes += count
    }

    public mutating func formUnion(_ others: StruckSecrets) {
        if let obstacle = others.obstacle { return give(up: obstacle) }
        for value in others.values { insert(value) }
    }

    private mutating func give(up reason: Obstacle) {
        if obstacle == nil { obstacle = reason }
        values = []
    }
}

extension StruckSecrets {
    /// The same with what functions of templates make of the values: other letters, no blanks at the ends, escaped in quotes.
    public var withChangedLetters: StruckSecrets {
        if obstacle != nil { return self }
        var all = self
        for value in values {
            var changed: Set<String> = [value.uppercased(), value.lowercased()]
            for text in changed.union([value]) {
                changed.insert(text.trimmingWhitespace)
                changed.insert(String(JSONText.quote(text).dropFirst().dropLast()))
            }
            for text in changed where !text.isEmpty { all.insert(text) }
        }
        return all
    }

    /// The keys of certificates that are on a worker.
    ///
    /// - Parameters:
    ///   - job: only those of this job; nil means all.
    ///   - vault: asked for only if there are any.
    public static func keys(
        on worker: WorkerName, of job: JobName? = nil, _ catalog: Catalog, _ vault: @autoclosure () throws -> Vault
    ) -> StruckSecrets {
        do {
            let found = try catalog.storedKeys(on: worker, of: job)
            guard !found.isEmpty else { return StruckSecrets() }
            var secrets = StruckSecrets()
            secrets.insert(found, try vault())
            return secrets
        } catch {
            return .unreadable
        }
    }

    private mutating func insert(
        _ stored: [(namespace: KVNamespace, key: String, version: Int, sealed: [UInt8])], _ vault: Vault
    ) {
        for secret in stored {
            let place = Vault.Place(namespace: secret.namespace.text, key: secret.key, version: secret.version)
            if let text = try? vault.open(secret.sealed, for: place) { insert(text) }
        }
    }

    /// Every value that is stored in these namespaces, with earlier ones and all that hooks of the run have written; those that
    /// cannot be decrypted are left out.
    public static func stored(
        in namespaces: [KVNamespace], _ run: RunID, _ catalog: Catalog, _ vault: Vault
    ) -> StruckSecrets {
        do {
            guard let found = try catalog.storedSecrets(in: namespaces, run: run, within: limit) else {
                return .tooMany
            }
            var secrets = StruckSecrets()
            secrets.insert(found, vault)
            return secrets
        } catch {
            return .unreadable
        }
    }
}
