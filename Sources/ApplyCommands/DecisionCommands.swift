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

    @Argument(help: "The run's number.") var run: RunID

    @Option(help: "Why; recorded.") var reason: String

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

    @Argument(help: "The run's number.") var run: RunID

    @Option(help: "Why; recorded.") var reason: String

    func validate() throws { try requireReason(reason) }

    func run() async throws {
        try await reportingFailures {
            let lock = try options.lock(plan: nil)
            defer { withExtendedLifetime(lock) {} }
            let terminal = options.terminal
            for note in try await DecideRun(in: options.context()).abandon(run, reason: reason) {
                terminal.printError(terminal.styled("warning", .yellow) + ": " + terminal.escape(note))
            }
            terminal.print("Run \(run) is abandoned. Plan again: what it began, if anything, will act.")
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

    @Argument(help: "The run's number.") var run: RunID

    @Argument(help: "The step, as `status` shows it.") var step: String

    @Argument(help: "What happened: `succeeded` or `failed`.") var verdict: Verdict

    @Option(help: "How you know; recorded.") var reason: String

    func validate() throws { try requireReason(reason) }

    func run() async throws {
        try await reportingFailures {
            let lock = try options.lock(plan: nil)
            defer { withExtendedLifetime(lock) {} }
            try await DecideRun(in: options.context()).resolve(
                run, step: StepID(step), succeeded: verdict == .succeeded, reason: reason)
            options.terminal.print("\(options.terminal.escape(step)) counts as \(verdict.rawValue).")
        }
    }
}

/// What is recorded for others has to say something.
func requireReason(_ reason: String) throws {
    if reason.allSatisfy(\.isWhitespace) { throw ValidationError("--reason is empty.") }
}
