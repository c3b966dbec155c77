public import Model

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
    /// Grows with every write to the bucket; versions of one key are not consecutive. Sealed values are bound to it.
    public let version: Int
    /// Nil where this version is a deletion.
    public let value: StoredValue?
    public let writtenAt: Timestamp
    /// `user@host`, or the run and the step.
    public let writtenBy: String
}

/// What is written to one key.
public struct KeyValueWrite: Sendable {
    public let namespace: KVNamespace
    public let key: String
    /// Makes the value, given the version that it will have; nil deletes the key. Called once, inside the transaction.
    public let value: (@Sendable (_ version: Int) throws -> StoredValue)?

    public init(
        _ namespace: KVNamespace, _ key: String, value: (@Sendable (_ version: Int) throws -> StoredValue)?
    ) {
        self.namespace = namespace
        self.key = key
        self.value = value
    }
}

/// Which attempt of a hook writes; the writes take effect with its success.
public struct WritingAttempt: Hashable, Sendable {
    public let run: RunID
    public let step: StepID
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
    case noSuchKey(KVNamespace, String)
}

extension KeyValueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .attemptEnded(let attempt):
            "attempt \(attempt.attempt) of the step \(attempt.step) is over, and what its hook left behind cannot write any more"
        case .tooManyKeys(let namespace):
            "\(namespace) has \(KeyValue.maximumKeys) keys, which is the limit; delete some"
        case .noSuchKey(let namespace, let key): "there is no key \(key) in \(namespace)"
        }
    }
}
