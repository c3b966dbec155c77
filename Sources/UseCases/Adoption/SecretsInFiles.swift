internal import Catalog
internal import Executor
internal import KeyValues
internal import MaandBucket
internal import Model
internal import Plans
internal import Templates

/// Finds values of the bucket's secrets in files, so that no file is kept with one in the open.
struct SecretsInFiles {
    private let context: ExecutionContext
    private let known: [(secret: SecretReference, value: [UInt8])]
    private let struck: StruckSecrets

    /// - Parameter others: texts that have been secrets and are none any more.
    /// - Throws: `CatalogError`, `VaultError`.
    init(_ context: ExecutionContext, others: Set<String>) throws {
        self.context = context
        var known: [(SecretReference, [UInt8])] = []
        var struck = StruckSecrets()
        let vault = try Vault.open(in: context.bucketFolder, of: context.catalog)
        let namespaces = try context.catalog.keyValueNamespaces().filter(\.isSecret)
        for entry in try namespaces.flatMap({ try context.catalog.keyValues(in: $0) }) {
            guard case .sealed(let sealed)? = entry.value, let name = SecretName(entry.namespace, entry.key),
                let fingerprint = entry.fingerprint, let vault
            else { continue }
            // Certificates are for everybody, and their keys are not.
            if name.isCertificate, !entry.key.hasSuffix(".\(CertificateFile.Part.key.rawValue)") { continue }
            let text = try vault.open(
                sealed, for: .init(namespace: entry.namespace.text, key: entry.key, version: entry.version))
            struck.insert(text)
            if text.utf8.count >= Redaction.shortest {
                known.append((SecretReference(name: name, fingerprint: fingerprint), Array(text.utf8)))
            }
        }
        for text in others { struck.insert(text) }
        self.known = known
        self.struck = struck
    }

    /// Keeps a file: as it is, or without the values of secrets that stand in it.
    ///
    /// - Parameter job: whose secrets it has, where another job has one of the same value.
    /// - Returns: that nothing is kept, if a value stands in it in another form, such as in base64.
    /// - Throws: `StoreError`, `CatalogError`, `VaultError`.
    func keep(_ bytes: [UInt8], of job: JobName) throws -> Taking.Kept {
        if struck.isEmpty { return .bytes(try context.store.put(bytes), size: bytes.count) }
        if bytes.count > SealedFile.maximumWritten / 2 { return .nothing }
        let file = SealedFile(parts(of: bytes, job))
        for case .text(let text) in file.parts where Redaction.strike(struck, from: text) != text { return .nothing }
        if file.secrets.isEmpty { return .bytes(try context.store.put(bytes), size: bytes.count) }
        let written = file.bytes
        let digest = try context.store.put(written)
        guard try context.sealedFiles.sent(digest).digest == Digest.of(bytes) else { return .nothing }
        return .sealed(digest, size: written.count)
    }

    /// A longer value first: a shorter one may be a part of it.
    private func parts(of bytes: [UInt8], _ job: JobName) -> [SealedFile.Part] {
        let order = known.sorted { first, second in
            first.value.count == second.value.count
                ? first.secret.name.job == job && second.secret.name.job != job
                : first.value.count > second.value.count
        }
        return order.reduce([.text(bytes)]) { parts, known in
            parts.flatMap { part -> [SealedFile.Part] in
                guard case .text(let text) = part else { return [part] }
                var split: [SealedFile.Part] = []
                var start = 0
                for range in text.ranges(of: known.value) {
                    split += [.text(Array(text[start..<range.lowerBound])), .secret(.secret(known.secret))]
                    start = range.upperBound
                }
                return split + [.text(Array(text[start...]))]
            }
        }
    }
}
