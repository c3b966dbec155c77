#if TestHooks
    internal import ThisHost

    /// Any transport, with a `FaultPoint` before and after each word to a worker.
    package struct FaultTransport: Transport {
        private let base: any Transport

        package init(base: any Transport) { self.base = base }

        package var endsSessions: Bool { base.endsSessions }

        package var reconnectWindow: Duration? { base.reconnectWindow }
        package var answerLimit: Duration { base.answerLimit }

        package func close() async { await base.close() }

        package func path(_ path: String, on worker: String) -> String { base.path(path, on: worker) }

        package func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
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
