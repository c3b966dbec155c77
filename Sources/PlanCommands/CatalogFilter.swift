import ArgumentParser
import Commands
import Model
import Planner

/// Which rows of a list are shown.
struct CatalogFilter: ParsableArguments {
    @Option(help: ArgumentHelp("Only these jobs, separated by commas.", valueName: "a,b"))
    var jobs: String?

    @Option(help: ArgumentHelp("Only what is on these workers, separated by commas.", valueName: "a,b"))
    var workers: String?

    @Flag(help: "Only what is meant to run: not disabled, removed or stopped.")
    var active = false

    var isEverything: Bool { jobs == nil && workers == nil && !active }

    /// The named jobs and workers.
    ///
    /// - Throws: `PlanningError` with those that do not exist.
    func names(in overview: CatalogOverview) throws -> (jobs: Set<JobName>, workers: Set<WorkerName>) {
        let jobs = try Deploy.names(self.jobs, "--jobs")
        let workers = try self.workers.map { list in
            try WorkerName.list(list) { part in
                Failure(.usage, "--workers: \"\(part)\" is not the name of a worker", "separate names by commas")
            }
        }
        let knownJobs = overview.jobNames
        let unknownJobs = jobs.filter { !knownJobs.contains($0) }
        if !unknownJobs.isEmpty { throw PlanningError.unknownJobs(unknownJobs, known: knownJobs) }
        let knownWorkers = overview.workerNames
        let unknownWorkers = (workers ?? []).filter { !knownWorkers.contains($0) }
        if !unknownWorkers.isEmpty { throw PlanningError.unknownWorkers(unknownWorkers, known: knownWorkers) }
        return (Set(jobs), Set(workers ?? []))
    }

    /// The rows of allocations that are shown.
    func rows(of overview: CatalogOverview, _ bucket: BucketOptions) throws -> [CatalogOverview.Row] {
        let names = try names(in: overview)
        return try overview.rows(bucket).filter { row in
            (names.jobs.isEmpty || names.jobs.contains(row.allocation.job))
                && (names.workers.isEmpty || names.workers.contains(row.allocation.worker))
                && (!active || row.state.isMeantToRun)
        }
    }

    /// The jobs with an allocation that is shown; without a filter all jobs.
    func jobNames(of overview: CatalogOverview) throws -> [JobName] {
        let names = try names(in: overview)
        let named = overview.jobNames.filter { names.jobs.isEmpty || names.jobs.contains($0) }
        if names.workers.isEmpty, !active { return named }
        let jobs = Set(try places(of: overview).map(\.job))
        return named.filter(jobs.contains)
    }

    /// Where the chosen jobs are, of the chosen workers.
    func places(of overview: CatalogOverview) throws -> [AllocationID] {
        let names = try names(in: overview)
        return overview.places.filter { place in
            (names.jobs.isEmpty || names.jobs.contains(place.id.job))
                && (names.workers.isEmpty || names.workers.contains(place.id.worker)) && (!active || place.isActive)
        }.map(\.id)
    }
}
