import ArgumentParser
import Catalog
import Glibc
import KeyValues
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
            apply is at work.
            """,
        subcommands: [
            Init.self, Deploy.self, JobCommand.self, Show.self, Diff.self, Verify.self, KeyValueCommand.self, CatalogCommand.self,
        ])

    static func main() async {
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
        } catch let error as PlanningError {
            for line in error.description.split(separator: "\n") {
                printNotice("maand-plan: " + VisibleText.escape(String(line), for: .terminal))
            }
            Glibc.exit(Exit.invalidInput.rawValue)
        } catch let error as VaultError {
            printNotice("maand-plan: \(VisibleText.escape(error.description, for: .terminal))")
            Glibc.exit(Exit.failed.rawValue)
        } catch let error as CatalogError {
            printNotice("maand-plan: \(VisibleText.escape(error.description, for: .terminal))")
            Glibc.exit(Exit.failed.rawValue)
        } catch let error as StoreError {
            printNotice("maand-plan: \(VisibleText.escape(error.description, for: .terminal))")
            Glibc.exit(Exit.failed.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}
