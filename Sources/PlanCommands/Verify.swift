import ArgumentParser
import Commands
import Model
import Planner
import Plans
import Review
import YAML

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plans again, and says whether a plan is what the bucket gives now.",
        discussion: """
            The workspace and the catalog are read and planned with the options that the plan names, and everything is \
            compared but the catalog revision and the summary. So a plan for --jobs api stays valid when another job changes, \
            and a plan for all jobs does not. Nothing is written and no worker is contacted.

            Exit codes: 0 valid; 3 the bucket gives another plan; 65 the plan or the workspace cannot be read, or the plan \
            belongs to another bucket.
            """)

    @Argument(help: "The plan file; - reads standard input.")
    var file: String

    @OptionGroup var bucket: BucketOptions

    @Option(
        help: ArgumentHelp(
            "Compare with what this file, from `maand-plan catalog export`, gives in place of the bucket's own catalog.",
            valueName: "file"))
    var catalog: String?

    @OptionGroup var color: ColorOptions

    func run() throws {
        let planned = try PlanInput.read(file)
        let configuration = try bucket.configuration()
        guard planned.plan.fleet.bucket == configuration.bucketID else {
            throw Failure(
                .invalidInput,
                "\(file) is a plan for the bucket \(planned.plan.fleet.bucket), and this is \(configuration.bucketID)",
                "name the plan's bucket with --bucket")
        }
        let now: Plan
        do {
            let timing = Planning.Timing(
                window: planned.plan.window, startBefore: planned.plan.policy.startBefore)
            now = try Planning.plan(bucket, planned.plan.work.request, timing, catalog: catalog).result.plan
        } catch let error as PlanningError {
            for line in error.description.split(separator: "\n") {
                printNotice(VisibleText.escape(String(line), for: .terminal))
            }
            try end(["Stale: the bucket gives no plan with these options any more."])
        }
        let difference = PlanDifference(planned.plan, now)
        if difference.isEmpty {
            try printResult(Array("Valid: the workspace and the catalog give this plan, \(planned.id).\n".utf8))
            return
        }
        try printResult(Array(difference.text(color: color.isOn).utf8))
        var lines = [
            "Stale: the workspace and the catalog give another plan. "
                + PlanDifference.legend("the file", "the other plan")
        ]
        if difference.onlyAddsJobs {
            lines.append("What the file does is unchanged; jobs that it does not hold have something to do now, too.")
        }
        try end(lines)
    }

    private func end(_ lines: [String]) throws -> Never {
        try printResult(Array((lines.joined(separator: "\n") + "\n").utf8))
        throw ExitCode(Exit.stale.rawValue)
    }
}
