import ArgumentParser
import Commands
import Model
import Planner
import Plans
import Review

/// What the commands have in common that run a target on what is deployed.
struct OperationOptions: ParsableArguments {
    @Argument(help: "The jobs.")
    var jobs: [String]

    @OptionGroup var selection: SelectionOptions

    @Option(
        help: ArgumentHelp(
            "The size of a batch, in place of `max_concurrent_upgrades` or `rollout.batches` in the manifests: a number, or a "
                + "share of the job's active allocations.", valueName: "N|N%"))
    var batch: String?

    @Flag(
        help: """
            Run the target although files on the workers differ from those that were promoted. The plan says so. For \
            incidents.
            """)
    var allowDrift = false

    @OptionGroup var unreachable: UnreachableOption

    @OptionGroup var bucket: BucketOptions

    @OptionGroup var output: PlanOutput

    func plan(_ verb: Operation.Verb, hasGate: Bool) throws {
        let names = try jobs.map { text -> JobName in
            guard let name = JobName(text) else { throw Failure(.usage, "\"\(text)\" is not the name of a job") }
            return name
        }
        let size = try batch.map { try HostCount.option($0, "--batch") }
        if size == .hosts(0) || size == .percent(0) { throw Failure(.usage, "--batch: a batch has at least one host") }
        let options = Operation.Options(
            jobs: names, selection: try selection.selection(), batch: size, hasGate: hasGate, allowsDrift: allowDrift,
            maxUnreachable: try unreachable.limit())
        let (result, store) = try Planning.plan(
            bucket, .operation(verb, options), try output.timing(), catalog: output.catalog)
        try output.write(result, keepingContentIn: store)
    }
}

/// Whether gates follow the batches.
struct GateOption: ParsableArguments {
    @Flag(help: "Do not ask the health check after each batch.")
    var noGate = false
}

struct Restart: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plans to restart jobs with the files that are deployed.",
        discussion: """
            Runs `make restart` in the order and the batches of an upgrade, with a gate after each batch if the job has a \
            health check. The files on the workers have to be those that were promoted. Allocations that a person has \
            stopped stay stopped. For example: maand-plan restart api | maand-apply -
            """)

    @OptionGroup var options: OperationOptions
    @OptionGroup var gate: GateOption

    func run() throws { try options.plan(.restart, hasGate: !gate.noGate) }
}

struct Start: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plans to start what does not run, with the files that are deployed.",
        discussion: """
            For allocations that a person has stopped, and for services that do not run although they should, such as \
            after a reboot of their host. If the job has a health check, an allocation that passes it is left alone; \
            without one `make start` runs everywhere.
            """)

    @OptionGroup var options: OperationOptions
    @OptionGroup var gate: GateOption

    func run() throws { try options.plan(.start, hasGate: !gate.noGate) }
}

struct Stop: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plans to stop jobs; they stay stopped until `start`.",
        discussion: """
            Runs `make stop`. Jobs are stopped before those that they demand, and there is no gate. What was stopped so is \
            recorded: gates leave it out, and `deploy` leaves it alone and says so, unless --include-stopped is given.
            """)

    @OptionGroup var options: OperationOptions

    func run() throws { try options.plan(.stop, hasGate: true) }
}

struct RunTarget: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run-target",
        abstract: "Plans to run one target of a job's Makefile.",
        discussion: """
            In the order and the batches of an upgrade. Nothing that is recorded of the allocations changes. A target that a \
            Makefile does not have is found when the run starts, before anything runs.
            """)

    @OptionGroup var options: OperationOptions
    @OptionGroup var gate: GateOption

    @Option(help: ArgumentHelp("The target, such as `reload` or `backup`.", valueName: "target"))
    var target: String

    func run() throws {
        guard TargetName.isValid(target) else {
            throw Failure(
                .usage, "--target: \"\(target)\" is not the name of a target",
                "letters, digits and `_.-`; the first is a letter or a digit")
        }
        if let verb = [Operation.Verb.restart, .start, .stop].first(where: { $0.target == target }) {
            throw Failure(
                .usage, "--target: what `\(target)` does is recorded, so it is a command of its own",
                "maand-plan \(verb.target) \(options.jobs.joined(separator: " "))")
        }
        try options.plan(.target(target), hasGate: !gate.noGate)
    }
}
