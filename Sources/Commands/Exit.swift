/// The exit codes of both programs, besides 0 and those of the argument parser.
package enum Exit: Int32 {
    /// The rollout or a health check failed; or something of this machine is in the way: a full disk, a missing permission.
    case failed = 1
    /// `--detailed-exitcode`: the plan changes something. `diff`: the plans differ.
    case changes = 2
    /// The plan is stale: the workspace, the catalog or a worker is not as it says.
    case stale = 3
    /// A step is unknown, and a person has to say what became of it.
    case decisionNeeded = 4
    /// A run has to come to its end first.
    case unfinishedRun = 5
    case usage = 64
    /// A plan, the workspace, the bucket or a selection.
    case invalidInput = 65
    /// A worker could not be asked.
    case unreachable = 69
    /// Another process holds the bucket, or the run is parked.
    case tryLater = 75
    /// Approvals are missing.
    case notApproved = 77
}
