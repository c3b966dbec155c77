import ArgumentParser
import Commands
import Model
import Plans
import Review

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what differs between two plans, by meaning.",
        discussion: """
            Waves, batches, actions, reasons, versions, files, gates, workers and policy are compared, and each difference is \
            told with the jobs and workers that it concerns. If several jobs differ alike, that is told once. If the bucket's \
            store/ has the contents, it is shown how what workers get of a file differs, line by line. The catalog revisions at \
            which the plans were made and the summaries, which follow from the rest, are not compared.

            Exit codes: 0 the plans do the same; 2 they differ; 65 one of them is no plan.
            """)

    @Argument(help: "The plan file to begin with; - reads standard input.")
    var a: String

    @Argument(help: "The plan file to compare it with; - reads standard input.")
    var b: String

    @OptionGroup var bucket: BucketOptions

    @Option(help: "Contents of files line by line: auto (if they are in the bucket's store/) or none.")
    var diff: DiffChoice = .auto

    @OptionGroup var color: ColorOptions

    func validate() throws {
        if a == "-", b == "-" { throw ValidationError("only one of the plans can be read from standard input") }
    }

    func run() throws {
        let (old, new) = (try PlanInput.read(a), try PlanInput.read(b))
        let difference = PlanDifference(old.plan, new.plan)
        let contents = diff == .auto ? PlanContents.read([old.plan, new.plan], .all, in: bucket) : .none
        let legend = difference.isEmpty ? "" : PlanDifference.legend("the first plan", "the second plan") + "\n\n"
        try printResult(Array((legend + difference.text(color: color.isOn, contents: contents)).utf8))
        if !difference.isEmpty { throw ExitCode(Exit.changes.rawValue) }
    }
}
