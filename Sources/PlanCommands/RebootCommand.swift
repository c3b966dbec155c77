import ArgumentParser
import Commands
import Model
import Planner
import Plans
import Review

struct RebootCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reboot",
        abstract: "Plans to reboot workers, one batch after the other.",
        discussion: """
            For each worker: its jobs are stopped, those that demand others first; the command is sent once; when the worker \
            runs as another boot, its jobs are started, those that are demanded first. After each batch the gates of the \
            jobs on its workers have to pass. `rollout.max_unavailable` of a job is never exceeded. A worker that does not \
            come back ends the rollout, and the workers of later batches stay as they are.
            """)

    @OptionGroup var selection: SelectionOptions

    @Option(help: ArgumentHelp("Workers at a time: a number, or a share of them. Without it one.", valueName: "N|N%"))
    var concurrency: String?

    @Option(help: ArgumentHelp("The workers of a batch have the same value of this tag.", valueName: "tag"))
    var spread: String?

    @Option(
        help: ArgumentHelp(
            "Asked on each worker when its turn comes, before anything stops: only if it exits with 0 the worker is rebooted.",
            valueName: "command"))
    var onlyIf: String?

    @Option(help: ArgumentHelp("What is sent to reboot a worker.", valueName: "command"))
    var command = Reboot.Rules().command

    @Option(help: ArgumentHelp("How long a worker may take until it is back.", valueName: "seconds"))
    var timeout = Reboot.Rules().timeout

    @Option(help: ArgumentHelp("How long to wait between two batches.", valueName: "seconds"))
    var pause = 0

    @Option(
        help: ArgumentHelp(
            "How many workers may be left behind because they cannot be used: a number, or a share.", valueName: "N|N%")
    )
    var maxUnreachable: String?

    @OptionGroup var bucket: BucketOptions

    @OptionGroup var output: PlanOutput

    func run() throws {
        guard Plan.Timeouts.range.contains(timeout) else {
            throw Failure(
                .usage, "--timeout: \(timeout) is not between 1 and \(Plan.Timeouts.range.upperBound) seconds")
        }
        guard Plan.Batching.bakeRange.contains(pause) else {
            throw Failure(
                .usage, "--pause: \(pause) is not between 0 and \(Plan.Batching.bakeRange.upperBound) seconds")
        }
        for (option, text) in [("--only-if", onlyIf ?? "true"), ("--command", command)]
        where text.isEmpty || text.utf8.count > WorkerCommand.limit || text.utf8.contains(0) {
            throw Failure(.usage, "\(option): the command is empty, longer than 64 KiB, or has a NUL character")
        }
        let options = Reboot.Options(
            selection: try selection.selection(), concurrency: try concurrency.map { try HostCount.concurrency($0) },
            spread: spread, maxUnreachable: try maxUnreachable.map { try HostCount.option($0, "--max-unreachable") })
        let rules = Reboot.Rules(command: command, onlyIf: onlyIf, timeout: timeout, pauseSeconds: pause)
        let (result, store) = try Planning.plan(
            bucket, .reboot(rules, options), try output.timing(), catalog: output.catalog)
        try output.write(result, keepingContentIn: store)
    }
}
