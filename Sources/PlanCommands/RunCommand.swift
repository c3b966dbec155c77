import ArgumentParser
import Catalog
import Commands
import Model
import Planner
import Plans
import Review

struct RunCommandCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-command",
        abstract: "Plans to run a command once on each worker.",
        discussion: """
            The command runs in batches, by bash, in the bucket's folder and with the rights that targets have. It gets \
            BUCKET_ID, WORKER and WORKER_IP in its environment. It is never repeated without a person. Equal outputs are \
            shown once at the end, with their workers. For example: maand-plan run-command uptime | maand-apply -
            """)

    @Argument(help: "The command: lines of shell.")
    var command: String?

    @Option(
        help: ArgumentHelp(
            "Run this script. Its bytes are kept in store/, and the plan binds their digest.", valueName: "file"),
        completion: .file())
    var file: String?

    @OptionGroup var selection: SelectionOptions

    @Option(help: ArgumentHelp("Workers at a time: a number, or a share of them. Without it one.", valueName: "N|N%"))
    var concurrency: String?

    @Flag(help: "After each batch, ask the health checks of all jobs on its workers.")
    var healthCheck = false

    @Flag(help: "Go on in spite of failures. The run ends as failed if there were any.")
    var ignoreFailure = false

    @Option(help: ArgumentHelp("How long the command may take on one worker.", valueName: "seconds"))
    var timeout = 300

    @Flag(help: "Run it in the login folder, with the login user's rights.")
    var noSudo = false

    @Option(
        help: ArgumentHelp(
            "How many workers may be left behind because they cannot be used: a number, or a share.", valueName: "N|N%")
    )
    var maxUnreachable: String?

    @OptionGroup var bucket: BucketOptions

    @OptionGroup var output: PlanOutput

    func run() throws {
        guard (command == nil) != (file == nil) else {
            throw Failure(.usage, "a plan runs one command", "name it as an argument, or a script with --file")
        }
        guard Plan.Timeouts.range.contains(timeout) else {
            throw Failure(
                .usage, "--timeout: \(timeout) is not between 1 and \(Plan.Timeouts.range.upperBound) seconds")
        }
        let bytes = try file.map {
            try HostFiles.read($0, limit: WorkerCommand.limit, note: "a script has at most 64 KiB")
        }
        guard (command?.utf8.count ?? bytes?.count).map({ (1...WorkerCommand.limit).contains($0) }) == true else {
            throw Failure(.usage, "the command is empty, or longer than 64 KiB")
        }
        guard WorkerCommand.text(of: bytes ?? Array((command ?? "").utf8)) != nil else {
            throw Failure(.usage, "the command has a NUL character, or is not UTF-8")
        }
        let script = bytes.map {
            WorkerCommand.Script(file: file?.split(separator: "/").last.map(String.init) ?? "", digest: Digest.of($0))
        }
        let options = RunCommand.Options(
            selection: try selection.selection(), concurrency: try concurrency.map { try HostCount.concurrency($0) },
            hasGates: healthCheck, ignoresFailures: ignoreFailure,
            maxUnreachable: try maxUnreachable.map { try HostCount.option($0, "--max-unreachable") })
        let work = WorkerCommand(text: command, script: script, timeout: timeout, isWithoutSudo: noSudo)
        var (result, store) = try Planning.plan(
            bucket, .runCommand(work, options), try output.timing(), catalog: output.catalog)
        if let bytes, let script {
            result.capture.append(PlanningResult.Capture(digest: script.digest, source: .bytes(bytes)))
        }
        try output.write(result, keepingContentIn: store)
    }
}

extension HostCount {
    /// The value of `--concurrency`.
    ///
    /// - Throws: `Failure` if it is no number of hosts, or zero.
    static func concurrency(_ text: String) throws -> HostCount {
        let count = try option(text, "--concurrency")
        if count == .hosts(0) || count == .percent(0) {
            throw Failure(.usage, "--concurrency: a batch has at least one worker")
        }
        return count
    }
}
