public import Model
public import Plans
internal import YAML

/// Why there is no plan for a workspace that is sound in itself.
public enum PlanningError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Names under `--jobs` that neither the workspace nor the catalog has; `known` to choose from.
    case unknownJobs([JobName], known: [JobName])
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
    /// The bucket's range has no free number left.
    case portsExhausted(job: JobName, port: String, range: ClosedRange<Int>)

    public var description: String {
        switch self {
        case .unknownJobs(let jobs, let known):
            return jobs.map { job in
                let nearest = Suggestion.nearest(to: job.text, among: known.map(\.text))
                let hint = nearest.map { "did you mean \($0)?" } ?? "the jobs are \(Self.list(known.map(\.text)))"
                return "there is no job \(job); \(known.isEmpty ? "the workspace has none" : hint)"
            }.joined(separator: "\n")
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
            return "job \(job) has no active allocation; a command runs once for each"
        case .namesTaken(let renames):
            let lines = renames.map { rename in
                "  \(rename.from) goes by the name \(rename.to) now, and \(rename.to) was another machine, which is gone"
            }
            let gone = Self.list(renames.map(\.to.text))
            return "a name is taken over while the catalog still has jobs of its old machine:\n"
                + lines.joined(separator: "\n")
                + "\ntake \(gone) out of workers.json, with all other names as they were, plan and apply: that gives up what is "
                + "recorded of it. Then change the names, and plan again"
        case .portsExhausted(let job, let port, let range):
            return "job \(job): no number between \(range.lowerBound) and \(range.upperBound) is free for \(port); "
                + "widen port_min and port_max in workspace/bucket.conf"
        }
    }

    private static func list(_ names: [String]) -> String { names.listed(first: 20) }
}
