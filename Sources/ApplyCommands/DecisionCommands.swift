import ArgumentParser
import Catalog
import Commands
import Model
import Plans
import UseCases

struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Parks a run: what is in flight finishes, nothing new begins; the same command continues it.")

    @OptionGroup var options: ApplyOptions

    @Argument(help: "The run's number; without it the run that is not over.") var run: RunID?

    @Option(parsing: .unconditional, help: "Why; recorded.") var reason: String

    func validate() throws { try requireReason(reason) }

    func run() async throws {
        try await reportingFailures {
            let lock: BucketLock?
            do {
                lock = try options.lock(plan: nil)
            } catch LockError.held {
                lock = nil
            }
            defer { withExtendedLifetime(lock) {} }
            let run = try options.unfinished(run)
            try await DecideRun(in: options.context()).pause(run, isExecuted: lock == nil, reason: reason)
            options.terminal.print(
                lock == nil
                    ? "Run \(run) is asked to park: what is in flight finishes." : "Run \(run) is paused.")
        }
    }
}

struct AbandonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abandon",
        abstract: "Gives up an unfinished run. The next plan deploys again what it began.")

    @OptionGroup var options: ApplyOptions

    @Argument(help: "The run's number; without it the run that is not over.") var run: RunID?

    @Option(parsing: .unconditional, help: "Why; recorded.") var reason: String

    func validate() throws { try requireReason(reason) }

    func run() async throws {
        try await reportingFailures {
            let lock = try options.lock(plan: nil)
            defer { withExtendedLifetime(lock) {} }
            let terminal = options.terminal
            let run = try options.unfinished(run)
            for note in try await DecideRun(in: options.context()).abandon(run, reason: reason) {
                terminal.printError(terminal.styled("warning", .yellow) + ": " + terminal.escape(note))
            }
            terminal.print(
                "Run \(run) is abandoned. Plan again: the next plan deploys what this run has left unfinished.")
        }
    }
}

struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve", abstract: "Says what became of a step whose outcome is unknown.")

    enum Verdict: String, ExpressibleByArgument, CaseIterable {
        case succeeded
        case failed
    }

    @OptionGroup var options: ApplyOptions

    @Argument(
        help: ArgumentHelp(
            "The run's number (without it the run that is not over), the step as `status` shows it, and what happened: "
                + "`succeeded` or `failed`.",
            valueName: "[run] step succeeded|failed"))
    var words: [String]

    @Option(parsing: .unconditional, help: "How you know; recorded.") var reason: String

    func validate() throws {
        try requireReason(reason)
        _ = try decision()
    }

    func run() async throws {
        try await reportingFailures {
            let lock = try options.lock(plan: nil)
            defer { withExtendedLifetime(lock) {} }
            let (run, step, verdict) = try decision()
            try await DecideRun(in: options.context()).resolve(
                options.unfinished(run), step: step, succeeded: verdict == .succeeded, reason: reason)
            options.terminal.print("\(options.terminal.escape(step.text)) counts as \(verdict.rawValue).")
        }
    }

    private func decision() throws -> (run: RunID?, step: StepID, verdict: Verdict) {
        var words = words[...]
        guard let last = words.popLast(), let verdict = Verdict(rawValue: last) else {
            throw ValidationError("The last word says what happened: succeeded or failed.")
        }
        guard let step = words.popLast(), words.count <= 1 else {
            throw ValidationError("Name the run, the step, and what happened; the run may be left out.")
        }
        guard let first = words.first else { return (nil, StepID(step), verdict) }
        guard let run = RunID(argument: first) else { throw ValidationError("\"\(first)\" is no number of a run.") }
        return (run, StepID(step), verdict)
    }
}

/// What is recorded for others has to say something.
func requireReason(_ reason: String) throws {
    if reason.allSatisfy(\.isWhitespace) { throw ValidationError("--reason is empty.") }
}
