internal import KeyValues
internal import Model
internal import Synchronization

/// Values of secrets that went to hooks or came from them, by the hooks' job: what is struck out of their output, also when
/// they have been replaced or deleted since. `StruckSecrets` bounds them.
final class SeenSecrets: Sendable {
    private let secrets = Mutex<[JobName: StruckSecrets]>([:])

    func note(_ text: String, _ job: JobName) { secrets.withLock { $0[job, default: .init()].insert(text) } }

    /// A value that was not taken: the hook has it, and may print it.
    func note(refused text: String, _ job: JobName) {
        secrets.withLock { $0[job, default: .init()].insert(refused: text) }
    }

    func note(_ others: StruckSecrets, _ job: JobName) {
        secrets.withLock { $0[job, default: .init()].formUnion(others) }
    }

    func values(of job: JobName) -> StruckSecrets { secrets.withLock { $0[job] ?? .init() } }
}
