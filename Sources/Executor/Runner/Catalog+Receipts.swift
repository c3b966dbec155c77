internal import Catalog
internal import Model

extension Catalog {
    /// Runs whose receipts stay on the workers, the newest ones.
    private static let keptRuns = 3
    /// Older runs that are named to a worker, so that one that missed some catches up.
    private static let cleanedRuns = 8

    /// Runs that are over, and whose receipts are of no use any more to a process of this run.
    func settledRuns(before run: RunID) throws -> [String] {
        try runs(limit: Self.keptRuns + Self.cleanedRuns).dropFirst(Self.keptRuns)
            .filter { !$0.state.isUnfinished && $0.id != run }.map(\.nonce)
    }
}
