/// Which host keys are trusted.
public enum SSHHostKeyPolicy: Sendable {
    /// The key must be in known_hosts.
    case known(KnownHosts)
    /// The key must have one of these fingerprints (`SHA256:...`), whatever known_hosts say of others; the files serve to
    /// ask the server for the key type that was recorded, and for what they revoke.
    case pinned(Set<String>, KnownHosts)
    /// As `known`; a host of which known_hosts have no key at all is accepted and its key appended to the file at `record`.
    case acceptNew(KnownHosts, record: String)
}

extension SSHHostKeyPolicy {
    enum Verdict {
        case trusted
        case new(recordIn: String)
        case refused(SSHError)
    }

    private var knownHosts: KnownHosts {
        switch self {
        case .known(let hosts), .pinned(_, let hosts), .acceptNew(let hosts, _): hosts
        }
    }

    /// The key types to ask the server for, or none for the usual order. Without it, a server that has an ECDSA key too
    /// would show that one, and a known_hosts file with its Ed25519 key would seem to have no entry.
    func types(for endpoint: SSHEndpoint) -> [String] {
        var seen: Set<String> = []
        return knownHosts.entries(for: endpoint).filter { entry in
            guard entry.marker == nil else { return false }
            switch self {
            case .known, .acceptNew: return true
            case .pinned(let fingerprints, _): return fingerprints.contains(entry.key.fingerprint)
            }
        }.map(\.key.type).filter { seen.insert($0).inserted }
    }

    /// What this policy says of a key that a server shows.
    func judge(_ key: SSHHostKey, of endpoint: SSHEndpoint) -> Verdict {
        let entries = knownHosts.entries(for: endpoint)
        if let revoked = entries.first(where: { $0.marker == .revoked && $0.key == key }) {
            return .refused(.revokedHostKey(endpoint, presented: key, source: revoked.place))
        }
        let plain = entries.filter { $0.marker == nil }
        switch self {
        case .pinned(let fingerprints, _):
            guard !fingerprints.contains(key.fingerprint) else { return .trusted }
            return .refused(
                .changedHostKey(
                    endpoint, presented: key, recorded: fingerprints.sorted(), source: "the list of trusted keys"))
        case .known, .acceptNew:
            if plain.contains(where: { $0.key == key }) { return .trusted }
            // The types asked for were those on record, so another type here is a change as well.
            if let other = plain.first(where: { $0.key.type == key.type }) ?? plain.first {
                return .refused(
                    .changedHostKey(
                        endpoint, presented: key, recorded: [other.key.description], source: other.place))
            }
        }
        if case .acceptNew(_, let path) = self { return .new(recordIn: path) }
        let authority = entries.first { $0.marker == .certificateAuthority }
        return .refused(
            .unknownHostKey(
                endpoint, presented: key,
                note: authority.map { "\($0.place) names a certificate authority, and host certificates are not read" }
            ))
    }
}
