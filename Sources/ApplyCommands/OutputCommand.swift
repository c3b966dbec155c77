import ArgumentParser
import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import StepMachinery
import UseCases

struct OutputCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "output",
        abstract: "Shows what the steps of a run printed; equal outputs once, with their workers.")

    @OptionGroup var options: ApplyOptions

    @Argument(help: "The run; without it, the latest.")
    var run: RunID?

    @Option(help: "How to print.") var format = OutputFormat.text

    func run() async throws {
        try await reportingFailures(isJSON: format == .json) {
            guard let catalog = try options.catalog(),
                let found = try run.map(catalog.run) ?? catalog.runs(limit: 1).first
            else {
                if let run { throw RolloutError.noSuchRun(run) }
                return options.terminal.print("There is no run yet.")
            }
            let groups = try OutputGroups(
                StepGraph.all(of: found, catalog, ContentStore(in: options.folder)), catalog, of: found.id,
                isEverything: format == .json)
            switch format {
            case .json:
                options.terminal.print(
                    String(decoding: try JSONEncoder.document.encode(groups.rows), as: UTF8.self))
            case .text where groups.groups.isEmpty:
                options.terminal.print("Nothing of run \(found.id) printed anything.")
            case .text: groups.lines(options.terminal, limit: nil).forEach(options.terminal.print)
            }
        }
    }
}
