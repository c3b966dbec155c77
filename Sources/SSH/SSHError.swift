/// Everything that can go wrong between this program and a command on a server.
///
/// A command that ends with another status than 0 is no error: see ``SSHExecution/Outcome``. Texts name the server, what
/// happened, and what can be done about it; no secret is part of them.
public indirect enum SSHError: Error, Sendable, Hashable {
    /// The way to a server through another one failed, at that other one.
    case jumpHost(SSHError)
    /// No connection could be made: the name does not resolve, there is no route, nobody answered.
    case unreachable(SSHEndpoint, reason: String)
    /// The host answered and said that nothing listens there.
    case refused(SSHEndpoint)
    /// The two sides could not agree on keys and ciphers, or the peer does not speak SSH.
    case handshake(SSHEndpoint, reason: String)
    /// The server's host key is not in known_hosts.
    case unknownHostKey(SSHEndpoint, presented: SSHHostKey, note: String?)
    /// The server shows another host key than the one that is on record at `source` (`file:line`, or who has pinned it).
    /// `remedy` is what to do where the new key is right.
    case changedHostKey(SSHEndpoint, presented: SSHHostKey, recorded: [String], source: String, remedy: String)
    /// The host key is marked `@revoked` at `source` (`file:line`).
    case revokedHostKey(SSHEndpoint, presented: SSHHostKey, source: String)
    /// None of the keys was accepted for the user.
    case authentication(SSHEndpoint, reason: String)
    /// `limit` passed while the connection was in `phase`.
    case timedOut(SSHEndpoint, phase: SSHPhase, limit: Duration)
    /// The connection broke, or the peer was silent for too long. A command that was running may still run.
    case connectionLost(SSHEndpoint, reason: String)
    /// The server refused a channel or a command on an open connection, or a channel broke.
    case channel(SSHEndpoint, reason: String)
    /// The server allows not even one more channel on this connection (`MaxSessions`).
    case tooManyChannels(SSHEndpoint)
    /// A key that the libssh2 in use cannot sign with.
    case unsupportedKey(name: String, reason: String, remedy: String)
    /// A key file that cannot be read or understood.
    case key(path: String, reason: String)
    /// An encrypted key without a passphrase.
    case passphraseNeeded(path: String)
    /// An encrypted key with another passphrase.
    case wrongPassphrase(path: String)
    /// The ssh-agent cannot be asked.
    case agent(reason: String)
    /// A known_hosts file that cannot be read or written; `place` is `file` or `file:line`.
    case knownHosts(place: String, reason: String)
    /// The caller's source of standard input, or its reader of output, threw.
    case caller(SSHEndpoint, reason: String)
    /// The task that waited was cancelled. A command that was running may still run.
    case cancelled(SSHEndpoint)
    /// The reactor was shut down, or the connection closed, by this program.
    case closed(SSHEndpoint)
}

extension SSHError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .jumpHost(let error):
            "jump host \(error)"
        case .unreachable(let endpoint, let reason):
            "\(endpoint) is unreachable: \(reason)."
        case .refused(let endpoint):
            "\(endpoint) refused the connection: the host is up, but nothing listens on port \(endpoint.port). "
                + "Is sshd running there, and is the port right?"
        case .handshake(let endpoint, let reason):
            "\(endpoint): no SSH connection could be set up: \(reason)."
        case .unknownHostKey(let endpoint, let presented, let note):
            "\(endpoint): the host key \(presented) is not in known_hosts\(note.map { " (\($0))" } ?? ""). "
                + "Compare the fingerprint with the host's own (`ssh-keygen -lf` on its host key), then record the key."
        case .changedHostKey(let endpoint, let presented, let recorded, let source, let remedy):
            "\(endpoint): THE HOST KEY HAS CHANGED. The server shows \(presented); \(source) has "
                + "\(recorded.joined(separator: ", ")). Either the host was reinstalled, or somebody is in between. "
                + "Nothing was sent. If the key that it shows is right, \(remedy)."
        case .revokedHostKey(let endpoint, let presented, let source):
            "\(endpoint): the host key \(presented) is revoked by \(source). Nothing was sent."
        case .authentication(let endpoint, let reason):
            "\(endpoint): not logged in: \(reason)."
        case .timedOut(let endpoint, let phase, let limit):
            "\(endpoint) did not answer within \(limit) (\(phase.rawValue))."
        case .connectionLost(let endpoint, let reason):
            "\(endpoint): the connection was lost: \(reason)."
        case .channel(let endpoint, let reason):
            "\(endpoint): \(reason)."
        case .tooManyChannels(let endpoint):
            "\(endpoint): the server allows no channel on this connection; see MaxSessions in its sshd_config."
        case .unsupportedKey(let name, let reason, let remedy):
            "\(name): this key cannot be used: \(reason). \(remedy)"
        case .key(let path, let reason):
            "\(path): \(reason)."
        case .passphraseNeeded(let path):
            "\(path): the key is encrypted, and no passphrase was given."
        case .wrongPassphrase(let path):
            "\(path): the passphrase is not the one of this key."
        case .agent(let reason):
            "ssh-agent: \(reason)."
        case .knownHosts(let place, let reason):
            "\(place): \(reason)."
        case .caller(let endpoint, let reason):
            "\(endpoint): the command's input or output was given up on this side: \(reason)."
        case .cancelled(let endpoint):
            "\(endpoint): given up before it was done."
        case .closed(let endpoint):
            "\(endpoint): the connection is closed."
        }
    }
}
