internal import KeyValues
internal import Model
package import SecretSources
internal import Synchronization

/// Values of secrets that somebody else keeps, for the life of one process and in its memory alone.
package final class ProvidedValues: Sendable {
    /// A value with its fingerprint.
    struct Value: Sendable {
        let text: String
        let fingerprint: SecretFingerprint
    }

    let sources: SecretSources
    private let values = Mutex<[SecretName: Value]>([:])

    package init(_ sources: SecretSources) { self.sources = sources }

    subscript(name: SecretName) -> Value? { values.withLock { $0[name] } }

    func keep(_ text: String, _ fingerprint: SecretFingerprint, _ name: SecretName) {
        values.withLock { $0[name] = Value(text: text, fingerprint: fingerprint) }
    }

    /// Adds them to what is struck out of an output.
    func add(to secrets: inout StruckSecrets) {
        for value in values.withLock({ $0 }).values { secrets.insert(value.text) }
    }
}
