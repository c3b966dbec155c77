internal import Model

/// Decides by which order the job's batches are made, when hooks may have set another one.
public struct OrderTask: TaskRules {
    public let work: JobWork

    public var verb: String { "rollout_order" }
    public var job: Plan.Job? { work.job }
}
