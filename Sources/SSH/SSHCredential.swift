/// What to log in with.
public enum SSHCredential: Sendable {
    case key(SSHPrivateKey)
    /// Every usable key of an agent, in its order. Servers hang up after a few refused ones (`MaxAuthTries`).
    case agent(SSHAgent)

    /// Whether a server gets more than one key to look at.
    public var offersSeveral: Bool { attempts.count > 1 }

    var attempts: [AuthenticationAttempt] {
        switch self {
        case .key(let key): [.key(key)]
        case .agent(let agent): agent.identities.map { .agent(agent, $0) }
        }
    }
}
