import ArgumentParser
import Catalog
import Commands
import Foundation
import Model
import Plans
import Windows

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Lists runs, newest first, with what people decided about them.")

    @OptionGroup var options: ApplyOptions

    @Option(help: "How many runs.") var limit = 20

    @Option(help: "How to print.") var format = OutputFormat.text

    func run() async throws {
        try await reportingFailures(isJSON: format == .json) {
            let catalog = try options.catalog()
            let entries = try catalog?.runs(limit: limit).map { try Entry($0, catalog) } ?? []
            switch format {
            case .json:
                options.terminal.print(
                    String(decoding: try JSONEncoder.document.encode(entries.map(\.row)), as: UTF8.self))
            case .text where entries.isEmpty: options.terminal.print("There is no run yet.")
            case .text: for entry in entries { entry.lines(options.terminal).forEach(options.terminal.print) }
            }
        }
    }

    /// A run with what people did about it.
    private struct Entry {
        let run: Run
        var approvals: ApprovalRecord?
        var decisions: [Decision] = []
        var leftBehind: [LeftBehind] = []

        init(_ run: Run, _ catalog: Catalog?) throws {
            self.run = run
            approvals = try catalog?.approvals(of: run.id)
            decisions = try catalog?.decisions(run.id) ?? []
            leftBehind = try catalog?.leftBehind(by: run.id) ?? []
        }

        func lines(_ terminal: Terminal) -> [String] {
            var lines = [RunReport.headline(run, terminal)]
            if let approvals {
                let names = approvals.approvals.map { "\($0.principal) (\($0.key))" }
                lines.append(
                    terminal.escape(
                        "    approved by \(names.isEmpty ? "nobody" : names.joined(separator: ", ")), policy "
                            + approvals.digest.description))
            }
            lines += decisions.map { decision in
                terminal.escape(
                    "    \(decision.at.utcText) \(decision.by): \(decision.what.rawValue)"
                        + (decision.step.map { " \($0)" } ?? "") + ": \(decision.reason)")
            }
            if let text = leftBehind.summary(of: run) { lines.append(terminal.escape("    \(text)")) }
            return lines
        }

        /// Stable keys, for programs.
        var row: Row {
            Row(
                run: run.id.number, state: run.state.rawValue, plan: run.plan.description,
                started_at: run.startedAt.utcText, started_by: run.startedBy,
                ended_at: run.endedAt?.utcText, code: run.cause?.rawValue, detail: run.detail,
                policy: approvals?.digest.description,
                approvals: approvals?.approvals.map { .init(principal: $0.principal, key: $0.key) },
                decisions: decisions.map {
                    .init(
                        at: $0.at.utcText, by: $0.by, what: $0.what.rawValue, step: $0.step?.text, reason: $0.reason)
                }, left_behind: leftBehind.map { LeftBehindRow($0.subject, $0.reason) })
        }
    }

    private struct Row: Encodable {
        struct Approval: Encodable {
            var principal: String
            var key: String
        }
        struct Decision: Encodable {
            var at: String
            var by: String
            var what: String
            var step: String?
            var reason: String
        }
        var run: Int
        var state: String
        var plan: String
        var started_at: String
        var started_by: String
        var ended_at: String?
        /// Why it is in its state, as a word beside `detail`.
        var code: String?
        var detail: String?
        var policy: String?
        /// Nil where the run needed none.
        var approvals: [Approval]?
        var decisions: [Decision]
        var left_behind: [LeftBehindRow]
    }
}
