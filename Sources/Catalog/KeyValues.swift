public import Model
internal import Plans

/// A value as it is stored.
public enum StoredValue: Equatable, Sendable {
    case text(String)
    /// Encrypted, for a namespace of secrets; the catalog never sees what is in it.
    case sealed([UInt8])
}

/// One version of one key.
public struct KeyValueEntry: Equatable, Sendable {
    public let namespace: KVNamespace
    public let key: String
    /// Grows by at least 1 with each change of the key. Sealed values are bound to it.
    public let version: Int
    /// Nil where this version is a deletion.
    public let value: StoredValue?
    /// When this version was written.
    public let writtenAt: Timestamp
    /// `user@host`, or the run and the step.
    public let writtenBy: String
    /// The run whose hook wrote it; nil where a person did.
    public let run: RunID?
    /// Of a secret's value; nil where an earlier release has stored it.
    public let fingerprint: SecretFingerprint?
}

/// What is written to one key.
public struct KeyValueWrite: Sendable {
    /// A value in the open, or encrypted.
    public enum Content: Sendable {
        case text(String)
        /// Encrypts the value for the version that it gets; called once, inside the transaction. `key`: the fingerprint of the
        /// bucket's key that does so.
        case sealed(SecretFingerprint, key: String, @Sendable (_ version: Int) throws -> [UInt8])
        case deletion
    }

    public let namespace: KVNamespace
    public let key: String
    /// What is written.
    public let content: Content

    public init(_ namespace: KVNamespace, _ key: String, _ content: Content) {
        self.namespace = namespace
        self.key = key
        self.content = content
    }
}

/// Which attempt of a hook writes; the writes take effect with its success.
public struct WritingAttempt: Hashable, Sendable {
    public let run: RunID
    public let step: StepID
    /// 1, 2, 3 ... of the step.
    public let attempt: Int

    public init(run: RunID, step: StepID, attempt: Int) {
        self.run = run
        self.step = step
        self.attempt = attempt
    }
}

/// Why a write was not made. Nothing of it is recorded.
public enum KeyValueError: Error, Equatable, Sendable {
    /// The attempt has an outcome, so that nothing can be added to it any more.
    case attemptEnded(WritingAttempt)
    case tooManyKeys(KVNamespace)
    /// The bucket has got another key since the value was encrypted.
    case keyReplaced
    /// Another key of the namespace looks just like it: the same text in another spelling of Unicode.
    case otherSpelling(KVNamespace, key: String)
}

extension KeyValueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .attemptEnded(let attempt):
            "attempt \(attempt.attempt) of the step \(attempt.step) is over, and what its hook left behind cannot write any more"
        case .tooManyKeys(let namespace):
            "\(namespace) has \(KeyValue.maximumKeys) keys, which is the limit; delete some"
        case .keyReplaced: "the bucket's key was replaced meanwhile; do it again"
        case .otherSpelling(let namespace, let key):
            "\(namespace) has the key \(key) in another spelling of Unicode, and nobody could tell the two apart; write "
                + "the key as it is there, or delete that one"
        }
    }
}
