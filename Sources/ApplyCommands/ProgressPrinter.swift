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

    /// The last lines: how it ended, why, and what to do now.
    func conclude(
        _ run: Run, _ result: StepMachine.Result, _ problems: [ApplyRun.Problem], _ stale: [StaleFact],
        _ leftBehind: [LeftBehind], _ drained: [AllocationID], _ advice: Advice
    ) {
        for fact in stale.prefix(20) {
            terminal.printError(terminal.styled(terminal.escape("\(fact)"), .red))
            guard let contents = fact.contents else { continue }
            let difference = ContentDifference(from: contents.expected, to: contents.found, limit: Self.shownLines)
            for line in difference.lines { terminal.printError("  \(line)") }
        }
        if stale.count > 20 { terminal.printError("and \(stale.count - 20) more facts") }
        for problem in problems.prefix(20) {
            terminal.printError(
                terminal.styled("\(problem.step.id) \(problem.state.phrase)", .red)
                    + (problem.detail.map { ": " + terminal.escape($0) } ?? ""))
            for (name, bytes) in [("stdout", problem.output?.stdout ?? []), ("stderr", problem.output?.stderr ?? [])] {
                for text in terminal.tail(bytes, count: 10) { terminal.printError("  \(name): \(text)") }
            }
        }
        if problems.count > 20 { terminal.printError("and \(problems.count - 20) more") }
        show(leftBehind, drained)
        let (text, style) = Self.headline(run, result)
        let headline = terminal.styled(terminal.escape(text), style)
        if result == .succeeded { terminal.print(headline) } else { terminal.printError("\(headline) \(advice.text)") }
    }

    /// Of the difference of one file.
    private static let shownLines = 40

    /// The run came as far as `--until` says.
    func concludeLimit(_ run: Run, _ leftBehind: [LeftBehind], _ drained: [AllocationID]) {
        show(leftBehind, drained)
        terminal.print(
            terminal.styled("Run \(run.id) came as far as --until says.", .green)
                + " The same command without --until, or with a later wave, continues it.")
    }

    private func show(_ leftBehind: [LeftBehind], _ drained: [AllocationID]) {
        for text in [leftBehind.summary, drained.drainedSummary].compactMap({ $0 }) {
            terminal.print(terminal.styled(terminal.escape(text), .yellow))
        }
    }

    private static func headline(_ run: Run, _ result: StepMachine.Result) -> (String, Terminal.Style) {
        switch result {
        case .succeeded: ("Run \(run.id) succeeded.", .green)
        case .parked: ("Run \(run.id) is parked" + (run.detail.map { " (\($0))" } ?? "") + ".", .yellow)
        case .failed: ("Run \(run.id) failed.", .red)
        case .stale: ("Run \(run.id) stopped: the plan is stale.", .red)
        case .unknown: ("Run \(run.id) needs a decision.", .red)
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
