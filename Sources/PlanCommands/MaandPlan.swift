import Approvals
package import ArgumentParser
import Catalog
import Commands
import Glibc
import KeyValues
import Model
import Planner
import Plans
import Review
internal import ThisHost
import UseCases
import Workers
import YAML

/// The program `maand-plan`: its commands, and how their errors end it.
package struct MaandPlan: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "maand-plan",
        abstract: "Plans rollouts and shows plans; changes nothing on a worker.",
        discussion: """
            A plan is a file that says exactly what will happen: waves, batches, actions, gates, and why. People review \
            the file, and maand-apply executes that file and nothing else. Only `adopt`, `drift` \
            and `catalog refresh` ask workers anything.

            Exit codes: 0 done; 2 with --detailed-exitcode where the plan changes something or `drift` finds a difference, and \
            where `diff` finds two plans different; 3 where `verify` finds a plan stale; 64 usage; 65 invalid plan, \
            workspace or selection; 5, 69 and 75 of `adopt` and `catalog refresh`: a run is unfinished, a worker does not answer, an \
            apply is at work; 69 of `drift`: a worker does not answer; 77 of `approvals`: some are missing.
            """,
        version: ProgramVersion.text,
        subcommands: [
            Init.self, Adopt.self, Deploy.self, Rollback.self, Restart.self, Start.self, Stop.self, RunTarget.self,
            RunCommandCommand.self,
            RebootCommand.self, JobCommand.self, Prepare.self, Show.self, Diff.self, Verify.self, ApprovalsCommand.self,
            Schedule.self, Drift.self,
            CertificatesCommand.self, KeyValueCommand.self, CatalogCommand.self,
        ])

    package init() {}

    /// To be called first, on the process's only thread: `main` may run on another one.
    package static func makePrivate() { Umask.makePrivate() }

    package static func main() async {
        var printsJSON = false
        do {
            var command = try parseAsRoot(typedArguments())
            printsJSON = Self.printsJSON(command)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            guard let status = Self.status(of: error) else { exit(withError: error) }
            Self.notice(error).forEach(printNotice)
            if printsJSON, let error = error as? any CodedError {
                // The sentence is on standard error already, if nobody reads this one.
                try? printResult(Array(error.document.text.utf8))
            }
            Glibc.exit(status.rawValue)
        }
    }

    private static func typedArguments() throws -> [String] {
        let names = Set(configuration.subcommands.map { $0._commandName })
        return try TypedArguments.arranged(Array(CommandLine.arguments.dropFirst()), commands: names, flags: ["h"])
    }

    private static func printsJSON(_ command: any ParsableCommand) -> Bool {
        (command as? any JSONCommand)?.printsJSON ?? false
    }

    private static func notice(_ error: any Error) -> [String] {
        switch error {
        case let failure as Failure:
            return ["maand-plan: \(VisibleText.escape(failure.message, for: .terminal))"]
                + (failure.note.map { ["  \(VisibleText.escape($0, for: .terminal))"] } ?? [])
        case let failure as InputFailure: return [failure.description]
        case _:
            return "\(error)".split(separator: "\n").map {
                "maand-plan: " + VisibleText.escape(String($0), for: .terminal)
            }
        }
    }

    /// What an error of any of the modules means; nil if the argument parser knows.
    private static func status(of error: any Error) -> Exit? {
        error is PlanningError ? .invalidInput : Exit(of: error)
    }
}
