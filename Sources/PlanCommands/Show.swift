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
            The plan is checked as maand-apply checks it. No bucket is needed; where there is one with the plan's contents in \
            its store/, the changes of files are shown line by line.
            """)

    var printsJSON: Bool { format == .json }

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, markdown, json, html
    }

    enum DiffChoice: String, ExpressibleByArgument, CaseIterable {
        case auto, none
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

    @Option(help: "Changes of files line by line: auto (where the contents are in the bucket's store/) or none.")
    var diff: DiffChoice = .auto

    @Option(
        help: ArgumentHelp(
            "Show the openings of the plan's window after this instant, such as 2026-12-01T12:00:00Z; else after now.",
            valueName: "instant"))
    var at: String?

    @OptionGroup var color: ColorOptions

    func run() throws {
        let plan = try PlanInput.read(file)
        let outlook = try outlook(of: plan.plan)
        let text: String
        switch format {
        case .text:
            text =
                steps
                ? StepList.text(plan)
                : TextReview.text(
                    plan, contents: contents(of: plan.plan, whole: .newModules), color: color.isOn,
                    width: terminalWidth, outlook: outlook)
        case .markdown:
            text = MarkdownReview.text(
                plan, contents: contents(of: plan.plan, whole: .newModules), showsSteps: steps, outlook: outlook)
        case .json:
            text =
                JSONReview.json(
                    plan, contents: contents(of: plan.plan, whole: .all), showsSteps: steps, outlook: outlook
                ).text
        case .html:
            text = HTMLReview.page(
                plan, contents: contents(of: plan.plan, whole: .all), showsSteps: steps, outlook: outlook)
        }
        try printResult(Array(text.utf8))
    }

    private func outlook(of plan: Plan) throws -> WindowOutlook? {
        let contents = try FreezeInput.contents(bucket)
        return WindowOutlook(
            plan, at: try at.map(WindowInput.instant) ?? .now, freezes: contents.freezes, freezeZone: contents.zone,
            database: .system)
    }

    /// What the store has of the plan's contents. A store that lacks some of them, or cannot be read, is no reason not to
    /// show the plan.
    private func contents(of plan: Plan, whole: WholeFiles) -> FileContents {
        guard diff == .auto else { return .none }
        let store = ContentStore(in: bucket.folder)
        return FileContents(of: plan, whole: whole) { digest, limit in
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
