/// Host keys that were agreed on before, beside known_hosts.
public struct SSHPinnedKeys: Sendable {
    /// `SHA256:...`
    public var fingerprints: Set<String>
    /// What has them, for people: `the plan`.
    public var source: String
    /// What has to be done for others to be agreed on, for people: `plan again`.
    public var renewal: String

    public init(_ fingerprints: Set<String>, source: String, renewal: String) {
        self.fingerprints = fingerprints
        self.source = source
        self.renewal = renewal
    }
}

/// Which host keys are trusted. What known_hosts revoke never is.
public enum SSHHostKeyPolicy: Sendable {
    /// The key must be in known_hosts.
    case known(KnownHosts)
    /// The key must be one of these, and in known_hosts as well: a line that was taken out since counts no more. A host of
    /// which known_hosts have no key at all is accepted with one of these, and its key appended to the file at `record`;
    /// nil where that is not wanted.
    case pinned(SSHPinnedKeys, KnownHosts, record: String?)
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
        case .known(let hosts), .pinned(_, let hosts, _), .acceptNew(let hosts, _): hosts
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
            case .pinned(let pins, _, _): return pins.fingerprints.contains(entry.key.fingerprint)
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
        if case .pinned(let pins, _, _) = self, !pins.fingerprints.contains(key.fingerprint) {
            return .refused(otherThan(pins, key, of: endpoint, plain))
        }
        if plain.contains(where: { $0.key == key }) { return .trusted }
        // The types asked for were those on record, so another type here is a change as well.
        if let other = plain.first(where: { $0.key.type == key.type }) ?? plain.first {
            return .refused(
                .changedHostKey(
                    endpoint, presented: key, recorded: [other.key.description], source: other.place,
                    remedy: "put it into that line"))
        }
        switch self {
        case .acceptNew(_, let path), .pinned(_, _, let path?): return .new(recordIn: path)
        case .known, .pinned(_, _, nil): break
        }
        let authority = entries.first { $0.marker == .certificateAuthority }
        let notes = [
            authority.map { "\($0.place) names a certificate authority, and host certificates are not read" },
            pinSource.map { "\($0) has it, but what known_hosts no longer have is not trusted" },
        ].compactMap { $0 }
        return .refused(
            .unknownHostKey(endpoint, presented: key, note: notes.isEmpty ? nil : notes.joined(separator: "; ")))
    }

    private var pinSource: String? {
        switch self {
        case .pinned(let pins, _, _): pins.source
        case .known, .acceptNew: nil
        }
    }

    /// The host shows a key that is not pinned; names the line of known_hosts that has a pinned one, where there is one.
    private func otherThan(
        _ pins: SSHPinnedKeys, _ key: SSHHostKey, of endpoint: SSHEndpoint, _ plain: [KnownHosts.Entry]
    ) -> SSHError {
        if let line = plain.first(where: { pins.fingerprints.contains($0.key.fingerprint) }) {
            return .changedHostKey(
                endpoint, presented: key, recorded: [line.key.description], source: line.place,
                remedy: "put it into that line and \(pins.renewal)")
        }
        let isKnown = plain.contains { $0.key == key }
        return .changedHostKey(
            endpoint, presented: key, recorded: pins.fingerprints.sorted(), source: pins.source,
            remedy: isKnown ? pins.renewal : "record it in known_hosts and \(pins.renewal)")
    }
}
