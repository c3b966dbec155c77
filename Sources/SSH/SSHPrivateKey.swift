internal import FoundationEssentials

/// A private key from a file, ready to sign: read, decrypted and checked once, used for any number of connections.
public struct SSHPrivateKey: Sendable, CustomStringConvertible {
    /// Where it was read.
    public let path: String
    /// `ssh-ed25519`, `ecdsa-sha2-nistp256`, ...; for keys in a PEM format that hides it, the format's name.
    public let type: String
    /// `SHA256:...`, where the format shows the public key.
    public let fingerprint: String?
    /// The key as libssh2 reads it, without encryption, and a NUL: whatever length the library (1.10) is told, it looks for
    /// that behind the text. Never printed.
    let text: [UInt8]

    /// Type and fingerprint, nothing of the key itself.
    public var description: String { fingerprint.map { "\(type) \($0)" } ?? type }

    /// Reads a key file. Deriving the key of an encrypted file takes a good part of a second, on a queue of its own.
    ///
    /// - Parameter passphrase: needed for an encrypted key only.
    /// - Throws: ``SSHError/key(path:reason:)`` where the file cannot be read or understood,
    ///   ``SSHError/passphraseNeeded(path:)``, ``SSHError/wrongPassphrase(path:)``, and
    ///   ``SSHError/unsupportedKey(name:reason:remedy:)`` for a key that this libssh2 cannot sign with.
    public static func load(path: String, passphrase: String? = nil) async throws(SSHError) -> SSHPrivateKey {
        let bytes: [UInt8]
        switch SmallFile.read(path, limit: 1 << 20, isPrivate: true) {
        case .success(let read): bytes = read
        case .failure(.open(let mode)):
            // The public half, or a certificate, may be read by others.
            if case .success(let read) = SmallFile.read(path, limit: 1 << 20),
                PEM.label(of: String(decoding: read, as: UTF8.self)) == nil
            {
                bytes = read
                break
            }
            throw .key(
                path: path, reason: SmallFile.Fault.open(mode: mode).reason + "; run: chmod 600 \(copiedWord(path))")
        case .failure(let fault): throw .key(path: path, reason: fault.reason)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let label = PEM.label(of: text) else {
            // Perhaps the public half, or a certificate.
            let type = text.prefix { $0 != " " }
            if type.contains("-cert-v0"), let problem = KeyUse(type: String(type)).problem {
                throw .unsupportedKey(name: path, reason: problem.reason, remedy: problem.remedy)
            }
            throw .key(path: path, reason: "this is not a private key (no line begins with -----BEGIN)")
        }
        guard label == "OPENSSH PRIVATE KEY" else {
            return try pem(text, bytes: bytes, label: label, path: path)
        }
        guard let payload = PEM.payload(of: text, label: label), let file = OpenSSHKeyFile(payload) else {
            throw .key(path: path, reason: "the key file is damaged")
        }
        if let problem = KeyUse(type: file.publicKey.type).problem {
            throw .unsupportedKey(name: path, reason: problem.reason, remedy: problem.remedy)
        }
        let plain = try await file.decrypted(passphrase: passphrase, path: path)
        return SSHPrivateKey(
            path: path, type: file.publicKey.type, fingerprint: file.publicKey.fingerprint,
            text: Array(PEM.text(plain, label: label).utf8) + [0])
    }

    /// The older formats are left to libssh2, without encryption.
    private static func pem(
        _ text: String, bytes: [UInt8], label: String, path: String
    ) throws(SSHError) -> SSHPrivateKey {
        if label == "ENCRYPTED PRIVATE KEY" || text.contains("Proc-Type: 4,ENCRYPTED") {
            throw .key(
                path: path,
                reason:
                    "encrypted keys are read in OpenSSH's own format only; `ssh-keygen -p -f \(copiedWord(path))` converts it"
            )
        }
        // The identifier of RSA inside PKCS #8 (RFC 8017, A.1).
        let rsa: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01]
        let isRSA =
            label == "RSA PRIVATE KEY" || (PEM.payload(of: text, label: label)?.prefix(64).contains(rsa) ?? false)
        if let problem = KeyUse(type: isRSA ? "ssh-rsa" : label == "DSA PRIVATE KEY" ? "ssh-dss" : label).problem {
            throw .unsupportedKey(name: path, reason: problem.reason, remedy: problem.remedy)
        }
        return SSHPrivateKey(path: path, type: label, fingerprint: nil, text: bytes + [0])
    }
}

/// The frame around keys in text form (RFC 7468).
enum PEM {
    static func label(of text: String) -> String? {
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("-----BEGIN ") {
            let rest = line.dropFirst(11)
            return rest.hasSuffix("-----") ? String(rest.dropLast(5)) : nil
        }
        return nil
    }

    static func payload(of text: String, label: String) -> [UInt8]? {
        let lines = text.split(whereSeparator: \.isNewline)
        guard let start = lines.firstIndex(of: "-----BEGIN \(label)-----"),
            let end = lines.firstIndex(of: "-----END \(label)-----"), start < end
        else { return nil }
        return Data(base64Encoded: lines[(start + 1)..<end].joined()).map { Array($0) }
    }

    static func text(_ payload: [UInt8], label: String) -> String {
        let body = Data(payload).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        return "-----BEGIN \(label)-----\n\(body)\n-----END \(label)-----\n"
    }
}
