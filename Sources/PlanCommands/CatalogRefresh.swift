import ArgumentParser
import Catalog
import Commands
import Model
import Planner
import Plans
import Review
import UseCases
import Workers
import YAML

struct RefreshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refresh",
        abstract: "Compares the catalog with what the workers say, and records what differs.",
        discussion: """
            For a maand.db that was lost, or put back from an old copy. Workers are only asked: nothing on them changes. \
            Where a worker knows that a target ended well with the files that are there, these count as promoted, with \
            the job's gate still to pass; whatever else is there counts as unfinished, and the next plan acts on it. A \
            worker that does not answer keeps what is recorded of it, and the command ends with 69.
            """)

    @Flag(help: "Only say what would be recorded.")
    var dryRun = false

    @OptionGroup var bucket: BucketOptions

    func run() async throws {
        let configuration = try bucket.configuration()
        let workspace = try Workspace.read(bucket.path("workspace"), configuration)
        let lock = try bucket.lock(plan: nil)
        defer { withExtendedLifetime(lock) {} }
        let catalog = try Catalog.open(in: bucket.folder, bucket: configuration.bucketID)
        let context = bucket.context(configuration, catalog)
        let snapshot = try catalog.snapshot()
        try workspace.checkAddresses(snapshot)
        let workers = try workers(workspace, configuration, snapshot)
        let planned = try Planner.content(workspace, configuration, snapshot) { id in
            snapshot.allocations[id]?.fromState.version ?? Version.none.text
        }
        let refresh = try await RefreshCatalog(in: context).refresh(
            workers, planned: planned.trees, isDryRun: dryRun)
        try show(refresh)
        if !refresh.silent.isEmpty { throw ExitCode(Exit.unreachable.rawValue) }
    }

    /// Whom to ask.
    ///
    /// - Throws: `Failure` where one machine would be asked under two names, and what it has recorded of each.
    private func workers(
        _ workspace: Workspace, _ configuration: BucketConfiguration, _ snapshot: CatalogSnapshot
    ) throws -> [PlanWorker] {
        let hostKeys = try bucket.hostKeys(configuration)
        let renames = Planner.renames(workspace, configuration, snapshot, hostKeys: hostKeys)
        if !renames.isEmpty {
            throw Failure(
                .invalidInput,
                "workers go by another name than in the catalog: \(renames.map(\.description).listed(first: 20))",
                "apply a plan that renames them first; or give them their old names in workers.json until this is done")
        }
        return Planner.workers(workspace, configuration, snapshot, hostKeys: hostKeys)
    }

    private func show(_ refresh: RefreshCatalog.Findings) throws {
        if !refresh.differences.isEmpty {
            var table = TextTable(["job", "worker", "recorded", dryRun ? "would be" : "now"])
            for difference in refresh.differences {
                table.add([
                    difference.allocation.job.text, difference.allocation.worker.text,
                    Self.text(difference.recorded), Self.text(difference.found),
                ])
            }
            try printResult(Array(table.text.utf8))
        }
        for (worker, reason) in refresh.silent {
            printNotice("\(VisibleText.escape("\(worker): \(reason)", for: .terminal)); what is recorded of it stays")
        }
        let count = refresh.differences.count
        let written = refresh.run.map { " Recorded as run \($0)." } ?? (dryRun ? " Nothing was recorded." : "")
        printNotice(
            "\(refresh.agreeing) allocations are as recorded, \(count) \(count == 1 ? "differs" : "differ").\(written)")
    }

    private static func text(_ record: AllocationRecord) -> String {
        func release(_ release: Release) -> String { "\(release.version) \(release.content.hex.prefix(12))" }
        switch record.state {
        case .removed: return "removed"
        case .stopped: return "stopped" + (record.promoted.map { " " + release($0) } ?? "")
        case .stoppedByHand: return "stopped by a person" + (record.promoted.map { " " + release($0) } ?? "")
        case .active:
            let parts = [
                record.promoted.map { "promoted " + release($0) },
                record.unfinished.map { "unfinished " + release($0) },
            ]
            let text = parts.compactMap { $0 }.joined(separator: ", ")
            return text.isEmpty ? "-" : text
        }
    }
}
