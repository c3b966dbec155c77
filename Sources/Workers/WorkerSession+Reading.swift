internal import Model

/// Questions that change nothing on a worker. They need no ownership, and the script is not installed for them: where it
/// does not lie yet, it goes along with the question.
extension WorkerSession {
    /// What a worker says of itself.
    package struct Look: Sendable {
        package let inventory: WorkerInventory
        /// Whether the script of this release lies there. Without it, nothing that has a receipt can run.
        package let hasScript: Bool
    }

    /// What was deployed on the worker as it is now, and what was last done with it.
    public func inventory() async throws(TransportError) -> WorkerInventory { try await look().inventory }

    /// The same, and whether anything else can be asked there.
    package func look() async throws(TransportError) -> Look {
        let (answer, hasScript) = try await read(
            "inventory", [], outputLimit: WorkerInventory.limit, timeout: .seconds(300))
        let inventory = try understood { () throws(InvalidAnswer) in try WorkerInventory(answer) }
        return Look(inventory: inventory, hasScript: hasScript)
    }

    /// The bytes of files of a job, for a person: those that the worker can give, none larger than `limit` bytes. They are
    /// whatever the worker says.
    ///
    /// - Parameter paths: relative to the job's folder, without line feeds; at most a few.
    public func show(_ paths: [String], of job: String, limit: Int) async throws(TransportError) -> [String: [UInt8]] {
        let (answer, _) = try await read(
            "show", [job, "\(limit)"], lines: ["\(paths.count)"] + paths.map { "./\($0)/" },
            outputLimit: paths.count * (limit + TreePath.maximumLength) + Self.slack, timeout: .seconds(60))
        var files: [String: [UInt8]] = [:]
        for record in answer.records where record.name == "file" && record.payload.count <= limit {
            files[String(record.text.dropFirst(2).dropLast())] = record.payload
        }
        return files
    }

    /// - Parameter lines: what the verb reads after the nonce.
    private func read(
        _ verb: String, _ arguments: [String], lines: [String] = [], outputLimit: Int, timeout: Duration
    ) async throws(TransportError) -> (answer: WorkerAnswer, hasScript: Bool) {
        if let word = arguments.first(where: { !ShellText.isWord($0) }) {
            throw TransportError(
                .source, worker: worker, reason: "`\(word)` cannot be an argument of the worker script")
        }
        let nonce = nonce()
        let input = [nonce] + lines
        let words = [verb] + arguments
        var result = try await transport.run(
            WorkerCommand(
                ["sh", script] + words, input: .bytes(Self.lines(input)), outputLimit: outputLimit, timeout: timeout),
            on: worker)
        if let answer = WorkerAnswer(result.output, nonce: nonce) { return (answer, true) }
        guard result.lacksScript else { throw unanswered(result, nonce) }
        let command = WorkerScript.sent(
            along: words, input: input, as: script, outputLimit: outputLimit, timeout: timeout)
        result = try await transport.run(command, on: worker)
        if let answer = WorkerAnswer(result.output, nonce: nonce) { return (answer, false) }
        throw unanswered(result, nonce)
    }
}

extension CommandResult {
    /// Where the shell found no script nothing was asked, so it may be asked again.
    var lacksScript: Bool {
        switch exit {
        case .status(let status): [2, 126, 127].contains(status)
        case .signal: false
        }
    }
}
