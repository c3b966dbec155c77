import Commands
import Executor
import Foundation
import Model
import Plans
import StepMachinery
import Synchronization
import ThisHost
import UseCases
import Windows

/// Appends what happens to a file, one JSON object a line, for programs that follow a run.
final class EventLog: Sendable {
    private let file: Mutex<FileHandle>

    /// - Throws: `Failure` where the file cannot be written.
    init(appendingTo path: String) throws {
        let descriptor: Int32
        do throws(HostFiles.Problem) {
            descriptor = try HostFiles.openForAppending(path)
        } catch {
            throw Failure(.invalidInput, code: .fileNotWritten, "\(path) cannot be written: \(error.message)")
        }
        file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
    }

    fileprivate struct Line: Encodable {
        var at: Int64
        var event: String
        var step: String?
        var attempt: Int?
        /// A stable word for why, beside the sentence in `detail`.
        var code: String?
        var outcome: String?
        var milliseconds: Int64?
        var allocations: [String]?
        var detail: String?
    }

    func write(_ event: RunEvent) { write(Line(event)) }

    /// The command ends for this reason, with nothing done or nothing more.
    func write(_ failure: Failure) {
        write(Line("refused", failure.description, code: failure.code.rawValue))
    }

    private func write(_ line: Line) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Losing a line of this log is no reason to stop a rollout; what counts is in the database.
        guard let bytes = try? encoder.encode(line) else { return }
        file.withLock { try? $0.write(contentsOf: bytes + Data([0x0a])) }
    }
}

extension EventLog.Line {
    fileprivate init(_ event: RunEvent) {
        switch event {
        case .stepStarted(let step, let attempt):
            self.init("step_started", step: step, attempt: attempt)
        case .stepResumed(let step, let attempt):
            self.init("step_resumed", step: step, attempt: attempt)
        case .stepEnded(let step, let outcome, let code, let detail, let milliseconds):
            self.init("step_ended", detail, step: step, code: code)
            self.outcome = Self.word(outcome)
            self.milliseconds = milliseconds
        case .promoted(let allocations, let version):
            self.init("promoted", version)
            self.allocations = allocations.map(\.description)
        case .renamed(let rename):
            self.init("renamed", rename.description)
            step = StepID.renames.text
        case .leftBehind(let subject, let reason):
            self.init("left_behind", reason)
            allocations = [subject.description]
        case .gateWaiting(let step, let tries, _, let problem):
            self.init("gate_waiting", problem, step: step, attempt: tries)
        case .baking(let step, let seconds):
            self.init("baking", step: step)
            milliseconds = Int64(seconds) * 1000
        case .parking(let request): self.init("parking", request.reason, code: request.code.rawValue)
        case .waiting(let waits, let more):
            let text = waits.map { "\($0.what): \($0.seconds) s" }.joined(separator: ", ")
            self.init("waiting", more > 0 ? "\(text) and \(more) more" : text)
        case .admitted(let batch, let seconds, _, let end, let cutoff):
            self.init("batch_admitted", "\(batch): expected end \(end.utcText), cutoff \(cutoff.utcText)")
            milliseconds = Int64(seconds) * 1000
        case .held(let batch, let hold):
            let text = [batch, hold.reason].compactMap(\.self).joined(separator: ": ")
            self.init("batch_held", text, code: hold.code.rawValue)
        case .warning(let warning): self.init("warning", "\(warning)", code: warning.code.rawValue)
        }
    }

    fileprivate init(
        _ event: String, _ detail: String? = nil, step: Step? = nil, attempt: Int? = nil, code: String? = nil
    ) {
        self.init(
            at: Clock.system.now().milliseconds, event: event, step: step?.id.text, attempt: attempt, code: code,
            detail: detail)
    }

    private static func word(_ outcome: StepMachine.Outcome) -> String {
        switch outcome {
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .unreachable: "unreachable"
        case .unknown: "unknown"
        case .stale: "stale"
        case .interrupted: "interrupted"
        }
    }
}
