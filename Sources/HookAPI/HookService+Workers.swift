internal import YAML

/// Commands on workers.
extension HookService {
    /// Runs a command, and answers when it has ended. A hook that leaves does not end it: its time limit does.
    func runOnWorker(_ fields: HookFields) async throws -> HookAnswer {
        switch await workers(try Self.command(fields)) {
        case .ended(let status, let timedOut, let output, let errorOutput):
            return Self.answer(status, timedOut: timedOut, output, errorOutput)
        // As ssh answers what it cannot run.
        case .failed(let reason):
            let text = Array("\(reason)\n".utf8)
            return Self.answer(255, timedOut: false, .init(), .init(bytes: text, total: text.count))
        case .unknownWorker(let reason): throw HookAnswer.Refusal(.notFound, reason)
        }
    }

    private static func command(_ fields: HookFields) throws(HookAnswer.Refusal) -> HookWorkerCommand {
        guard let worker = try fields.text("worker"), let lines = try fields.text("command"), !worker.isEmpty,
            !lines.isEmpty
        else { throw HookAnswer.Refusal(.badRequest, "`worker` and `command` are required") }
        guard !lines.utf8.contains(0), lines.utf8.count <= HookWorkerCommand.linesLimit else {
            throw HookAnswer.Refusal(
                .badRequest,
                "`command` has at most \(HookWorkerCommand.linesLimit >> 10) KiB, and no zero byte; what is longer can be sent as "
                    + "`input`")
        }
        let input = try fields.text("input")
        guard input?.utf8.count ?? 0 <= HookWorkerCommand.inputLimit else {
            throw HookAnswer.Refusal(
                .badRequest,
                "`input` has at most \(HookWorkerCommand.inputLimit >> 10) KiB; larger files belong into the job's folder"
            )
        }
        let timeout = try fields.integer("timeout_seconds") ?? HookWorkerCommand.defaultTimeout
        guard HookWorkerCommand.timeouts.contains(timeout) else {
            throw HookAnswer.Refusal(
                .badRequest,
                "`timeout_seconds` is \(HookWorkerCommand.timeouts.lowerBound) to \(HookWorkerCommand.timeouts.upperBound)"
            )
        }
        return HookWorkerCommand(worker: worker, lines: lines, input: input, timeout: timeout)
    }

    private static func answer(
        _ status: Int, timedOut: Bool, _ output: HookWorkerOutcome.Stream, _ errorOutput: HookWorkerOutcome.Stream
    ) -> HookAnswer {
        let streams = [("stdout", output), ("stderr", errorOutput)].map { name, stream in
            let text = JSONText.quote(String(decoding: stream.bytes, as: UTF8.self))
            return "\"\(name)\": \(text), \"\(name)_left_out\": \(stream.total - stream.bytes.count)"
        }
        return .json(
            "{\"exit_status\": \(status), \"timed_out\": \(timedOut), \(streams.joined(separator: ", "))}")
    }
}
