import ArgumentParser
import Executor
import Model

@main
struct MaandApply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maand-apply",
        abstract: "Executes exactly the rollout plan that was reviewed, step by step, and resumes after interruptions.",
        discussion: """
            The same command continues an interrupted run, does nothing for a finished one, and says what is in the way \
            of a failed one. Every step is recorded before its worker is contacted and after it has answered.
            """,
        version: ProgramVersion.text,
        subcommands: [
            RunCommand.self, StatusCommand.self, HistoryCommand.self, PauseCommand.self, AbandonCommand.self,
            ResolveCommand.self, HealthCheckCommand.self,
        ],
        defaultSubcommand: RunCommand.self)

    static func main() async {
        Umask.makePrivate()
        await main(nil)
    }
}
