import Approvals
package import ArgumentParser
import Catalog
import Commands
import Executor
import Glibc
import KeyValues
import Model
import Planner
import YAML

/// The program `maand-plan`: its commands, and how their errors end it.
package struct MaandPlan: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "maand-plan",
        abstract: "Plans rollouts and shows plans; changes nothing on a worker.",
        discussion: """
            A plan is a file that says exactly what will happen: waves, batches, actions, gates, and why. People review \
            the file, and maand-apply executes that file and nothing else. Only `catalog refresh` asks workers anything.

            Exit codes: 0 done; 2 with --detailed-exitcode where the plan changes something, and where \
            `diff` finds two plans different; 3 where `verify` finds a plan stale; 64 usage; 65 invalid plan, \
            workspace or selection; 5, 69 and 75 of `catalog refresh`: a run is unfinished, a worker does not answer, an \
            apply is at work; 77 of `approvals`: some are missing.
            """,
        version: ProgramVersion.text,
        subcommands: [
            Init.self, Deploy.self, JobCommand.self, Show.self, Diff.self, Verify.self, ApprovalsCommand.self,
            Schedule.self,
            KeyValueCommand.self, CatalogCommand.self,
        ])

    package init() {}

    /// To be called first, on the process's only thread: `main` may run on another one.
    package static func makePrivate() { Umask.makePrivate() }

    package static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            printNotice("maand-plan: \(VisibleText.escape(failure.message, for: .terminal))")
            if let note = failure.note { printNotice("  \(VisibleText.escape(note, for: .terminal))") }
            Glibc.exit(failure.code.rawValue)
        } catch let failure as InputFailure {
            printNotice(failure.description)
            Glibc.exit(Exit.invalidInput.rawValue)
        } catch {
            guard let failure = Self.refusal(error) else { exit(withError: error) }
            for line in failure.message.split(separator: "\n") {
                printNotice("maand-plan: " + VisibleText.escape(String(line), for: .terminal))
            }
            Glibc.exit(failure.code.rawValue)
        }
    }

    /// What an error of any of the modules means; nil where the argument parser knows.
    private static func refusal(_ error: any Error) -> Failure? {
        switch error {
        case let error as PlanningError: Failure(.invalidInput, error.description)
        case let error as VaultError: Failure(.invalidInput, error.description)
        default: Failure(error)
        }
    }
}
