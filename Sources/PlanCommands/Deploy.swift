import ArgumentParser
import Catalog
import Commands
import Model
import Planner
import Plans
import Review
import YAML

struct Deploy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plans the rollout that brings the workers to the workspace.",
        discussion: """
            Reads the workspace and the catalog, and writes the plan. The files that the plan pushes are kept in store/, \
            so that the plan can be applied when the workspace has moved on. No worker is contacted and nothing of the \
            workspace is run. A plan with nothing to do is written, too.
            """)

    @OptionGroup var bucket: BucketOptions

    @OptionGroup var output: PlanOutput

    @Option(help: ArgumentHelp("Only these jobs, separated by commas.", valueName: "a,b"))
    var jobs: String?

    @Flag(help: "Let every active allocation act; its restart policy decides how.")
    var force = false

    @Flag(help: "Only push files and run no target; an error where an allocation has to be started.")
    var syncOnly = false

    @Option(
        help: ArgumentHelp(
            "Treat every acting allocation of these jobs as not well: they act in the phase `recover`, and no gate comes "
                + "before them.", valueName: "a,b"))
    var recover: String?

    @OptionGroup var unreachable: UnreachableOption

    @OptionGroup var selection: SelectionOptions

    @Flag(help: "Start what a person has stopped with `maand-plan stop`, too.")
    var includeStopped = false

    @Option(
        help: """
            What a failure means for the rest of the run, in place of `on_failure` in maand.conf: with `rollback`, what the \
            run has begun goes back to what it was.
            """)
    var onFailure: FailurePolicy?

    @Option(help: "When disabled and removed allocations are stopped: before the first wave, or after the last one.")
    var stops = StopOrder.first

    @Flag(help: "Exit with 2 where the plan changes something.")
    var detailedExitcode = false

    @Flag(help: "First do what `maand-plan prepare` does.")
    var prepare = false

    @Flag(help: "First make the certificates that are missing, and renew those that end soon.")
    var issueCerts = false

    func run() async throws {
        // Everything that can be refused comes before what is done for the plan.
        var options = Plan.Options(
            jobs: try Self.names(jobs, "--jobs"), force: force, syncOnly: syncOnly,
            recover: try Self.names(recover, "--recover"), maxUnreachable: try unreachable.limit(),
            selection: try selection.selection(), includeStopped: includeStopped)
        let timing = try output.timing()
        if issueCerts {
            if output.catalog != nil {
                throw Failure(
                    .usage,
                    "--issue-certs makes certificates for the bucket's own catalog, and --catalog names another",
                    "make them in the bucket, and export its catalog again")
            }
            try output.checkIsFree()
        }
        if prepare { try await Preparation(bucket).run() }
        if issueCerts { try await CertificateMaking(bucket).run(options.jobs, .due) }
        options.onFailure = onFailure
        options.stopsLast = stops == .last
        let (result, store) = try Planning.plan(
            bucket, .deploy(options), timing, catalog: output.catalog)
        try output.write(result, keepingContentIn: store)
        if result.plan.isEmpty {
            printNotice(
                "If a service does not run although nothing is to be done (after a reboot of its host, say): "
                    + "maand-plan start JOB | maand-apply -")
        }
        if detailedExitcode, !result.plan.isEmpty { throw ExitCode(Exit.changes.rawValue) }
    }

    static func names(_ list: String?, _ option: String) throws -> [JobName] {
        guard let list else { return [] }
        return try JobName.list(list) { part in
            Failure(.usage, "\(option): \"\(part)\" is not the name of a job", "separate names by commas")
        }
    }
}

/// When allocations are stopped that the workspace does not want.
enum StopOrder: String, ExpressibleByArgument, CaseIterable {
    case first
    case last
}
