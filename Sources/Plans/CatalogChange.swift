public import Model

/// A change of what is known of allocations and jobs.
public enum CatalogChange: Equatable, Sendable {
    /// Something is about to be pushed or run there: unfinished until it is promoted or stopped.
    case began(AllocationID, Release)
    /// A target is about to run there by itself, with the files that were promoted: unfinished until it has ended.
    case operating(AllocationID, Release)
    /// Somebody has changed its files, and the run that was to bring the release is given up without having begun anything
    /// there: the next plan replaces what is there. What runs there, and whether anything does, stays as it was.
    case drifted(AllocationID, Release)
    case promoted(AllocationID, Release)
    /// `removed`: its files are gone (or given up with its worker), and a later return is a new start. Otherwise it
    /// was disabled, and what was begun or promoted last counts as what last ran there. What was begun stays unfinished:
    /// its files may be there in part.
    case stopped(AllocationID, removed: Bool)
    /// It was brought to this content by a run that was taken back there; to be followed by no promote of the same step.
    case tookBack(AllocationID, content: Digest)
    /// It is stopped as it was before a run that is taken back: the release was promoted there then, and what was brought there
    /// since is unfinished.
    case stoppedAgain(AllocationID, Release, byHand: Bool)
    /// A person has stopped it: what was promoted stays what is there, and nothing of it is unfinished any more.
    case stoppedByHand(AllocationID)
    /// What was promoted there was started or restarted, and nothing of it is unfinished any more.
    case started(AllocationID)
    /// They were promoted, or baked, under a plan with a gate for them that has not passed yet.
    case gateOwed([AllocationID])
    /// The job's gate has passed on these workers.
    case gatePassed(JobName, [WorkerName])
    /// The job's gate has asked on `covered` and has not passed; on `failing` it was not well.
    case gateFailed(JobName, covered: [WorkerName], failing: [WorkerName])
    /// Whether hooks before the allocation have begun, and those for a well one have not ended since: it may be without its
    /// load.
    case drained(AllocationID, Bool)
    /// The job has no gate any more that could pass.
    case gateForgotten(JobName)
    case incomplete(JobName, Bool)
    /// The order in which the run's batches of the job are cut, where hooks have put another one than the plan's.
    case rolloutOrder(JobName, [WorkerName])
    /// Replaces all ports of the job.
    case assignedPorts(JobName, [String: Int])
    /// Machines go by other names: what is known of the old names is known of the new ones.
    case renamed([Plan.Rename])
    /// It was taken over from Maand as it is: its worker has no list of what was deployed, until something is promoted there.
    ///
    /// - Parameter state: stands for what Maand has recorded of it.
    case adopted(AllocationID, state: Digest)
    /// A rollout has seen the worker.
    case seen(WorkerName, Machine)
}
