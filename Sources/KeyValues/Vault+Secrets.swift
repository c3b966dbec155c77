public import Catalog
public import Model

extension Vault {
    /// What the catalog is told to write a value of a bucket: a secret is encrypted, under a key that is made if there is none.
    ///
    /// - Throws: `VaultError`, `CatalogError`.
    public static func content(
        of text: String, in namespace: KVNamespace, _ key: String, bucket folder: String, _ catalog: Catalog
    ) throws -> KeyValueWrite.Content {
        guard let name = SecretName(namespace, key) else { return .text(text) }
        return try openOrCreate(in: folder, for: catalog).write(text, to: name)
    }

    /// What the catalog is told to write a secret.
    ///
    /// - Throws: `VaultError.noFingerprints` if the vault was opened for reading alone.
    public func write(_ value: String, to name: SecretName) throws(VaultError) -> KeyValueWrite.Content {
        .sealed(try fingerprint(of: value, name), key: fingerprint) { version in
            try seal(value, for: Place(namespace: name.namespace.text, key: name.key, version: version))
        }
    }

    /// The value of a secret that is stored.
    ///
    /// - Throws: `VaultError.unreadable`.
    public func open(_ secret: StoredSecret) throws(VaultError) -> String {
        try open(
            secret.sealed,
            for: Place(namespace: secret.name.namespace.text, key: secret.name.key, version: secret.version))
    }

    /// Finds out the fingerprints of values that an earlier release has stored.
    ///
    /// - Returns: the secrets that had none.
    /// - Throws: `VaultError`, `CatalogError`; then nothing is recorded.
    public static func completeFingerprints(in folder: String, _ catalog: Catalog) throws -> [SecretName] {
        let secrets = try catalog.secretsWithoutFingerprint()
        if secrets.isEmpty { return [] }
        let vault = try openOrCreate(in: folder, for: catalog)
        try catalog.setFingerprints(
            secrets.map { secret in (secret, try vault.fingerprint(of: try vault.open(secret), secret.name)) })
        return secrets.map(\.name)
    }
}

extension Vault {
    /// Keeps a value that somebody else keeps, encrypted, so that it can be struck out of outputs.
    ///
    /// - Returns: its fingerprint.
    public func keep(_ value: String, of name: SecretName, in catalog: Catalog) throws -> SecretFingerprint {
        let fingerprint = try fingerprint(of: value, name)
        try catalog.keepProvidedValue(
            SecretReference(name: name, fingerprint: fingerprint),
            seal(value, for: .provided(name.namespace.text, name.key, fingerprint.hex)))
        return fingerprint
    }
}

extension Vault.Place {
    /// Where a value is that somebody else keeps.
    static func provided(_ namespace: String, _ key: String, _ fingerprint: String) -> Vault.Place {
        Vault.Place(namespace: namespace, key: "\(key) \(fingerprint)", version: 0)
    }

    /// Where the key of an authority is.
    ///
    /// - Parameter fingerprint: of its certificate.
    public static func authority(_ fingerprint: Digest) -> Vault.Place {
        Vault.Place(namespace: "", key: "the key of the authority \(fingerprint.hex)", version: 1)
    }

    /// Where it is recorded what the bytes of a file with secrets are.
    public static func sealedFile(_ digest: Digest) -> Vault.Place {
        Vault.Place(namespace: "", key: "the record of the file \(digest.hex)", version: 1)
    }
}
