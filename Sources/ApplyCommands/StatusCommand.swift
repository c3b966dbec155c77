import ArgumentParser
import Catalog
import Commands
import Executor
import Foundation
import Model
import Plans
import StepMachinery
import ThisHost
import UseCases
import Windows

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows where a run stands; works while it runs, from another terminal too.")

    @OptionGroup var options: ApplyOptions

    @Argument(help: "The run's number; without it the latest.") var run: RunID?

    @Option(help: "How to print.") var format = OutputFormat.text

    @Flag(help: "Print again whenever it changes, until no process executes the run any more.") var watch = false

    func run() async throws {
        try await reportingFailures(isJSON: format == .json) {
            guard var report = try report() else {
                if let run { throw RolloutError.noSuchRun(run) }
                options.terminal.print(format == .json ? "null" : "There is no run yet.")
                return
            }
            var last = try text(of: report)
            options.terminal.print(last)
            while watch, report.isExecuted {
                try await Clock.system.sleep(.seconds(1))
                guard let next = try self.report() else { return }
                report = next
                let text = try text(of: report)
                if text != last { options.terminal.print(format == .text ? "\n" + text : text) }
                last = text
            }
        }
    }

    private func report() throws -> RunReport? {
        try options.catalog().flatMap { try RunReport($0, bucket: options.folder, run) }
    }

    private func text(of report: RunReport) throws -> String {
        switch format {
        case .text: report.lines(options.terminal).joined(separator: "\n")
        case .json: try report.document.text()
        }
    }
}
