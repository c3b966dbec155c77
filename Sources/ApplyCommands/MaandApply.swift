package import ArgumentParser
import Model
internal import ThisHost

/// The program `maand-apply`.
package struct MaandApply: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "maand-apply",
        abstract: "Executes exactly the rollout plan that was reviewed, step by step, and resumes after interruptions.",
        discussion: """
            The same command continues an interrupted run, does nothing for a finished one, and says what is in the way \
            of a failed one. Every step is recorded before its worker is contacted and after it has answered.
            """,
        version: ProgramVersion.text,
        subcommands: [
            RunCommand.self, StatusCommand.self, LogsCommand.self, HistoryCommand.self, ReportCommand.self,
            PauseCommand.self,
            AbandonCommand.self,
            ResolveCommand.self, HealthCheckCommand.self,
        ],
        defaultSubcommand: RunCommand.self)

    package init() {}

    /// To be called first, on the process's only thread: `main` may run on another one.
    package static func makePrivate() { Umask.makePrivate() }

    package static func main() async {
        await main(nil)
    }
}
