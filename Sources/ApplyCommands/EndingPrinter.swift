import Catalog
import Commands
import Executor
import Model
import Plans
import Review
import RunViews
import StepMachinery
import UseCases

/// Prints how a run ended: what became of each job, why, and what to do now.
struct EndingPrinter {
    let terminal: Terminal
    /// What is recorded of the run; nil if that cannot be read.
    let recap: Recap?

    /// The last lines: how it ended, why, and what to do now.
    func conclude(
        _ run: Run, _ result: StepMachine.Result, _ problems: [ApplyRun.Problem], _ stale: [StaleFact],
        _ leftBehind: [LeftBehind], _ drained: [AllocationID], _ advice: Advice
    ) {
        showJobs(isWell: result == .succeeded)
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
        if isNew { showJobs(isWell: false) }
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
        showJobs(isWell: false)
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
                + Advice.wayBack(run.id, result, unknown: problems.filter { $0.state == .unknown }.map(\.step.id)))
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

    private func show(_ problems: [ApplyRun.Problem]) {
        for (index, problem) in problems.prefix(20).enumerated() {
            // The first ones with the end of what they printed, the others with its last line.
            let isShort = index >= Self.shownOutputs
            let parts = [problem.detail, isShort ? problem.output?.tellingLine : nil].compactMap { $0 }
            terminal.printError(
                terminal.styled("\(problem.step.id) \(problem.state.phrase)", .red)
                    + parts.map { ": " + terminal.escape($0) }.joined())
            if isShort { continue }
            for (name, bytes) in [("stdout", problem.output?.stdout ?? []), ("stderr", problem.output?.stderr ?? [])] {
                for text in terminal.tail(bytes, count: 10) { terminal.printError("  \(name): \(text)") }
            }
        }
        if problems.count > 20 { terminal.printError("and \(problems.count - 20) more") }
    }

    /// Problems of which the end of the output is shown.
    private static let shownOutputs = 5

    /// A line for each job, and how long the run took.
    private func showJobs(isWell: Bool) {
        guard let recap, !recap.jobs.isEmpty else { return }
        let lines =
            ["Run \(recap.run.id), \(durationText(milliseconds: recap.milliseconds)):"] + recap.jobLines()
        for line in lines {
            let text = terminal.escape(line)
            if isWell { terminal.print(text) } else { terminal.printError(text) }
        }
    }

    /// The window has no room for what comes next.
    func concludeHeld(_ run: Run, _ drained: [AllocationID]) {
        showJobs(isWell: false)
        show([], drained)
        terminal.printError(terminal.styled("Run \(run.id) is parked.", .yellow))
    }

    /// Of the difference of one file.
    private static let shownLines = 40

    /// The run came as far as `--until` says.
    func concludeLimit(_ run: Run, _ leftBehind: [LeftBehind], _ drained: [AllocationID]) {
        showJobs(isWell: true)
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
}
