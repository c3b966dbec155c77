import ArgumentParser
import Commands
import Model
import Plans

struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job-command",
        abstract: "Plans to run a command of a job that names the event `cli`.",
        discussion: """
            The command runs on the controller, once for each active allocation of the job, side by side; what it \
            writes into the key-value store takes effect with its success. The plan is applied like any other: \
            maand-plan job-command api command_report | maand-apply -
            """)

    @Argument(help: "The job.")
    var job: String

    @Argument(help: "The command, such as command_report.")
    var command: String

    @OptionGroup var bucket: BucketOptions

    @OptionGroup var output: PlanOutput

    func run() throws {
        guard let name = JobName(job) else { throw Failure(.usage, "\"\(job)\" is not the name of a job") }
        let (result, store) = try Planning.plan(
            bucket, .jobCommand(name, command: command), try output.timing(), catalog: output.catalog)
        try output.write(result, keepingContentIn: store)
    }
}
