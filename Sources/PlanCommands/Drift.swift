import ArgumentParser
import Catalog
import Commands
import Glibc
import Model
import Planner
import Plans
import Review
import Synchronization
import UseCases
import YAML

struct Drift: AsyncParsableCommand, JSONCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compares the workers with what was promoted, and shows what differs.",
        discussion: """
            Shown are deployed files that somebody has changed or removed, with the lines that differ; other versions; jobs \
            that are gone, unfinished or unexpected; workers that another controller has taken; and health checks that do not \
            pass. The same rules hold as in a run: a mode alone is no difference, nor is what a target or the service has \
            made of a file.

            Nothing changes: nothing is written to a worker or to the catalog, and no lock keeps a run from starting. \
            Hooks of health checks are not run. Checks of the type `ssh` run their command on the worker.

            The exit code is 0, whatever differs; with --detailed-exitcode 2 if anything differs. If a worker does not \
            answer, and the code is not 2, it is 69.
            """)

    var printsJSON: Bool { format == .json }

    @Option(help: ArgumentHelp("Only these jobs, separated by commas.", valueName: "a,b"))
    var jobs: String?

    @Option(help: ArgumentHelp("Only these workers, separated by commas.", valueName: "a,b"))
    var workers: String?

    @Option(
        help: """
            The form: text for a terminal, markdown for a ticket, html for one page that needs no other file, json for \
            programs.
            """)
    var format: Show.Format = .text

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to write it; without it, standard output.", valueName: "file"), completion: .file())
    var output: String?

    @Flag(help: "End with 2 if anything differs.")
    var detailedExitcode = false

    @OptionGroup var color: ColorOptions

    @OptionGroup var bucket: BucketOptions

    func run() async throws {
        let report = try await report()
        let bytes = Array(text(of: report).utf8)
        if let output {
            do throws(HostFiles.Problem) {
                _ = try HostFiles.write(bytes, to: output, overwrite: true)
            } catch {
                throw Failure(.failed, code: .fileNotWritten, "\(output) was not written: \(error.message)")
            }
            printNotice("Wrote \(VisibleText.escape(output, for: .terminal)). \(report.summaryLine)")
        } else {
            try printResult(bytes)
        }
        if detailedExitcode, report.differs { throw ExitCode(Exit.changes.rawValue) }
        if !report.silent.isEmpty { throw ExitCode(Exit.unreachable.rawValue) }
    }

    private func report() async throws -> DriftReport {
        let configuration = try bucket.configuration()
        let catalog =
            try Catalog.openReadOnly(in: bucket.folder, bucket: configuration.bucketID)
            ?? Catalog.inMemory(bucket: configuration.bucketID)
        let (jobs, workers) = try names(in: catalog)
        let progress = Progress()
        let context = bucket.context(configuration, catalog)
        var report = try await FindDrift(in: context).find(
            jobs: jobs, workers: workers, hostKeys: try bucket.hostKeys(configuration)
        ) { done, count in progress.note(done, of: count) }
        report.addDiffs()
        return report
    }

    /// The named jobs and workers.
    ///
    /// - Throws: `PlanningError` with those of which nothing is recorded.
    private func names(in catalog: Catalog) throws -> (Set<JobName>, Set<WorkerName>) {
        let jobs = try Deploy.names(self.jobs, "--jobs")
        let workers = try self.workers.map { list in
            try WorkerName.list(list) { part in
                Failure(.usage, "--workers: \"\(part)\" is not the name of a worker", "separate names by commas")
            }
        }
        let known = try catalog.allocations().map(\.allocation)
        let knownJobs = Set(known.map(\.job))
        let unknownJobs = jobs.filter { !knownJobs.contains($0) }
        if !unknownJobs.isEmpty { throw PlanningError.unknownJobs(unknownJobs, known: knownJobs.sorted()) }
        let knownWorkers = Set(known.map(\.worker))
        let unknownWorkers = (workers ?? []).filter { !knownWorkers.contains($0) }
        if !unknownWorkers.isEmpty {
            throw PlanningError.unknownWorkers(unknownWorkers, known: knownWorkers.sorted())
        }
        return (Set(jobs), Set(workers ?? []))
    }

    private func text(of report: DriftReport) -> String {
        switch format {
        case .text:
            DriftReview.text(report, color: output == nil && color.isOn, width: output == nil ? terminalWidth : nil)
        case .markdown: DriftReview.markdown(report)
        case .html: DriftReview.page(report)
        case .json: report.json.text
        }
    }
}

/// Says on a terminal every few seconds how many workers were asked.
private final class Progress: Sendable {
    private static let pause = Duration.seconds(3)
    private let isOn = isatty(STDERR_FILENO) == 1
    private let last = Mutex(ContinuousClock.now)

    func note(_ done: Int, of count: Int) {
        guard isOn, done < count else { return }
        let isDue = last.withLock { last in
            guard last.duration(to: .now) >= Self.pause else { return false }
            last = .now
            return true
        }
        if isDue { printNotice("… \(done) of \(count) workers") }
    }
}
