internal import KeyValues
internal import Model
package import SecretSources
internal import Synchronization

/// What one process knows of values of secrets, in its memory alone: those that somebody else keeps, and all that are struck
/// out of outputs.
package final class SecretMemory: Sendable {
    /// A value with its fingerprint.
    struct Value: Sendable {
        let text: String
        let fingerprint: SecretFingerprint
    }

    let sources: SecretSources
    private let values = Mutex<[SecretName: Value]>([:])
    private let struck = Mutex<(state: String, secrets: StruckSecrets)?>(nil)

    package init(_ sources: SecretSources) { self.sources = sources }

    subscript(name: SecretName) -> Value? { values.withLock { $0[name] } }

    func keep(_ text: String, _ fingerprint: SecretFingerprint, _ name: SecretName) {
        values.withLock { $0[name] = Value(text: text, fingerprint: fingerprint) }
    }

    /// What is struck out of outputs: what is stored, in the forms that templates make of it, and what somebody else keeps.
    ///
    /// - Parameters:
    ///   - state: tells what is stored now from what was stored when it was read last.
    ///   - stored: reads it.
    func struckSecrets(_ state: String, stored: () throws -> StruckSecrets) rethrows -> StruckSecrets {
        let provided = values.withLock { $0 }
        let state = "\(state) \(provided.count)"
        if let known = struck.withLock({ $0 }), known.state == state { return known.secrets }
        var secrets = try stored()
        for value in provided.values { secrets.insert(value.text) }
        let all = secrets.withChangedLetters
        struck.withLock { $0 = (state, all) }
        return all
    }
}
