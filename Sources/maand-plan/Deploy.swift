import ArgumentParser
import Catalog
import Model
import Planner
import Review
import YAML

struct Deploy: ParsableCommand {
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

    @Flag(help: "Exit with 2 where the plan changes something.")
    var detailedExitcode = false

    func run() throws {
        let options = Plan.Options(jobs: try selection(), force: force, syncOnly: syncOnly)
        let (result, store) = try Planning.plan(
            bucket, .rollout(options), try output.timing(), catalog: output.catalog)
        try output.write(result, keepingContentIn: store)
        if detailedExitcode, !result.plan.isEmpty { throw ExitCode(Exit.changes.rawValue) }
    }

    private func selection() throws -> [JobName] {
        guard let jobs else { return [] }
        return try jobs.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let name = JobName(String(text)) else {
                throw Failure(.usage, "--jobs: \"\(text)\" is not the name of a job", "separate names by commas")
            }
            return name
        }
    }
}
