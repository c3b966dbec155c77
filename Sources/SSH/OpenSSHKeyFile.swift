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
        guard derivation == "bcrypt", cipher == "aes256-ctr" else {
            throw .key(
                path: path,
                reason: "the cipher \(cipher) is not supported; `ssh-keygen -p -f \(path)` encrypts it again"
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
                        passphrase: Array(passphrase.utf8), salt: salt, rounds: Int(rounds), count: 48))
            }
        }
        var plain: [UInt8]?
        if let nonce = try? AES._CTR.Nonce(nonceBytes: material[32...]) {
            plain = (try? AES._CTR.decrypt(sealed, using: .init(data: material[..<32]), nonce: nonce)).map { Array($0) }
        }
        guard let plain else { throw .key(path: path, reason: "the key file is damaged") }
        // The same random number is listed twice at the front: that is the format's check of the passphrase.
        var check = WireReader(plain)
        guard let first = check.uint32(), first == check.uint32() else { throw .wrongPassphrase(path: path) }
        return payload(with: plain)
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
