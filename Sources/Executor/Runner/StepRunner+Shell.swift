internal import Catalog
internal import Model
internal import Plans
internal import StepMachinery
internal import Workers

/// Runs lines of shell on workers as a whole.
extension StepRunner {
    /// Runs a command on its worker, or finds out what became of it. A condition that does not hold is recorded as skipped.
    func runShell(
        _ task: ShellTask, _ index: StepIndex, attempt: Int, isResumed: Bool
    ) async throws -> (Ending, Int) {
        var (ending, last) = try await runOnWorker(index, attempt: attempt, isResumed: isResumed) { attempt in
            try request(task, index, attempt)
        }
        if case .condition = task.purpose, ending.outcome == .failed, let status = ending.exitStatus,
            ShellTask.isNotNeeded(exitStatus: status)
        {
            ending.outcome = .succeeded
            ending.isSkip = true
            ending.fault = .notNeeded(status: status)
        }
        return (ending, last)
    }

    /// Runs something under a receipt on the step's worker, or finds out what became of it.
    ///
    /// - Parameters:
    ///   - isRepeatable: whether it is run again if the outcome is unknown.
    ///   - request: what is to be run as an attempt.
    ///   - prepare: makes ready for an attempt; an ending if that fails, or if nothing is to be run.
    func runOnWorker(
        _ index: StepIndex, attempt: Int, isResumed: Bool, isRepeatable: Bool = false,
        _ request: @escaping (_ attempt: Int) throws -> AttemptRequest?,
        prepare: @escaping (_ attempt: Int) async -> Ending? = { _ in nil }
    ) async throws -> (Ending, Int) {
        let session: WorkerSession
        do {
            session = try await pool.session(graph.steps[index].worker)
        } catch {
            // What an earlier process began may be running there.
            let ending = Ending(
                outcome: error.isUnreachable ? .unreachable : .failed, isOpen: isResumed, fault: .notReady(error))
            return (ending, attempt)
        }
        let task = AttemptTask(
            session: session, isOnControlHost: false, isRepeatable: isRepeatable, request: request, prepare: prepare)
        return try await run(task, index, attempt: attempt, isResumed: isResumed)
    }

    /// - Throws: `StoreError` if the script is not in the store.
    func request(_ task: ShellTask, _ index: StepIndex, _ attempt: Int) throws -> AttemptRequest {
        let command = task.command
        let lines =
            try command.text
            ?? command.script.flatMap {
                WorkerCommand.text(of: try store.read($0.digest, limit: WorkerCommand.limit))
            } ?? "exit 126"
        let user = graph.plan.fleet.workers.first { $0.worker == graph.steps[index].worker }?.ssh?.user
        return AttemptRequest(
            id: recorder.attemptID(index, attempt),
            action: .shell(Self.script(lines, as: command.isWithoutSudo ? user : nil)), job: nil,
            environment: workerEnvironment(index), timeout: .seconds(command.timeout), tailLimit: Self.outputLimit)
    }

    /// What commands for workers as a whole get, by Maand's names.
    func workerEnvironment(_ index: StepIndex) -> [String: String] {
        let worker = graph.steps[index].worker
        return [
            "BUCKET_ID": graph.plan.fleet.bucket, "WORKER": worker?.text ?? "",
            "WORKER_IP": worker.flatMap(pool.address) ?? "",
        ]
    }

    /// The lines for bash, or for sh if there is no bash.
    ///
    /// - Parameter user: who is to run them, in the login folder, if the worker's shell is root's; nil for who targets run as.
    private static func script(_ lines: String, as user: String?) -> String {
        let shell = "shell=$(command -v bash || command -v sh)\n"
        let quoted = ShellText.quoted(lines)
        guard let user else { return shell + "exec \"$shell\" -c \(quoted)\n" }
        let name = ShellText.quoted(user)
        let variables = ["BUCKET_ID", "WORKER", "WORKER_IP"].map { "\($0)=\"$\($0)\"" }.joined(separator: " ")
        return shell + """
            if [ "$(id -u)" = 0 ] && [ \(name) != root ]; then
                exec sudo -n -H -u \(name) -- env \(variables) "$shell" -c 'cd && exec "$0" -c "$1"' "$shell" \(quoted)
            fi
            cd && exec "$shell" -c \(quoted)

            """
    }
}
