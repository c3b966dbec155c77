import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import Review
import StepMachinery
import Synchronization
import UseCases
import Windows

/// Prints a run as it goes, a line for each thing that happens.
final class ProgressPrinter: Sendable {
    private let terminal: Terminal
    // Events come from the tasks of several steps; a line is printed whole.
    private let order = Mutex(())

    init(_ terminal: Terminal) { self.terminal = terminal }

    func show(_ event: RunEvent) {
        order.withLock { _ in
            switch event {
            case .stepStarted(let step, let attempt):
                line("▸", .faint, step, attempt > 1 ? "attempt \(attempt)" : nil)
            case .stepResumed(let step, _):
                line("↻", .yellow, step, "begun before the interruption; asking what became of it")
            case .stepEnded(let step, let outcome, _, let detail, let milliseconds):
                let seconds = String(format: "%.1f s", Double(milliseconds) / 1000)
                let (mark, style) = Self.mark(of: outcome)
                line(mark, style, step, [seconds, detail].compactMap { $0 }.joined(separator: ": "))
            case .promoted(let allocations, let version):
                for allocation in allocations {
                    terminal.print(
                        "\(terminal.styled("●", .green)) \(allocation) promoted to \(terminal.escape(version))")
                }
            case .renamed(let rename): terminal.print("\(terminal.styled("●", .green)) renamed \(rename)")
            case .leftBehind(let subject, let reason):
                terminal.print(
                    "\(terminal.styled("left behind", .yellow)): \(subject): \(terminal.escape(reason))")
            case .gateWaiting(let step, let tries, let all, let problem):
                line("…", .yellow, step, "try \(tries) of \(all): \(problem)")
            case .waiting(let waits, let more):
                let text = waits.map { "\($0.what) (\($0.seconds) s)" }.joined(separator: ", ")
                terminal.print(
                    "\(terminal.styled("…", .faint)) waiting for \(terminal.escape(text))"
                        + (more > 0 ? " and \(more) more" : ""))
            case .baking(let step, let seconds):
                line("…", .faint, step, "\(seconds) s to go; Ctrl-C parks the run")
            case .parking(let request):
                terminal.print(
                    terminal.styled("parking", .yellow)
                        + " after \(request.reason): what is in flight finishes, nothing new begins")
            case .admitted(let batch, let seconds, let isRecorded, let end, let cutoff):
                let basis = isRecorded ? "as before" : "by its timeouts"
                terminal.print(
                    "\(terminal.styled("…", .faint)) \(terminal.escape(batch))  expected to take \(seconds) s \(basis), "
                        + "until \(end.utcText); cutoff \(cutoff.utcText)")
            case .held(let batch, let hold):
                let what = batch.map { "\(terminal.escape($0)) does not begin: " } ?? ""
                terminal.print("\(terminal.styled("holding", .yellow))  \(what)\(terminal.escape(hold.reason))")
            case .warning(let warning):
                terminal.print("\(terminal.styled("warning", .yellow)): \(terminal.escape("\(warning)"))")
            }
        }
    }

    private func line(_ mark: String, _ style: Terminal.Style, _ step: Step, _ detail: String?) {
        let text = detail.map { "  " + terminal.escape($0) } ?? ""
        terminal.print("\(terminal.styled(mark, style)) \(step.id)\(text)")
    }

    private static func mark(of outcome: StepMachine.Outcome) -> (String, Terminal.Style) {
        switch outcome {
        case .succeeded: ("✓", .green)
        case .failed: ("✗", .red)
        case .unreachable: ("✗", .red)
        case .unknown: ("?", .red)
        case .stale: ("≠", .red)
        case .interrupted: ("…", .yellow)
        }
    }
}
