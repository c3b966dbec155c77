internal import Model

/// Records that the job's rollout is complete.
public struct Complete: TaskRules {
    public let work: JobWork

    public var verb: String { "complete" }
    public var job: Plan.Job? { work.job }

    /// A job that has lost its health check has no gate left that could pass.
    public var changesAtSuccess: [CatalogChange] {
        let name = work.job.job
        return [.incomplete(name, false)] + (work.job.healthCheck == nil ? [.gateForgotten(name)] : [])
    }
}
