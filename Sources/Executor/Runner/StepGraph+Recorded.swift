public import Catalog
public import Model
public import Plans

extension StepGraph {
    /// A plan's steps, as the run cuts its batches and with what it has left behind.
    ///
    /// - Parameter takingIn: as if what it has left behind was taken in again.
    /// - Throws: `CatalogError`.
    public init(_ plan: Plan, _ catalog: Catalog, of run: RunID, takingIn: Bool = false) throws {
        let left = Set(try catalog.leftBehind(by: run).lazy.map(\.subject))
        let takenIn = Set(try catalog.takenIn(by: run))
        self.init(
            plan, orders: try catalog.rolloutOrders(of: run), leftBehind: takingIn ? [] : left,
            takenIn: takingIn ? takenIn.union(left) : takenIn)
        if case .reboot = plan.work { spare(try catalog.steps(of: run)) }
    }

    /// The steps of a run: those of its plan, and of its way back if it goes back.
    ///
    /// - Throws: `StoreError` if the store does not have a plan, `InputFailure` if it cannot be read, `CatalogError`.
    public static func all(of run: Run, _ catalog: Catalog, _ store: ContentStore) throws -> [StepGraph] {
        try [store.plan(of: run), store.wayBack(of: run)].compactMap(\.self).map { plan in
            try StepGraph(plan, catalog, of: run.id)
        }
    }

    /// Allocations of which a run has begun to change the files, whatever became of it.
    public func begunAllocations(_ records: some Sequence<StepRecord>) -> Set<AllocationID> {
        let begun = Set(records.lazy.map(\.step))
        return Set(
            steps.lazy.compactMap { step in
                guard case .push(let push) = step.task, begun.contains(step.id) else { return nil }
                return push.deployment.allocation
            })
    }

    /// Leaves the workers alone that need no reboot, as the step that asked them is recorded.
    private mutating func spare(_ records: [StepRecord]) {
        let skipped = Set(records.lazy.filter { $0.state == .skipped }.map(\.step))
        for step in steps where skipped.contains(step.id) {
            if case .shell = step.task, let worker = step.worker { spare(worker) }
        }
    }
}
