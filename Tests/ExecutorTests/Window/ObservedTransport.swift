import Synchronization
import Workers

/// Any transport, and a word about what its workers have done before they answer.
struct ObservedTransport: Transport {
    let base: any Transport
    /// The worker script's verb and the worker; comparisons of files are left out.
    let observe: @Sendable (_ verb: String, _ worker: String) -> Void

    var endsSessions: Bool { base.endsSessions }
    var reconnectWindow: Duration? { base.reconnectWindow }
    var answerLimit: Duration { base.answerLimit }

    func path(_ path: String, on worker: String) -> String { base.path(path, on: worker) }
    func close() async { await base.close() }

    func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
        let result = try await base.run(command, on: worker)
        let verb = command.arguments[2]
        if verb != "push" || command.arguments[4] != "check" { observe(verb, worker) }
        return result
    }
}
