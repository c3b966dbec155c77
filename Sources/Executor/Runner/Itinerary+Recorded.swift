public import Catalog
public import Model

extension Itinerary {
    /// A plan's steps, as the run cuts its batches and with what it has left behind.
    ///
    /// - Parameter takingIn: as if what it has left behind was taken in again.
    /// - Throws: `CatalogError`.
    public init(_ plan: Plan, _ catalog: Catalog, of run: RunID, takingIn: Bool = false) throws {
        var left = try catalog.leftBehind(by: run)
        if takingIn { for index in left.indices { left[index].isTakenIn = true } }
        self.init(
            plan, orders: try catalog.rolloutOrders(of: run),
            leftBehind: Set(left.lazy.filter { !$0.isTakenIn }.map(\.allocation)),
            takenIn: Set(left.lazy.filter(\.isTakenIn).map(\.allocation)))
    }
}
