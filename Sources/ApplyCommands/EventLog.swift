import Commands
import Executor
import Foundation
import Model
import Synchronization

/// Appends what happens to a file, one JSON object a line, for programs that follow a run.
final class EventLog: Sendable {
    private let file: Mutex<FileHandle>

    /// - Throws: `Failure` where the file cannot be written.
    init(appendingTo path: String) throws {
        let descriptor: Int32
        do throws(HostFiles.Problem) {
            descriptor = try HostFiles.openForAppending(path)
        } catch {
            throw Failure(.invalidInput, "\(path) cannot be written: \(error.message)")
        }
        file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
    }

    private struct Line: Encodable {
        var at: Int64
        var event: String
        var step: String?
        var attempt: Int?
        var outcome: String?
        var milliseconds: Int64?
        var allocations: [String]?
        var detail: String?
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

    func write(_ event: RunEvent) {
        var line = Line(at: Clock.system.now().milliseconds, event: "")
        switch event {
        case .stepStarted(let step, let attempt):
            line.event = "step_started"
            line.step = step.id.text
            line.attempt = attempt
        case .stepResumed(let step, let attempt):
            line.event = "step_resumed"
            line.step = step.id.text
            line.attempt = attempt
        case .stepEnded(let step, let outcome, let detail, let milliseconds):
            line.event = "step_ended"
            line.step = step.id.text
            line.outcome = Self.word(outcome)
            line.detail = detail
            line.milliseconds = milliseconds
        case .promoted(let allocations, let version):
            line.event = "promoted"
            line.allocations = allocations.map(\.description)
            line.detail = version
        case .renamed(let rename):
            line.event = "renamed"
            line.step = StepID.renames.text
            line.detail = rename.description
        case .leftBehind(let allocation, let reason):
            line.event = "left_behind"
            line.allocations = [allocation.description]
            line.detail = reason
        case .gateWaiting(let step, let tries, _, let problem):
            line.event = "gate_waiting"
            line.step = step.id.text
            line.attempt = tries
            line.detail = problem
        case .waiting(let waits, let more):
            line.event = "waiting"
            line.detail = waits.map { "\($0.what): \($0.seconds) s" }.joined(separator: ", ")
            if more > 0 { line.detail? += " and \(more) more" }
        case .baking(let step, let seconds):
            line.event = "baking"
            line.step = step.id.text
            line.milliseconds = Int64(seconds) * 1000
        case .parking(let reason):
            line.event = "parking"
            line.detail = reason
        case .admitted(let batch, let seconds, _, let end, let cutoff):
            line.event = "batch_admitted"
            line.detail = "\(batch): expected end \(end.utcText), cutoff \(cutoff.utcText)"
            line.milliseconds = Int64(seconds) * 1000
        case .held(let batch, let reason):
            line.event = "batch_held"
            line.detail = [batch, reason].compactMap(\.self).joined(separator: ": ")
        case .warning(let text):
            line.event = "warning"
            line.detail = text
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Losing a line of this log is no reason to stop a rollout; what counts is in the database.
        guard let bytes = try? encoder.encode(line) else { return }
        file.withLock { try? $0.write(contentsOf: bytes + Data([0x0a])) }
    }
}
