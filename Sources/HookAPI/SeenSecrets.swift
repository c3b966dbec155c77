internal import Model
internal import Synchronization

/// Values of secrets that went to hooks or came from them, by the hooks' job: what is struck out of their output, also when
/// they have been replaced or deleted since.
final class SeenSecrets: Sendable {
    private let texts = Mutex<[JobName: Set<String>]>([:])

    func note(_ text: String, _ job: JobName) { texts.withLock { _ = $0[job, default: []].insert(text) } }

    func values(of job: JobName) -> [String] { texts.withLock { Array($0[job] ?? []) } }
}
