internal import Model
public import Plans

extension ContentStore {
    /// The plan that a run executes, as it was kept when the run began.
    ///
    /// - Throws: `StoreError` if the store does not have it, `InputFailure` if it cannot be read.
    public func plan(of run: Run) throws -> Plan {
        try plan(run.plan, named: "the plan of run \(run.id)")
    }

    /// The plan by which a run goes back; nil as long as it does not.
    ///
    /// - Throws: as `plan(of:)`.
    public func wayBack(of run: Run) throws -> Plan? {
        try run.wayBack.map { try plan($0, named: "the way back of run \(run.id)") }
    }

    private func plan(_ digest: Digest, named name: String) throws -> Plan {
        try PlanFile.read(read(digest, limit: PlanFile.maximumSize), file: name).plan
    }
}
