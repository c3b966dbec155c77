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

struct LogsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Shows what targets, hooks and commands of a run printed, also of those that succeeded.",
        discussion: """
            Equal outputs are shown once, with their workers. The last 64 KiB of each stream are kept; where a worker has \
            more, its path is shown. Of a run that printed more than 32 MiB, later successes keep 1 KiB of each stream. The \
            command has a second name: output.
            """,
        aliases: ["output"])

    @OptionGroup var options: ApplyOptions

    @Argument(help: "The run; without it, the latest.")
    var run: RunID?

    @Argument(help: "Only this step, as `status` shows it: all of its attempts.")
    var step: String?

    @Option(
        name: [.customLong("worker"), .customLong("workers")],
        help: ArgumentHelp("Only on these workers, separated by commas.", valueName: "a,b"))
    var workers: String?

    @Option(
        name: [.customLong("job"), .customLong("jobs")],
        help: ArgumentHelp("Only of these jobs, separated by commas.", valueName: "a,b"))
    var jobs: String?

    @Flag(help: "Go on with what steps print as they end, until no process executes the run any more.")
    var follow = false

    @Option(help: "How to print.") var format = OutputFormat.text

    func validate() throws {
        if follow, format == .json { throw ValidationError("--follow prints text: leave out --format json.") }
    }

    func run() async throws {
        try await reportingFailures(isJSON: format == .json) {
            let filter = try OutputFilter(step: step, workers: workers, jobs: jobs)
            guard let catalog = try options.catalog(),
                let found = try run.map(catalog.run) ?? catalog.runs(limit: 1).first
            else {
                if let run { throw RolloutError.noSuchRun(run) }
                return options.terminal.print("There is no run yet.")
            }
            let graphs = try StepGraph.all(of: found, catalog, ContentStore(in: options.folder))
            try filter.check(graphs, found)
            if follow { return try await OutputFollower(options, found, filter).follow() }
            try show(try OutputGroups(graphs, catalog, of: found, filter, isEverything: format == .json), found)
        }
    }

    private func show(_ groups: OutputGroups, _ run: Run) throws {
        let terminal = options.terminal
        switch format {
        case .json: terminal.print(String(decoding: try JSONEncoder.document.encode(groups.rows), as: UTF8.self))
        case .text where groups.groups.isEmpty: terminal.print("Nothing of run \(run.id) printed anything.")
        case .text: groups.lines(terminal, limit: nil, in: options.folder).forEach(terminal.print)
        }
    }
}

/// Of which steps output is shown.
struct OutputFilter {
    let step: StepID?
    let workers: Set<WorkerName>
    let jobs: Set<JobName>

    static let all = OutputFilter()

    private init() { (step, workers, jobs) = (nil, [], []) }

    /// - Throws: `Failure` if a name is none.
    init(step: String?, workers: String?, jobs: String?) throws {
        self.step = step.map(StepID.init)
        self.workers = Set(
            try workers.map { list in
                try WorkerName.list(list) {
                    Failure(.usage, "--worker: \"\($0)\" is not the name of a worker", "separate names by commas")
                }
            } ?? [])
        self.jobs = Set(
            try jobs.map { list in
                try JobName.list(list) {
                    Failure(.usage, "--job: \"\($0)\" is not the name of a job", "separate names by commas")
                }
            } ?? [])
    }

    func includes(_ step: Step) -> Bool {
        (self.step == nil || self.step == step.id)
            && (workers.isEmpty || step.worker.map(workers.contains) == true)
            && (jobs.isEmpty || step.job.map(jobs.contains) == true)
    }

    /// Makes sure that the run has what is asked for, so that a typing error is not taken for silence.
    ///
    /// - Throws: `Failure`.
    func check(_ graphs: [StepGraph], _ run: Run) throws {
        let steps = graphs.flatMap(\.steps)
        func refuse(_ what: String) -> Failure {
            Failure(
                .invalidInput, code: .noSuchStep, "run \(run.id) has no \(what)",
                "maand-plan show PLAN --steps lists the steps of its plan")
        }
        if let step, !steps.contains(where: { $0.id == step }) { throw refuse("step \(step)") }
        let worker = workers.subtracting(steps.lazy.compactMap(\.worker)).min()
        if let worker { throw refuse("step on the worker \(worker)") }
        let job = jobs.subtracting(steps.lazy.compactMap(\.job)).min()
        if let job { throw refuse("step of the job \(job)") }
    }
}
