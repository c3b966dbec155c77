package import ArgumentParser
import Commands
import Model
internal import ThisHost

/// The program `maand-apply`.
package struct MaandApply: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "maand-apply",
        abstract: "Executes exactly the rollout plan that was reviewed, step by step, and resumes after interruptions.",
        usage: "maand-apply [<options>] <plan>\n       maand-apply <subcommand>",
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

    private static func arranged(_ typed: [String]) throws -> [String] {
        let names = Set(configuration.subcommands.map { $0._commandName })
        return try TypedArguments.arranged(typed, commands: names, flags: ["h", "v", "q"])
    }

    /// With the argument and the options of `run`, which is what people mostly want.
    private static var help: String {
        let run = helpMessage(for: RunCommand.self)
        let arguments = run.ranges(of: "ARGUMENTS:").first.map { run[$0.lowerBound...] } ?? ""
        return "\(helpMessage())\n\nOf `maand-apply <plan>`, which is `maand-apply run <plan>`:\n\n\(arguments)"
    }

    package static func main() async {
        do {
            let typed = Array(CommandLine.arguments.dropFirst())
            if typed == ["--help"] || typed == ["-h"] { return print(help) }
            var command = try parseAsRoot(arranged(typed))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}
