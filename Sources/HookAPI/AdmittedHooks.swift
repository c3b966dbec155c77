internal import Catalog
internal import Crypto
internal import Foundation
internal import Synchronization

/// Which hooks may ask, by their tokens, and how much each asks at once.
final class AdmittedHooks: Sendable {
    /// Requests at once; each hook that runs has room for one that waits.
    static let limit = 512
    /// Requests at once of one hook.
    static let limitOfOne = 64

    private struct State {
        /// Token -> who shows it.
        var identities: [String: HookIdentity] = [:]
        /// Name -> token.
        var tokens: [String: String] = [:]
        /// Token -> requests under way.
        var requests: [String: Int] = [:]
        var total = 0
    }

    private let state = Mutex(State())

    init(_ hooks: [String: HookIdentity]) { for (token, identity) in hooks { admit(identity, token: token) } }

    func admit(_ identity: HookIdentity, token: String) {
        state.withLock { state in
            state.identities[token] = identity
            state.tokens[Self.name(of: token)] = token
        }
    }

    func dismiss(_ attempt: WritingAttempt) {
        state.withLock { state in
            for (token, identity) in state.identities where identity.attempt == attempt {
                state.identities[token] = nil
                state.tokens[Self.name(of: token)] = nil
            }
        }
    }

    enum Entry {
        case identity(HookIdentity)
        case unknown
        case tooMany(ofOne: Bool)
    }

    /// Counts a request; `left` is to be called at its end where it is let in.
    func enter(_ token: String) -> Entry {
        state.withLock { state in
            guard let identity = state.identities[token] else { return .unknown }
            guard state.requests[token, default: 0] < Self.limitOfOne else { return .tooMany(ofOne: true) }
            guard state.total < Self.limit else { return .tooMany(ofOne: false) }
            state.requests[token, default: 0] += 1
            state.total += 1
            return .identity(identity)
        }
    }

    func left(_ token: String) {
        state.withLock { state in
            state.total -= 1
            let count = state.requests[token, default: 1] - 1
            state.requests[token] = count == 0 ? nil : count
        }
    }

    /// What only somebody can say who knows the token of this hook, and nobody else for this listener: a process that passes the
    /// question on to it is found out by the address.
    ///
    /// - Returns: nil where no such hook runs.
    func proof(hook name: String, challenge: String, address: String) -> String? {
        guard let token = state.withLock({ $0.tokens[name] }) else { return nil }
        return Self.code(token, "maand server\n\(address)\n\(challenge)")
    }

    /// What a hook is called where its token must not be said.
    static func name(of token: String) -> String { code(token, "maand hook") }

    private static func code(_ token: String, _ text: String) -> String {
        HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: SymmetricKey(data: Data(token.utf8)))
            .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
