internal import Crypto
internal import FoundationEssentials

/// A server's public host key.
public struct SSHHostKey: Sendable, Hashable, CustomStringConvertible {
    /// The key's type as it is written in known_hosts: `ssh-ed25519`, `ecdsa-sha2-nistp256`, ...
    public let type: String
    /// The key in the SSH wire format (RFC 4253, 6.6).
    public let blob: [UInt8]

    /// Takes a key in its wire format; nil where that does not begin with a type.
    public init?(blob: [UInt8]) {
        var reader = WireReader(blob)
        guard let type = reader.string(), !type.isEmpty, type.utf8.count <= 64 else { return nil }
        self.type = type
        self.blob = blob
    }

    /// Takes the two words of a line of known_hosts or of a public key file; nil where they do not belong together.
    init?(type: some StringProtocol, base64: some StringProtocol) {
        guard let data = Data(base64Encoded: String(base64)), let key = Self(blob: Array(data)), key.type == type else {
            return nil
        }
        self = key
    }

    /// `SHA256:` and the unpadded base64 of the digest, as `ssh-keygen -l` prints it.
    public var fingerprint: String { Self.fingerprint(of: blob) }

    /// Type and fingerprint.
    public var description: String { "\(type) \(fingerprint)" }

    /// The key as it stands in a known_hosts line, in base64.
    var base64: String { Data(blob).base64EncodedString() }

    static func fingerprint(of blob: [UInt8]) -> String {
        let text = Data(SHA256.hash(data: blob)).base64EncodedString()
        return "SHA256:" + text.prefix { $0 != "=" }
    }
}
