internal import Model

extension TransportError {
    /// The login there ended, and what it printed is no whole answer.
    ///
    /// - Parameter nonce: of the question; the worker script begins with it what it says.
    static func noAnswer(_ result: CommandResult, to nonce: String, from worker: String) -> TransportError {
        let (printed, text) = (result.outputText, result.errorText)
        let end =
            switch result.exit {
            case .status(let status): "exit status \(status)"
            case .signal(let name): name
            }
        let isForeign = printed.isEmpty ? text.isEmpty : !printed.contains(nonce)
        guard isForeign else {
            return TransportError(
                .malformedAnswer, worker: worker,
                reason: "the worker script ended (\(end)) without a whole answer"
                    + (text.isEmpty ? "" : ": " + text))
        }
        let said = [printed, text].filter { !$0.isEmpty }.joined(separator: "; ")
        return TransportError(
            .workerFault, worker: worker,
            reason: "the login there does not run what it is asked to run. It ended (\(end)) and said "
                + (said.isEmpty ? "nothing" : "\"\(said)\"")
                + ". The user needs a shell that runs commands: not nologin, no ForceCommand, and more than sftp")
    }
}
