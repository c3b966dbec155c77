import ArgumentParser
import Catalog
import Commands
import Executor
import Model
import Planner
import Plans
import UseCases

struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Plans to take a run back.",
        discussion: """
            For every allocation that the run has begun or promoted: the files and the version of before, with the manifest, \
            the hooks and the health check of before, in batches like an upgrade; dependents first, and in each job first \
            what is broken. What the run started for the first time is stopped and removed at the end. The run has to be \
            over: give an unfinished one up first (maand-apply abandon). What hooks did elsewhere stays as it is, and so \
            does what the run stopped; the plan lists both.
            """)

    @Argument(help: ArgumentHelp("The run's number, from `maand-apply history`.", valueName: "run"))
    var number: Int

    @Option(help: ArgumentHelp("Only these jobs of the run, separated by commas.", valueName: "a,b"))
    var jobs: String?

    @OptionGroup var bucket: BucketOptions

    @OptionGroup var output: PlanOutput

    func run() throws {
        guard number > 0 else { throw Failure(.usage, "runs are numbered from 1") }
        let names = try Deploy.names(jobs, "--jobs")
        let (result, store) = try Planning.plan(
            bucket, .rollback(RunID(number), jobs: Set(names).sorted()), try output.timing(), catalog: output.catalog)
        try output.write(result, keepingContentIn: store)
    }
}

extension PastRun {
    /// What is recorded of a run.
    ///
    /// - Parameter isExported: the plan is made against an export of a catalog.
    /// - Throws: `PlanningError.notTakenBack`; what the bucket's files say.
    static func read(_ id: RunID, in folder: String, bucket: String, isExported: Bool) throws -> PastRun {
        guard !isExported else {
            throw Failure(
                .usage, "--catalog: an export holds no runs, and a rollback is planned from one",
                "plan it in the bucket that has applied the run")
        }
        guard let catalog = try Catalog.openReadOnly(in: folder, bucket: bucket), let run = try catalog.run(id) else {
            throw RolloutError.noSuchRun(id)
        }
        let records = try catalog.steps(of: id)
        if run.state.isUnfinished {
            let unknown = records.filter { $0.state == .unknown }.map(\.step.text)
            throw PlanningError.notTakenBack(
                id,
                "it \(run.state.phrase) and is not over. "
                    + (unknown.isEmpty
                        ? ""
                        : "First find out how these steps ended, and say so with `maand-apply resolve`: "
                            + unknown.listed(first: 10) + ". ")
                    + "Give it up, then plan again: maand-apply abandon \(id) --reason '...'")
        }
        let store = ContentStore(in: folder)
        let plan: Plan
        do {
            plan = try store.plan(of: run)
        } catch let error as StoreError {
            throw PlanningError.notTakenBack(id, "its plan is not in the bucket's `store/` any more: \(error)")
        }
        if records.isEmpty, !plan.isEmpty {
            throw PlanningError.notTakenBack(
                id,
                "its steps are not kept any more. Put the workspace back, for example from version control, and deploy")
        }
        let graph = try StepGraph(plan, catalog, of: id)
        let lastRuns = try catalog.allocations().map { ($0.allocation, $0.run) }
        return PastRun(
            id: id, plan: plan, begun: graph.begunAllocations(records),
            lastRuns: Dictionary(lastRuns) { first, _ in first },
            earlierPorts: try earlierPorts(of: plan, before: id, catalog, store))
    }

    /// Runs that are looked through for the ports that a job had.
    private static let searchedRuns = 100

    /// What the last plan before the run says of the ports of each of its jobs.
    private static func earlierPorts(
        of plan: Plan, before id: RunID, _ catalog: Catalog, _ store: ContentStore
    ) throws -> [JobName: [String: Int]] {
        var wanted = Set(plan.waves.flatMap(\.jobs).filter { !$0.ports.isEmpty }.map(\.job))
        var found: [JobName: [String: Int]] = [:]
        for run in try catalog.runs(limit: searchedRuns) where run.id < id && !wanted.isEmpty {
            guard let earlier = try? store.plan(of: run) else { continue }
            for job in earlier.waves.flatMap(\.jobs) where !job.ports.isEmpty && wanted.remove(job.job) != nil {
                found[job.job] = Dictionary(job.ports.map { ($0.name, $0.value) }) { first, _ in first }
            }
        }
        return found
    }
}
