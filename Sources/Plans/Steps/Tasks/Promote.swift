internal import Model

/// Records that the allocation now runs the planned release; the worker is only asked to prove that it acted.
public struct Promote: TaskRules {
    public let deployment: Deployment

    public var verb: String { "promote" }
    public var job: Plan.Job? { deployment.job }
    public var from: FromState? { deployment.from }
    public var release: Release? { deployment.release }
    public var contactsWorker: Bool { true }

    public var changesAtSuccess: [CatalogChange] {
        guard let release = deployment.release else { return [] }
        let job = deployment.job
        let owesGate = job.healthCheck != nil && job.runs(deployment.entry)
        return [.promoted(deployment.allocation, release)] + deployment.takenBack
            + (owesGate ? [.gateOwed([deployment.allocation])] : [])
    }
}
