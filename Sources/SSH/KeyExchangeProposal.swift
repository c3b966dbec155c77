internal import CSSH2

/// What a server offers for a connection (RFC 4253, 7.1): libssh2 only says that nothing was agreed on.
struct KeyExchangeProposal {
    /// Most bytes from the start of a connection that are looked at.
    static let limit = 16 << 10

    /// Key exchange, host keys, then ciphers and MACs, both ways.
    private let lists: [[String]]

    /// - Parameter greeting: the first bytes of a server: its lines up to the one with its version, and its first packet.
    init?(_ greeting: [UInt8]) {
        var rest = greeting[...]
        while !rest.starts(with: "SSH-".utf8) {
            guard let end = rest.firstIndex(of: 0x0a) else { return nil }
            rest = rest[(end + 1)...]
        }
        guard let end = rest.firstIndex(of: 0x0a) else { return nil }
        var reader = WireReader(Array(rest[(end + 1)...]))
        // A packet's length and its padding's; then the message, which is number 20, and 16 random bytes.
        guard reader.uint32() != nil, reader.byte() != nil, reader.byte() == 20, reader.bytes(16) != nil else {
            return nil
        }
        var lists: [[String]] = []
        for _ in 0..<6 {
            guard let names = reader.string() else { return nil }
            lists.append(names.split(separator: ",").map(String.init))
        }
        self.lists = lists
    }

    /// Where the two sides have nothing in common, and what could be done; nil where they have.
    ///
    /// - Parameter hostKeyTypes: those that were asked for, or none for all that libssh2 knows.
    func mismatch(_ session: OpaquePointer, hostKeyTypes: [String], algorithms: SSHAlgorithms) -> String? {
        let kinds: [(name: String, setting: String, method: Int32)] = [
            ("key exchange", "KexAlgorithms", LIBSSH2_METHOD_KEX),
            ("host key type", "HostKeyAlgorithms", LIBSSH2_METHOD_HOSTKEY),
            ("cipher", "Ciphers", LIBSSH2_METHOD_CRYPT_CS), ("cipher", "Ciphers", LIBSSH2_METHOD_CRYPT_SC),
            ("MAC", "MACs", LIBSSH2_METHOD_MAC_CS), ("MAC", "MACs", LIBSSH2_METHOD_MAC_SC),
        ]
        for (kind, offered) in zip(kinds, lists) {
            let isHostKey = kind.method == LIBSSH2_METHOD_HOSTKEY && !hostKeyTypes.isEmpty
            let known = session.supported(kind.method)
            let allowed = algorithms.names(for: kind.method)
            let ours = isHostKey ? hostKeyTypes : allowed.isEmpty ? known : known.filter(allowed.contains)
            // Signatures of RSA keys have names of their own.
            let hasRSA = ours.contains("ssh-rsa") && LibSSH2.signsRSAWithSHA2
            let named = hasRSA ? ours + ["rsa-sha2-512", "rsa-sha2-256"] : ours
            guard !ours.isEmpty, Set(named).isDisjoint(with: offered) else { continue }
            // Some names are no algorithms, but say what else the server understands.
            let theirs = offered.filter { !$0.hasPrefix("ext-info-") && !$0.hasPrefix("kex-strict-") }
            let offer = Self.text(theirs)
            if isHostKey {
                let old = "; with RSA host keys libssh2 before 1.11 knows SHA-1 only, which servers of today refuse"
                return "known_hosts has \(Self.text(ours)) for it, so only that was asked for; the server has "
                    + "\(offer)\(ours == ["ssh-rsa"] && !LibSSH2.signsRSAWithSHA2 ? old : ""). Record one of its other keys, such as "
                    + "that of `ssh-keyscan -t ed25519,ecdsa`, in known_hosts"
            }
            let weak = theirs.filter { known.contains($0) && !ours.contains($0) }
            let remedy =
                if let setting = algorithms.setting, !allowed.isEmpty, let name = weak.first {
                    "\(name) is known here and not used, since it is weak: to allow it for this server, \(setting(name))"
                } else {
                    "or use a newer libssh2 here"
                }
            return "no \(kind.name) is known to both sides: the server has \(offer); libssh2 \(LibSSH2.version.text) "
                + "has \(Self.text(ours)). Allow one of these there (\(kind.setting) in its sshd_config); \(remedy)"
        }
        return nil
    }

    private static func text(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
}
