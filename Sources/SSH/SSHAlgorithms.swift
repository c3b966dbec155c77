internal import CSSH2

/// Which key exchanges, ciphers and MACs a connection may use.
public struct SSHAlgorithms: Sendable {
    /// Names that are allowed for this server beside the usual ones, in their order.
    public var others: [String]
    /// What an operator does to allow one more, for people, given its name; nil where nothing can be allowed.
    public var setting: (@Sendable (String) -> String)?

    /// The usual ones, and these.
    public init(allowing others: [String] = [], setting: (@Sendable (String) -> String)? = nil) {
        self.others = others
        self.setting = setting
    }

    /// What OpenSSH 9 offers unless told otherwise (ssh_config(5): KexAlgorithms, Ciphers, MACs), so nothing with MD5, no
    /// group of 1024 bits, no exchange with SHA-1, no CBC. libssh2 leaves out what it does not know. The exchange with a group
    /// that the server chooses is not among them: libssh2 would calculate for hours with a prime of 30 KB.
    private static let kinds: [(method: Int32, names: [String])] = {
        let ciphers = [
            "chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr",
            "aes192-ctr", "aes128-ctr",
        ]
        let codes = [
            "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com",
            "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1",
        ]
        return [
            (
                LIBSSH2_METHOD_KEX,
                [
                    "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
                    "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512",
                    "diffie-hellman-group14-sha256", "ext-info-c", "kex-strict-c-v00@openssh.com",
                ]
            ),
            (LIBSSH2_METHOD_CRYPT_CS, ciphers), (LIBSSH2_METHOD_CRYPT_SC, ciphers),
            (LIBSSH2_METHOD_MAC_CS, codes), (LIBSSH2_METHOD_MAC_SC, codes),
        ]
    }()

    /// What may be agreed on for a kind of method, best first; empty for kinds that are not chosen here.
    func names(for method: Int32) -> [String] {
        guard let names = Self.kinds.first(where: { $0.method == method })?.names else { return [] }
        return names + others.filter { !names.contains($0) }
    }

    /// Has a session offer these and nothing else.
    ///
    /// - Returns: false where the library knows none of a kind.
    func apply(to session: OpaquePointer) -> Bool {
        Self.kinds.allSatisfy { session.prefer(names(for: $0.method), for: $0.method) }
    }
}
