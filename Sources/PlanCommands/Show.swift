import ArgumentParser
import Catalog
import Commands
import Model
import Plans
import Review
import UseCases
import Windows
import YAML

struct Show: ParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a plan to people: what happens where, in which order, and why.",
        discussion: """
            The plan is checked as maand-apply checks it. No bucket is needed. If there is one, its store/ gives the contents of \
            changed files, line by line, and its recorded runs give the expected times. A review begins with what deserves a \
            look first, and with a table of the jobs.
            """)

    var printsJSON: Bool { format == .json }

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, markdown, json, html
    }

    @Argument(help: "The plan file; - reads standard input.")
    var file: String

    @OptionGroup var bucket: BucketOptions

    @Option(
        help: """
            The form: text for a terminal, markdown for the comment on a pull request, html for one page that needs no \
            other file, json for programs.
            """)
    var format: Format = .text

    @Flag(help: "Show the flat order of the steps with the ids that maand-apply records; as text, nothing else.")
    var steps = false

    @Flag(help: "As text, name all hosts of lists that are too long for a sentence.")
    var hosts = false

    @Option(
        help: ArgumentHelp(
            "Show only what is different from this plan, which was approved before, and what is unchanged in a few words.",
            valueName: "file"))
    var since: String?

    @Option(help: "Changes of files line by line: auto (if the contents are in the bucket's store/) or none.")
    var diff: DiffChoice = .auto

    @Option(
        help: ArgumentHelp(
            "Show the openings of the plan's window after this instant, such as 2026-12-01T12:00:00Z; else after now.",
            valueName: "instant"))
    var at: String?

    @OptionGroup var color: ColorOptions

    func validate() throws {
        if since == "-", file == "-" { throw ValidationError("only one of the plans can be read from standard input") }
        if since != nil, format == .json { throw ValidationError("--since is for people; `diff` compares plans, too") }
    }

    func run() throws {
        let plan = try PlanInput.read(file)
        let context = ReviewContext(
            history: history(of: plan.plan), outlook: try outlook(of: plan.plan), since: try since.map(PlanInput.read))
        let text: String
        switch format {
        case .text:
            text =
                steps
                ? StepList.text(plan)
                : TextReview.text(
                    plan, contents: contents(of: plan.plan, .newCode), color: color.isOn, width: terminalWidth,
                    showsHosts: hosts, context)
        case .markdown:
            text = MarkdownReview.text(plan, contents: contents(of: plan.plan, .all), showsSteps: steps, context)
        case .json:
            text =
                JSONReview.json(
                    plan, contents: contents(of: plan.plan, .all), showsSteps: steps, outlook: context.outlook
                ).text
        case .html:
            text = HTMLReview.page(plan, contents: contents(of: plan.plan, .all), showsSteps: steps, context)
        }
        try printResult(Array(text.utf8))
    }

    private func contents(of plan: Plan, _ whole: WholeFiles) -> FileContents {
        diff == .auto ? PlanContents.read([plan], whole, in: bucket) : .none
    }

    /// How long steps of the plan's jobs took in the bucket. A catalog that cannot be read is no reason not to show the plan.
    private func history(of plan: Plan) -> StepHistory {
        guard let catalog = try? Catalog.openReadOnly(in: bucket.folder, bucket: plan.fleet.bucket) else {
            return .none
        }
        var durations: [JobName: [String: [Int64]]] = [:]
        for job in plan.touchedJobs { durations[job] = try? catalog.durations(of: job) }
        return StepHistory(durations)
    }

    private func outlook(of plan: Plan) throws -> WindowOutlook? {
        let contents = try FreezeInput.contents(bucket)
        return WindowOutlook(
            plan, at: try at.map(WindowInput.instant) ?? .now, freezes: contents.freezes, freezeZone: contents.zone,
            database: .system)
    }
}

enum DiffChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, none
}

/// Contents of files that plans name.
enum PlanContents {
    /// What the bucket's store has of them. A store that lacks some of them, or cannot be read, is no reason not to show a plan.
    static func read(_ plans: [Plan], _ whole: WholeFiles, in bucket: BucketOptions) -> FileContents {
        let store = ContentStore(in: bucket.folder)
        return FileContents(of: plans, whole: whole) { digest, limit in
            do throws(StoreError) {
                return .bytes(try store.read(digest, limit: limit))
            } catch {
                if case .tooLarge(_, let size, _) = error { return .large(size) }
                return .missing
            }
        }
    }
}

/// Plans that are given by name.
enum PlanInput {
    static func read(_ path: String) throws -> PlanFile {
        let bytes = try HostFiles.read(path, limit: PlanFile.maximumSize)
        return try PlanFile.read(bytes, file: path == "-" ? "standard input" : path)
    }
}
