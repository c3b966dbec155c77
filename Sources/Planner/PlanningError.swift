public import Model
public import Plans
internal import YAML

/// Why there is no plan for a workspace that is sound in itself.
public enum PlanningError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Names under `--jobs` that neither the workspace nor the catalog has; `known` to choose from.
    case unknownJobs([JobName], known: [JobName])
    /// Names under `--workers` or `--exclude` that neither the workspace nor the catalog has; `known` to choose from.
    case unknownWorkers([WorkerName], known: [WorkerName])
    /// Names under `--labels` that no worker has; `known` to choose from.
    case unknownLabels([String], known: [String])
    /// Names under `--workers` on which the only job has no allocation; `known` to choose from.
    case notOfJob([WorkerName], JobName, known: [WorkerName])
    /// Allocations that were named, and that `disabled.json` disables.
    case disabled([AllocationID])
    /// Allocations on which a run began and did not end, or had found files that somebody had changed.
    case unfinished([AllocationID])
    /// Allocations on which nothing is deployed, or that a deploy has to start again.
    case notDeployed([AllocationID])
    /// Allocations that run although the workspace has them no more, or disables them.
    case runsUnwanted([AllocationID])
    /// A batch would make more of a job unavailable than its manifest allows; `unavailable`: on other workers, now.
    case budgetExceeded(JobName, batch: Int, acting: [WorkerName], unavailable: [WorkerName], limit: Int)
    /// The job's commands would run for what is deployed, and were changed since.
    case otherHooks(JobName)
    /// Names under `--recover` that `--jobs` leaves out.
    case recoversOthers([JobName])
    /// `--sync-only` with allocations that have to be started.
    case startsNeeded([AllocationID])
    /// A job without this command of the event `cli`; `known` to choose from.
    case unknownCommand(String, of: JobName, known: [String])
    /// Nothing of the job is active, so that a command of it has nothing to run for.
    case noActiveAllocation(JobName)
    /// Workers that go by a new name which the catalog has for another machine.
    case namesTaken([Plan.Rename])
    /// Content that was deployed earlier and is not at hand.
    case contentMissing(Digest)
    /// Certificates that jobs need are not there, or are not what the manifest says.
    case certificatesMissing([MissingCertificates])
    /// What a job was before cannot be planned, and why.
    case noWayBack(JobName, String)
    /// A run that a plan cannot take back, and why, with what to do now.
    case notTakenBack(RunID, String)
    /// The bucket's range has no free number left.
    case portsExhausted(job: JobName, port: String, range: ClosedRange<Int>)

    /// What a job lacks.
    public struct MissingCertificates: Equatable, Sendable {
        public var job: JobName
        /// Sentences about its certificates, each without a full stop.
        public var problems: [String]

        static let advice = "`maand-plan certs issue` makes them, and so does `maand-plan deploy --issue-certs`"
    }

    public var description: String {
        switch self {
        case .certificatesMissing(let missing):
            return missing.map { "job \($0.job): \($0.problems.listed(first: 5))" }.joined(separator: "\n")
                + "\n" + MissingCertificates.advice
        case .unknownJobs(let jobs, let known):
            return jobs.map { Self.unknown("job", $0.text, among: known.map(\.text)) }.joined(separator: "\n")
        case .unknownWorkers(let workers, let known):
            return workers.map { Self.unknown("worker", $0.text, among: known.map(\.text)) }.joined(separator: "\n")
        case .unknownLabels(let labels, let known):
            return labels.map { Self.unknown("label", $0, among: known) }.joined(separator: "\n")
        case .notOfJob(let workers, let job, let known):
            return "job \(job) has no allocation on \(Self.list(workers.map(\.text))); its workers are "
                + Self.list(known.map(\.text))
        case .disabled(let allocations):
            return "disabled by disabled.json: \(Self.list(allocations)); enable them there, and deploy"
        case .unfinished(let allocations):
            return
                "a run began and did not end, or found changed files, on \(Self.list(allocations)): what runs there is not "
                + "known.\n"
                + "Plan with `deploy` and apply (with --include-stopped for what a person has stopped): it brings them to the "
                + "workspace"
        case .notDeployed(let allocations):
            return "nothing is deployed and enabled on \(Self.list(allocations)).\n"
                + "Plan with `deploy` and apply first, or leave them out with --exclude"
        case .runsUnwanted(let allocations):
            return "the workspace does not have these any more, and they run: \(Self.list(allocations)).\n"
                + "Plan with `deploy` and apply first: it stops them"
        case .budgetExceeded(let job, let batch, let acting, let unavailable, let limit):
            let others =
                unavailable.isEmpty ? "" : "; unavailable already: \(Self.list(unavailable.map(\.text)))"
            return "batch \(batch) would stop job \(job) on \(Self.list(acting.map(\.text)))\(others), and its "
                + "rollout.max_unavailable allows \(limit).\nPlan with a smaller --concurrency, or with --spread"
        case .otherHooks(let job):
            return
                "the commands of job \(job) were changed since it was deployed, and they would run for what is deployed.\n"
                + "Plan with `deploy` and apply first (with --include-stopped for what a person has stopped), or plan from a checkout "
                + "of the deployed files"
        case .recoversOthers(let jobs):
            return "--recover names \(Self.list(jobs.map(\.text))), which --jobs leaves out; name the same jobs in both"
        case .startsNeeded(let allocations):
            var workers: [JobName: [String]] = [:]
            for allocation in allocations { workers[allocation.job, default: []].append(allocation.worker.text) }
            let jobs = workers.keys.sorted().map { "  \($0) on \(Self.list(workers[$0] ?? []))" }
            return "a plan with --sync-only starts nothing, and these have to be started:\n"
                + jobs.joined(separator: "\n") + "\nplan without --sync-only, or choose other jobs with --jobs"
        case .unknownCommand(let command, let job, let known):
            let nearest = Suggestion.nearest(to: command, among: known)
            let hint = nearest.map { "did you mean \($0)?" } ?? "its commands of that event are \(Self.list(known))"
            return "job \(job) has no command \(command) with the event cli; "
                + (known.isEmpty ? "it has none of that event" : hint)
        case .noActiveAllocation(let job):
            return "job \(job) has no allocation; a command runs once for each"
        case .namesTaken(let renames):
            let lines = renames.map { rename in
                "  \(rename.from) goes by the name \(rename.to) now, and \(rename.to) was another machine, which is gone"
            }
            let gone = Self.list(renames.map(\.to.text))
            return "a name is taken over while the catalog still has jobs of its old machine:\n"
                + lines.joined(separator: "\n")
                + "\ntake \(gone) out of workers.json, with all other names as they were, plan and apply: that gives up what is "
                + "recorded of it. Then change the names, and plan again"
        case .contentMissing(let digest):
            return "the file \(digest) of an earlier release is not at hand"
        case .noWayBack(let job, let reason):
            return "there is no way back for job \(job): \(reason)"
        case .notTakenBack(let run, let reason):
            return "run \(run) cannot be rolled back: \(reason)"
        case .portsExhausted(let job, let port, let range):
            return "job \(job): no number between \(range.lowerBound) and \(range.upperBound) is free for \(port); "
                + "widen port_min and port_max in workspace/bucket.conf"
        }
    }

    private static func list(_ names: [String]) -> String { names.listed(first: 20) }

    private static func list(_ allocations: [AllocationID]) -> String { list(allocations.map(\.description)) }

    private static func unknown(_ what: String, _ name: String, among known: [String]) -> String {
        let hint =
            Suggestion.nearest(to: name, among: known).map { "did you mean \($0)?" }
            ?? (known.isEmpty ? "the workspace has none" : "the \(what)s are \(list(known))")
        return "there is no \(what) \(name); \(hint)"
    }
}
