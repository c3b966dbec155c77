internal import Model

/// Removes the deployed files of an allocation that left the workspace.
public struct Remove: TaskRules {
    public let work: StopWork

    public var verb: String { "remove" }
    public var job: Plan.Job? { nil }
    public var from: FromState? { work.stop.from }
    public var release: Release? { work.release }
    public var contactsWorker: Bool { true }
    public var limitMilliseconds: Int64 { Int64(Plan.Timeouts().push) * 1000 }

    public func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange] { work.changesAtStart }

    public var changesAtSuccess: [CatalogChange] { work.changesAtRemoval }
}
