import Approvals
import ArgumentParser
import Catalog
import Executor
import Glibc
import KeyValues
import Model
import Planner
import YAML

@main
struct MaandPlan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
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

    static func main() async {
        Umask.makePrivate()
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
            guard let (code, text) = Self.refusal(error) else { exit(withError: error) }
            for line in text.split(separator: "\n") {
                printNotice("maand-plan: " + VisibleText.escape(String(line), for: .terminal))
            }
            Glibc.exit(code.rawValue)
        }
    }

    /// What an error of any of the modules means; nil where the argument parser knows.
    private static func refusal(_ error: any Error) -> (Exit, String)? {
        switch error {
        case let error as PlanningError: (.invalidInput, error.description)
        case let problem as ApprovalProblem: (.notApproved, problem.description)
        case let error as VaultError: (.invalidInput, error.description)
        case CatalogError.otherBucket: (.invalidInput, "\(error)")
        case let error as CatalogError: (.failed, error.description)
        case let error as StoreError: (.failed, error.description)
        default: nil
        }
    }
}
