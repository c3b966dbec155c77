public import Catalog
public import Model
public import Plans

extension StepGraph {
    /// A plan's steps, as the run cuts its batches and with what it has left behind.
    ///
    /// - Parameter takingIn: as if what it has left behind was taken in again.
    /// - Throws: `CatalogError`.
    public init(_ plan: Plan, _ catalog: Catalog, of run: RunID, takingIn: Bool = false) throws {
        let left = Set(try catalog.leftBehind(by: run).lazy.map(\.allocation))
        let takenIn = Set(try catalog.takenIn(by: run))
        self.init(
            plan, orders: try catalog.rolloutOrders(of: run), leftBehind: takingIn ? [] : left,
            takenIn: takingIn ? takenIn.union(left) : takenIn)
    }
}
