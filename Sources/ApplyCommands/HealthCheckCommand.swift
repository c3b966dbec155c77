import ArgumentParser
import Catalog
import Commands
import Executor
import Foundation
import Model
import UseCases

struct HealthCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health-check",
        abstract: "Asks the health checks of what is deployed now; exit 1 where one does not pass.",
        discussion: """
            The checks are those of the last plan that promoted anything of a job. Nothing is changed, and no gate that a \
            rollout still has to pass counts as passed.
            """)

    @OptionGroup var options: ApplyOptions

    @Option(help: "Only these jobs, separated by commas.") var jobs: String?

    @Flag(help: "Try as often as a rollout would, and not once.") var wait = false

    @Option(help: "How to print.") var format = OutputFormat.text

    func run() async throws {
        try await reportingFailures(isJSON: format == .json) {
            let names = try jobs.map(Self.names) ?? []
            guard try options.catalog() != nil else {
                if !names.isEmpty { throw RolloutError.notDeployed(names) }
                return show([])
            }
            let terminal = options.terminal
            let context = try options.context { event in
                if case .warning(let warning) = event {
                    terminal.printError("warning: \(terminal.escape("\(warning)"))")
                }
            }
            let health = CheckHealth(in: context)
            // Hooks have their receipts in the bucket, as those of a rollout.
            let lock = try health.needsHooks(names) ? try options.lock(plan: nil) : nil
            defer { withExtendedLifetime(lock) {} }
            let found = try await health.check(names, waits: wait) { job, tries, problem in
                terminal.printError("… \(job)  try \(tries): \(terminal.escape(problem))")
            }
            show(found)
            if found.contains(where: { $0.problem != nil }) { throw ExitCode(Exit.failed.rawValue) }
        }
    }

    private static func names(_ text: String) throws -> [JobName] {
        try JobName.list(text) { part in
            Failure(
                .invalidInput, code: .usage,
                "--jobs: \"\(part)\" cannot be the name of a job. Separate names by commas.")
        }
    }

    private func show(_ found: [CheckHealth.Health]) {
        switch format {
        case .text: showText(found)
        case .json: showJSON(found)
        }
    }

    private func showText(_ found: [CheckHealth.Health]) {
        let terminal = options.terminal
        if found.isEmpty { terminal.print("Nothing is deployed.") }
        for health in found {
            let name = "\(health.job) \(terminal.escape(health.version))"
            if let problem = health.problem {
                terminal.print("\(terminal.styled("✗", .red)) \(name): \(terminal.escape(problem))")
            } else if health.isUnchecked {
                terminal.print("\(terminal.styled("-", .faint)) \(name): no health check")
            } else {
                terminal.print(
                    "\(terminal.styled("✓", .green)) \(name): healthy on \(health.allocations) "
                        + (health.allocations == 1 ? "allocation" : "allocations"))
            }
        }
    }

    /// Stable keys, for programs.
    private func showJSON(_ found: [CheckHealth.Health]) {
        struct Row: Encodable {
            var job: String
            var version: String
            var allocations: Int
            var state: String
            var problem: String?
        }
        let rows = found.map { health in
            Row(
                job: health.job.text, version: health.version, allocations: health.allocations,
                state: health.isUnchecked ? "unchecked" : health.problem == nil ? "healthy" : "unhealthy",
                problem: health.problem)
        }
        // Texts and numbers can always be written as JSON, so nothing is lost by the alternative.
        let text = (try? JSONEncoder.document.encode(rows)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
        options.terminal.print(text)
    }
}
