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

/// Writes what happens in a run and how it stands, one JSON object a line, for programs that follow it: `EventLine` says what
/// the lines hold.
///
/// What happens is written at once. How the run stands is written when it is first seen, when it has changed since, and when the
/// process leaves it, so that a program that reads all lines of a process knows what `status` shows.
final class EventLog: Sendable {
    private struct State {
        let file: FileHandle
        /// How the run stood when that was last written.
        var known: StatusDocument?
    }

    private let state: Mutex<State>
    /// Reads how the run stands; nil if it has not begun. The parameter says whether the process leaves it.
    private let read: @Sendable (_ isLeaving: Bool) throws -> StatusDocument?

    /// - Parameters:
    ///   - path: `-` is standard output.
    ///   - read: see there.
    /// - Throws: `Failure` if the file cannot be written.
    init(appendingTo path: String, reading read: @escaping @Sendable (_ isLeaving: Bool) throws -> StatusDocument?)
        throws
    {
        self.read = read
        if path == "-" {
            state = Mutex(State(file: .standardOutput))
        } else {
            let descriptor: Int32
            do throws(HostFiles.Problem) {
                descriptor = try HostFiles.openForAppending(path)
            } catch {
                throw Failure(.invalidInput, code: .fileNotWritten, "\(path) cannot be written: \(error.message)")
            }
            state = Mutex(State(file: FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)))
        }
        var line = EventLine(.opened, at: Clock.system.now())
        line.program = ProgramVersion.text
        write([line])
    }

    func write(_ event: RunEvent) {
        if state.withLock({ $0.known == nil }) { update() }
        state.withLock { state in
            if case .leftBehind(let subject, let reason) = event { state.known?.noteLeftBehind(subject, reason) }
            Self.write([EventLine(event, at: Clock.system.now())].compactMap(\.self), state)
        }
    }

    /// The command ends for this reason, with nothing done or nothing more.
    func write(_ failure: Failure) {
        var line = EventLine(.refused, at: Clock.system.now())
        (line.code, line.detail) = (failure.code.rawValue, failure.description)
        write([line])
    }

    private func write(_ lines: [EventLine]) { state.withLock { Self.write(lines, $0) } }

    private static func write(_ lines: [EventLine], _ state: State) {
        if lines.isEmpty { return }
        let text = lines.map { line in
            var line = line
            line.run = state.known?.run
            return line.json + "\n"
        }.joined()
        // Losing a line of this log is no reason to stop a rollout; what counts is in the database.
        try? state.file.write(contentsOf: Data(text.utf8))
    }

    // MARK: How the run stands

    /// Writes what has changed. If that cannot be read now, it is written later.
    func update(isLeaving: Bool = false) {
        guard let document = try? read(isLeaving) else { return }
        state.withLock { state in
            let lines = StatusDocument.changes(from: state.known, to: document, at: Clock.system.now())
            state.known = document
            Self.write(lines, state)
        }
    }

    /// Calls `update` once a second, or less often if that takes long: it costs at most a fiftieth of the time. Cancel the task
    /// to end it.
    func updating() -> Task<Void, Never> {
        Task {
            var pause = Duration.seconds(1)
            while !Task.isCancelled {
                try? await Clock.system.sleep(pause)
                if Task.isCancelled { return }
                let cost = ContinuousClock().measure { update() }
                pause = max(.seconds(1), cost * 50)
            }
        }
    }
}

extension EventLine {
    /// Nil for what is only for people.
    init?(_ event: RunEvent, at now: Timestamp) {
        switch event {
        case .began, .reordered, .asking, .answered, .notNeeded, .jobEnded: return nil
        case .stepStarted(let step, let attempt): self.init(.stepStarted, at: now, step, attempt)
        case .stepResumed(let step, let attempt): self.init(.stepResumed, at: now, step, attempt)
        case .stepEnded(let step, let outcome, let code, let detail, let milliseconds):
            self.init(.stepEnded, at: now, step, code: code, detail: detail)
            self.outcome = Outcome(outcome)
            self.milliseconds = Int(milliseconds)
        case .promoted(let allocations, let version):
            self.init(.promoted, at: now, detail: version)
            self.allocations = allocations.map(\.description)
        case .renamed(let rename):
            self.init(.renamed, at: now, detail: rename.description)
            step = StepID.renames.text
        case .leftBehind(let subject, let reason):
            self.init(.leftBehind, at: now, detail: reason)
            (job, worker) = (subject.job?.text, subject.worker?.text)
            allocations = [subject.description]
        case .gateWaiting(let step, let tries, _, let problem):
            self.init(.gateWaiting, at: now, step, tries, detail: problem)
        case .baking(let step, let seconds):
            self.init(.baking, at: now, step)
            milliseconds = seconds * 1000
        case .parking(let request): self.init(.parking, at: now, code: request.code.rawValue, detail: request.reason)
        case .waiting(let waits, let more):
            let text = waits.map { "\($0.what): \($0.seconds) s" }.joined(separator: ", ")
            self.init(.waiting, at: now, detail: more > 0 ? "\(text) and \(more) more" : text)
        case .admitted(let batch, let seconds, _, let end, let cutoff):
            self.init(
                .batchAdmitted, at: now, detail: "\(batch): expected end \(end.utcText), cutoff \(cutoff.utcText)")
            milliseconds = seconds * 1000
        case .held(let batch, let hold):
            let text = [batch, hold.reason].compactMap(\.self).joined(separator: ": ")
            self.init(.batchHeld, at: now, code: hold.code.rawValue, detail: text)
        case .warning(let warning): self.init(.warning, at: now, code: warning.code.rawValue, detail: "\(warning)")
        }
    }

    private init(
        _ event: Word, at now: Timestamp, _ step: Step? = nil, _ attempt: Int? = nil, code: String? = nil,
        detail: String? = nil
    ) {
        self.init(event, at: now)
        self.step = step?.id.text
        self.attempt = attempt
        self.code = code
        self.detail = detail
    }
}

extension EventLine.Outcome {
    init(_ outcome: StepMachine.Outcome) {
        self =
            switch outcome {
            case .succeeded: .succeeded
            case .failed: .failed
            case .unreachable: .unreachable
            case .unknown: .unknown
            case .stale: .stale
            case .interrupted: .interrupted
            }
    }
}
