import ArgumentParser
import Catalog
import Commands
import Foundation
import Model
import Review
import ThisHost
import UseCases
import YAML

struct ReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Writes a report of a run: jobs, failures, times, gates, decisions, what was left behind.",
        discussion: """
            The report is made from what is recorded, for the ticket of a change; it asks no worker. The HTML page is one file \
            that needs no other and makes no request. Steps of the last 100 runs are recorded, and what they printed of the \
            last 20. Also of an unfinished run: it shows how that stands.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case html, markdown, json
    }

    @OptionGroup var options: ApplyOptions

    @Argument(help: "The run's number.") var run: RunID

    @Option(help: "What to write.") var format = Format.html

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The file to write; without it, standard output.", valueName: "file"), completion: .file())
    var output: String?

    @Flag(help: "Replace the file if it is there and differs.") var overwrite = false

    func run() async throws {
        try await reportingFailures(isJSON: format == .json) {
            guard let catalog = try options.catalog(), let found = try catalog.run(run) else {
                throw RolloutError.noSuchRun(run)
            }
            let report = try RunReport(catalog, bucket: options.folder, run)
            let story = try RunStory(
                found, catalog, ContentStore(in: options.folder), state: report?.document.state,
                now: Clock.system.now())
            let text =
                switch format {
                case .html: RunHTML.page(story)
                case .markdown: RunMarkdown.text(story)
                case .json: RunJSON.document(story).text
                }
            try write(Array(text.utf8))
        }
    }

    private func write(_ bytes: [UInt8]) throws {
        guard let output else { return try printResult(bytes) }
        let written: HostFiles.Written
        do throws(HostFiles.Problem) {
            written = try HostFiles.write(bytes, to: output, overwrite: overwrite)
        } catch {
            throw Failure(.failed, code: .fileNotWritten, "\(output) cannot be written: \(error.message)")
        }
        if written == .refused {
            throw Failure(
                .failed, code: .fileNotWritten, "\(output) is there already, and differs",
                "--overwrite replaces it; or name another file")
        }
        printNotice("The report of run \(run) is in \(options.terminal.escape(output)).")
    }
}
