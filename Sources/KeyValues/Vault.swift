internal import Crypto
internal import Foundation
public import Model

/// The bucket's key, and what is done with it: values of secrets are sealed, and hooks get tokens. Fingerprints of secrets
/// are made under a key of their own, which is sealed with the bucket's: so they stay when that is replaced.
///
/// The key lies in one file below `secrets/`, which only its owner may read. Uses are told apart by keys of their own
/// that are derived from it (HKDF), so that what is sealed never gives a token away.
public struct Vault: Sendable {
    private let sealing: SymmetricKey
    private let tokens: SymmetricKey
    /// Nil where secrets are only read.
    private var fingerprints: SymmetricKey?
    /// Tells this key from others, and says nothing about it; safe to store and to show.
    public let fingerprint: String

    init(key: SymmetricKey) {
        func derived(_ use: String) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: Data("maand \(use)".utf8), outputByteCount: 32)
        }
        sealing = derived("secrets")
        tokens = derived("hook tokens")
        fingerprint = derived("fingerprint").withUnsafeBytes { Self.hex($0.prefix(16)) }
    }

    /// Encrypts a value with AES-256-GCM under a random nonce, bound to the place and version for which it is.
    public func seal(_ value: String, for place: Place) throws(VaultError) -> [UInt8] {
        do {
            let box = try AES.GCM.seal(Data(value.utf8), using: sealing, authenticating: place.bytes)
            guard let combined = box.combined else { throw VaultError.unreadable(place) }
            return Array(combined)
        } catch {
            throw .unreadable(place)
        }
    }

    /// - Throws: `VaultError.unreadable` where the bytes are not what `seal` made for this place, or not with this key.
    public func open(_ sealed: [UInt8], for place: Place) throws(VaultError) -> String {
        do {
            let bytes = try AES.GCM.open(
                AES.GCM.SealedBox(combined: sealed), using: sealing, authenticating: place.bytes)
            guard let text = String(validating: Array(bytes), as: UTF8.self) else { throw VaultError.unreadable(place) }
            return text
        } catch {
            throw .unreadable(place)
        }
    }

    /// What a hook shows to prove that it is the one of this context; 64 hexadecimal digits.
    public func token(for context: String) -> String { Self.hex(authenticate(context, tokens)) }

    /// What a secret's value is known by where it may not be.
    ///
    /// - Throws: `VaultError.noFingerprints` if the vault was opened for reading alone.
    public func fingerprint(of value: String, _ name: SecretName) throws(VaultError) -> SecretFingerprint {
        guard let fingerprints else { throw .noFingerprints }
        // Lengths first, so that no two secrets have the same input.
        let namespace = name.namespace.text
        let input = "1 \(namespace.utf8.count) \(name.key.utf8.count) \(namespace)\(name.key)\(value)"
        guard let fingerprint = SecretFingerprint(hex: Self.hex(authenticate(input, fingerprints))) else {
            throw .noFingerprints
        }
        return fingerprint
    }

    /// The same with the key under which fingerprints are made.
    func withFingerprints(_ sealedKey: [UInt8]) throws(VaultError) -> Vault {
        var vault = self
        guard let data = Data(base64Encoded: try open(sealedKey, for: Self.fingerprintPlace)), data.count == 32 else {
            throw .unreadable(Self.fingerprintPlace)
        }
        vault.fingerprints = SymmetricKey(data: data)
        return vault
    }

    /// A random key for fingerprints, sealed.
    func newFingerprintKey() throws(VaultError) -> [UInt8] {
        let key = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
        return try seal(key, for: Self.fingerprintPlace)
    }

    /// Where that key is.
    static let fingerprintPlace = Place(namespace: "", key: "the key of fingerprints", version: 1)

    private func authenticate(_ text: String, _ key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key))
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// Which value of which key, so that no sealed value can stand for another one.
    public struct Place: Hashable, Sendable, CustomStringConvertible {
        public let namespace: String
        public let key: String
        public let version: Int

        public init(namespace: String, key: String, version: Int) {
            self.namespace = namespace
            self.key = key
            self.version = version
        }

        public var description: String { namespace.isEmpty ? key : "\(key) in \(namespace)" }

        /// Lengths first, so that no two places have the same bytes.
        var bytes: Data {
            Data("1 \(namespace.utf8.count) \(key.utf8.count) \(version) \(namespace)\(key)".utf8)
        }
    }
}

/// Why secrets cannot be used. Texts never hold one.
public enum VaultError: Error, Equatable, Sendable {
    /// Secrets are stored, and the key that they are encrypted with is not there any more.
    ///
    /// - Parameter secret: one of them, such as `password of secrets/job/api`; nil where none is known.
    case lost(path: String, secret: String?)
    /// Hooks of a run that has not ended wrote secrets, and the key that they are encrypted with is not there any more.
    case lostInRun(path: String, run: Int)
    case link(path: String)
    /// Another key than the one that the bucket's secrets are encrypted with.
    case other(path: String)
    /// Others than the owner could read the file.
    case exposed(path: String, mode: String)
    case foreignOwner(path: String)
    case malformed(path: String)
    case failed(path: String, reason: String)
    /// A stored value was altered, or moved from another key.
    case unreadable(Vault.Place)
    /// Fingerprints were asked for where secrets are only read.
    case noFingerprints
}

extension VaultError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .lost(let path, let secret):
            "\(path) is missing, and \(secret ?? "the bucket's secrets") \(secret == nil ? "are" : "is") encrypted with it. "
                + "Put the file back from its backup. Without one the secrets are lost: `maand-plan kv list` names them; "
                + "delete each with `maand-plan kv delete`, then put them again. `maand-plan certs forget` gives certificates "
                + "and their authority up, to make new ones."
        case .lostInRun(let path, let run):
            "\(path) is missing, and secrets that hooks of run \(run) wrote are encrypted with it. Put the file back from "
                + "its backup. Without one they are lost: give the run up with `maand-apply abandon \(run) --reason …`."
        case .link(let path): "\(path) is a symbolic link, which is not followed. Put the file itself there."
        case .other(let path):
            "\(path) is not the key that this bucket's secrets are encrypted with. Put the bucket's own file back."
        case .exposed(let path, let mode):
            "\(path) has the mode \(mode), so that others than you could read the key. If nobody has: chmod 600 \(ShellText.copied(path))"
        case .foreignOwner(let path):
            "\(path) belongs to another user; the key has to be yours: chown it, or be that user."
        case .malformed(let path): "\(path) is not a key of this program. Restore the file from a backup."
        case .failed(let path, let reason): "\(path): \(reason). Check that you may read and write the folder."
        case .unreadable(let place):
            "the stored value of \(place) was altered or belongs elsewhere, and cannot be read. Put the secret again."
        case .noFingerprints: "the key for fingerprints of secrets is not at hand"
        }
    }
}
