internal import Workers

#if TestHooks
    /// Any transport, with a `FaultPoint` before and after each word to a worker.
    struct FaultTransport: Transport {
        let base: any Transport

        var endsSessions: Bool { base.endsSessions }

        var reconnectWindow: Duration? { base.reconnectWindow }
        var answerLimit: Duration { base.answerLimit }

        func close() async { await base.close() }

        func path(_ path: String, on worker: String) -> String { base.path(path, on: worker) }

        func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
            // The script's verb; an installation has none.
            let verb = command.arguments.count > 2 ? command.arguments[2] : "command"
            let name = verb.allSatisfy(\.isLetter) ? verb : "installation"
            FaultPoint.reach("before \(name) on \(worker)")
            let result = try await base.run(command, on: worker)
            FaultPoint.reach("after \(name) on \(worker)")
            return result
        }
    }
#endif
