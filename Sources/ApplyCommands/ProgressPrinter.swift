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
        show(stale)
        show(problems)
        show(leftBehind, drained)
        let (text, style) = Self.headline(run, result)
        let headline = terminal.styled(terminal.escape(text), style)
        if result == .succeeded { terminal.print(headline) } else { terminal.printError("\(headline) \(advice.text)") }
    }

    private func show(_ stale: [StaleFact]) {
        for fact in stale.prefix(20) {
            terminal.printError(terminal.styled(terminal.escape("\(fact)"), .red))
            guard let contents = fact.contents else { continue }
            let difference = ContentDifference(from: contents.expected, to: contents.found, limit: Self.shownLines)
            for line in difference.lines { terminal.printError("  \(line)") }
        }
        if stale.count > 20 { terminal.printError("and \(stale.count - 20) more facts") }
    }

    /// What the run had begun is what it was before.
    ///
    /// - Parameter isNew: this process has brought it there.
    func concludeRolledBack(_ run: Run, _ problems: [ApplyRun.Problem], isNew: Bool) {
        show(problems)
        terminal.printError(terminal.styled(Self.rolledBack(run), .red))
    }

    /// Whole sentences.
    static func rolledBack(_ run: Run) -> String {
        "Run \(run.id) failed and was rolled back. Change the workspace and plan again: until then, the next plan leads back "
            + "to what failed."
    }

    /// The way back has not come to its end: what runs where, and what to do now.
    func concludeWayBack(
        _ run: Run, _ result: StepMachine.Result, _ problems: [ApplyRun.Problem], _ stale: [StaleFact],
        _ leftBehind: [LeftBehind], _ found: [String]
    ) {
        show(stale)
        show(problems)
        for item in leftBehind.prefix(20) {
            terminal.printError(
                terminal.styled("left behind", .yellow) + ": \(item.subject): \(terminal.escape(item.reason))")
        }
        for line in found.prefix(Self.shownAllocations) { terminal.printError("  \(terminal.escape(line))") }
        let rest = found.count - Self.shownAllocations
        if rest > 0 { terminal.printError("  and \(rest) more, which `maand-plan catalog allocations` lists") }
        terminal.printError(
            terminal.styled("The way back of run \(run.id) \(Self.phrase(result)).", result == .parked ? .yellow : .red)
                + " "
                + Self.wayBackAdvice(run.id, result, unknown: problems.filter { $0.state == .unknown }.map(\.step.id)))
    }

    /// Of a way back that has not ended.
    private static let shownAllocations = 200

    private static func phrase(_ result: StepMachine.Result) -> String {
        switch result {
        case .succeeded: "has ended"
        case .parked: "is parked"
        case .failed: "has failed"
        case .stale: "has stopped, since something was changed there meanwhile"
        case .unknown: "needs a decision"
        }
    }

    /// What to do about a way back that has not ended.
    static func wayBackAdvice(_ run: RunID, _ result: StepMachine.Result, unknown: [StepID]) -> String {
        let abandon =
            "Or give it up (maand-apply abandon \(run) --reason '...') and plan the rest again: maand-plan rollback \(run)"
        switch result {
        case .succeeded, .parked: return "The same command continues it."
        case .failed:
            return "Remove the cause and run the same command with --retry-failed: it tries again what failed. "
                + abandon
        case .stale: return "Restore the expected state and run the same command. " + abandon
        case .unknown:
            let step = unknown.count == 1 ? unknown[0].text : "STEP"
            return "Look at the worker, then say what happened: maand-apply resolve \(run) \(step) succeeded|failed "
                + "--reason '...'. " + abandon
        }
    }

    private func show(_ problems: [ApplyRun.Problem]) {
        for problem in problems.prefix(20) {
            terminal.printError(
                terminal.styled("\(problem.step.id) \(problem.state.phrase)", .red)
                    + (problem.detail.map { ": " + terminal.escape($0) } ?? ""))
            for (name, bytes) in [("stdout", problem.output?.stdout ?? []), ("stderr", problem.output?.stderr ?? [])] {
                for text in terminal.tail(bytes, count: 10) { terminal.printError("  \(name): \(text)") }
            }
        }
        if problems.count > 20 { terminal.printError("and \(problems.count - 20) more") }
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
