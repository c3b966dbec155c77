internal import Model

/// Brings the allocation's files to the planned tree.
public struct Push: TaskRules {
    public let deployment: Deployment

    public var verb: String { "push" }
    public var job: Plan.Job? { deployment.job }
    public var from: FromState? { deployment.from }
    public var release: Release? { deployment.release }
    public var contactsWorker: Bool { true }
    public var precondition: Precondition? { .files(self) }
    public var proof: Proof? { .files }
    public var limitMilliseconds: Int64 { Int64(deployment.job.timeouts.push) * 1000 }

    public func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange] {
        deployment.changesAtStart
    }
}
