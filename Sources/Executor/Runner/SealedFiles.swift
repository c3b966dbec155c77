package import Catalog
internal import KeyValues
package import Model
package import Plans
internal import SecretSources
internal import Templates
internal import Workers

/// Files with secrets: what is kept of them becomes the bytes that workers get, in memory alone.
///
/// What the bytes are is recorded before they are sent, sealed with the bucket's key: without it nobody could say later
/// whether a worker still has them, and their digest in the open would let anybody try values.
package struct SealedFiles: Sendable {
    let store: ContentStore
    let catalog: Catalog
    let bucketFolder: String
    /// Values that somebody else keeps, as far as they were asked for.
    let memory: SecretMemory

    package init(_ store: ContentStore, _ catalog: Catalog, bucketFolder: String, memory: SecretMemory) {
        self.store = store
        self.catalog = catalog
        self.bucketFolder = bucketFolder
        self.memory = memory
    }

    /// Bytes as a worker has them.
    package struct Sent: Equatable, Sendable {
        package let digest: Digest
        package let size: Int
    }

    /// A secret has not the value any more that it had when the plan was made.
    struct Changed: Error, CustomStringConvertible {
        let name: SecretName
        var description: String { "the secret \(name) has another value than when the plan was made, or none" }
    }

    /// The bytes of a file, with the values of its secrets.
    ///
    /// - Parameter digest: of what is kept of it.
    /// - Throws: `Changed` if a secret has another value than the file is to have; `StoreError`, `VaultError`,
    ///   `CatalogError`, `SealedFileProblem`.
    package func render(_ digest: Digest) throws -> [UInt8] {
        let file = try file(digest)
        let vault = try vault()
        var known: [SecretReference: String] = [:]
        return try file.render { secret in
            if let value = known[secret] { return value }
            if let value = memory[secret.name] {
                guard value.fingerprint == secret.fingerprint else { throw Changed(name: secret.name) }
                return value.text
            }
            guard let entry = try catalog.keyValue(secret.name.namespace, secret.name.key),
                entry.fingerprint == secret.fingerprint, case .sealed(let sealed)? = entry.value
            else { throw Changed(name: secret.name) }
            let value = try vault.open(
                sealed,
                for: Vault.Place(namespace: entry.namespace.text, key: entry.key, version: entry.version))
            known[secret] = value
            return value
        }
    }

    /// The bytes that a file has on workers: as they were recorded, or as they are now.
    ///
    /// - Throws: as `render` does.
    package func sent(_ digest: Digest) throws -> Sent {
        if let known = try recorded(digest) { return known }
        let bytes = try render(digest)
        let sent = Sent(digest: Digest.of(bytes), size: bytes.count)
        try catalog.keepSealedFile(
            digest, try vault().seal("\(sent.size) \(sent.digest.hex)", for: .sealedFile(digest)),
            with: try file(digest).secrets)
        return sent
    }

    private func file(_ digest: Digest) throws -> SealedFile {
        let bytes = try store.read(digest, limit: SealedFile.maximumWritten)
        guard let file = SealedFile(bytes: bytes) else {
            throw StoreError.altered(path: store.path(of: digest), expected: digest, actual: Digest.of(bytes))
        }
        return file
    }

    /// The same, if it was sent before; nil if it was not.
    package func recorded(_ digest: Digest) throws -> Sent? {
        guard let sealed = try catalog.sealedFile(digest) else { return nil }
        let words = try vault().open(sealed, for: .sealedFile(digest)).split(separator: " ")
        guard words.count == 2, let size = Int(words[0]), let digest = Digest(hex: words[1].utf8) else { return nil }
        return Sent(digest: digest, size: size)
    }

    /// A worker's files as they are kept: a file with secrets that is as it was sent counts as what was sent.
    ///
    /// Its real digest must not lie in the store. What is no file as it was sent gets a digest of nothing that is there, and so
    /// does a file that others cannot read, if nothing is known of it.
    ///
    /// - Parameter trees: those that are recorded of the allocation.
    /// - Returns: the tree, and whether all of it is known.
    /// - Throws: `VaultError`, `CatalogError`.
    package func kept(_ tree: Tree, recorded trees: [Tree]) throws -> (tree: Tree, isKnown: Bool) {
        let known = Dictionary(grouping: trees.flatMap(\.entries), by: \.path)
        var isKnown = true
        let entries = try tree.entries.map { entry -> TreeEntry in
            guard entry.kind.isFile else { return entry }
            let candidates = known[entry.path] ?? []
            for candidate in candidates where candidate.kind == .sealed {
                if try recorded(candidate.digest)?.digest == entry.digest { return candidate }
            }
            let mayHaveSecrets =
                candidates.isEmpty ? entry.mode & 0o007 == 0 : candidates.contains { $0.kind == .sealed }
            if !mayHaveSecrets || candidates.contains(entry) { return entry }
            isKnown = false
            return TreeEntry(
                path: entry.path, kind: .sealed, digest: Digest.of(Array("other secrets".utf8)), size: 0)
        }
        return (tree.with(entries), isKnown)
    }

    // MARK: Secrets

    /// The secrets of a tree's files.
    func secrets(of tree: Tree) throws -> Set<SecretName> {
        Set(try tree.entries.filter { $0.kind == .sealed }.flatMap { try file($0.digest).secrets.map(\.name) })
    }

    /// Asks for the values that somebody else keeps, some side by side. Each is asked for once in the life of the process.
    ///
    /// - Throws: `SecretSourceError` of the first that is not given; `VaultError`, `CatalogError`.
    package func ask(for secrets: [Plan.Secret]) async throws {
        var wanted: [SecretName: SecretProvider] = [:]
        for secret in secrets where memory[secret.reference.name] == nil {
            wanted[secret.reference.name] = secret.provider
        }
        if wanted.isEmpty { return }
        let vault = try Vault.openOrCreate(in: bucketFolder, for: catalog)
        let questions = wanted.sorted { $0.key < $1.key }
        let sources = memory.sources
        let values = await questions.sideBySide(width: SecretSources.width) { question in
            await Result { () async throws(SecretSourceError) in
                try await sources.value(of: question.key, by: question.value)
            }
        }
        for (question, value) in zip(questions, values) {
            let text = try value.get()
            memory.keep(text, try vault.keep(text, of: question.key, in: catalog), question.key)
        }
    }

    /// The fingerprints that the values of secrets have now; those without one are left out. Of values that somebody else
    /// keeps, those that were asked for.
    package func fingerprints(of secrets: [Plan.Secret]) throws -> [SecretName: SecretFingerprint] {
        let stored = Set(secrets.filter { $0.provider == nil }.map(\.reference.name))
        var found = try catalog.fingerprints(of: stored)
        for secret in secrets where secret.provider != nil {
            found[secret.reference.name] = memory[secret.reference.name]?.fingerprint
        }
        return found
    }

    func vault() throws -> Vault {
        guard let vault = try Vault.open(in: bucketFolder, of: catalog) else {
            throw VaultError.lost(path: bucketFolder + "/" + Vault.file, secret: nil)
        }
        return vault
    }
}
