internal import Crypto
internal import CryptoExtras
internal import Dispatch
internal import FoundationEssentials

/// What stands in an OpenSSH private key file (OpenSSH's PROTOCOL.key).
struct OpenSSHKeyFile: Sendable {
    private let cipher: String
    private let derivation: String
    private let derivationOptions: [UInt8]
    private let sealed: [UInt8]
    let publicKey: SSHHostKey

    private static let magic = Array("openssh-key-v1".utf8) + [0]

    /// Reads the file's payload; nil where it is not of this format, or holds more than one key.
    init?(_ payload: [UInt8]) {
        var reader = WireReader(payload)
        guard reader.bytes(Self.magic.count) == Self.magic, let cipher = reader.string(),
            let derivation = reader.string(), let options = reader.field(), reader.uint32() == 1,
            let blob = reader.field(), let publicKey = SSHHostKey(blob: blob), let sealed = reader.field()
        else { return nil }
        (self.cipher, self.derivation, derivationOptions) = (cipher, derivation, options)
        (self.publicKey, self.sealed) = (publicKey, sealed)
    }

    /// The same key as a payload without encryption.
    func decrypted(passphrase: String?, path: String) async throws(SSHError) -> [UInt8] {
        guard cipher != "none" else { return payload(with: sealed) }
        guard let passphrase, !passphrase.isEmpty else { throw .passphraseNeeded(path: path) }
        guard derivation == "bcrypt", let cipher = Cipher(rawValue: cipher) else {
            throw .key(
                path: path,
                reason:
                    "the cipher \(cipher) is not supported; `ssh-keygen -p -f \(copiedWord(path))` encrypts it again"
            )
        }
        var reader = WireReader(derivationOptions)
        guard let salt = reader.field(), let rounds = reader.uint32(), rounds > 0, rounds <= 10_000 else {
            throw .key(path: path, reason: "the key file is damaged")
        }
        let material = await withCheckedContinuation { continuation in
            DispatchQueue(label: "ssh.key").async {
                continuation.resume(
                    returning: BcryptKeyDerivation.derive(
                        passphrase: Array(passphrase.utf8), salt: salt, rounds: Int(rounds), count: cipher.keySize + 16)
                )
            }
        }
        guard let plain = cipher.decrypt(sealed, material) else {
            throw .key(path: path, reason: "the key file is damaged")
        }
        // The same random number is listed twice at the front: that is the format's check of the passphrase.
        var check = WireReader(plain)
        guard let first = check.uint32(), first == check.uint32() else { throw .wrongPassphrase(path: path) }
        return payload(with: plain)
    }

    /// Ciphers of key files; `ssh-keygen` writes aes256-ctr unless its option `-Z` names another one.
    private enum Cipher: String {
        case aes128CBC = "aes128-cbc"
        case aes192CBC = "aes192-cbc"
        case aes256CBC = "aes256-cbc"
        case aes128CTR = "aes128-ctr"
        case aes192CTR = "aes192-ctr"
        case aes256CTR = "aes256-ctr"

        /// Bytes.
        var keySize: Int {
            switch self {
            case .aes128CBC, .aes128CTR: 16
            case .aes192CBC, .aes192CTR: 24
            case .aes256CBC, .aes256CTR: 32
            }
        }

        /// - Parameter material: the key, and 16 bytes to begin with.
        /// - Returns: nil if the bytes cannot be of this cipher.
        func decrypt(_ sealed: [UInt8], _ material: [UInt8]) -> [UInt8]? {
            let key = SymmetricKey(data: material[..<keySize])
            let start = material[keySize...]
            switch self {
            case .aes128CBC, .aes192CBC, .aes256CBC:
                guard let iv = try? AES._CBC.IV(ivBytes: start) else { return nil }
                return (try? AES._CBC.decrypt(sealed, using: key, iv: iv, noPadding: true)).map { Array($0) }
            case .aes128CTR, .aes192CTR, .aes256CTR:
                guard let nonce = try? AES._CTR.Nonce(nonceBytes: start) else { return nil }
                return (try? AES._CTR.decrypt(sealed, using: key, nonce: nonce)).map { Array($0) }
            }
        }
    }

    private func payload(with secrets: [UInt8]) -> [UInt8] {
        var writer = WireWriter()
        writer.raw(Self.magic)
        writer.field("none".utf8)
        writer.field("none".utf8)
        writer.field([])
        writer.uint32(1)
        writer.field(publicKey.blob)
        writer.field(secrets)
        return writer.bytes
    }
}
