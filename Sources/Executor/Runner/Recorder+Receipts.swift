internal import Catalog
internal import Model

extension Recorder {
    /// Runs whose receipts stay on the workers, the newest ones with this one.
    static let keptRuns = 3
    /// Older runs that are named to a worker, so that one that missed some catches up.
    static let cleanedRuns = 8

    /// Runs that are over, and whose receipts are of no use on the workers any more.
    func settledRuns() throws -> [String] {
        try catalog.runs(limit: Self.keptRuns + Self.cleanedRuns).dropFirst(Self.keptRuns)
            .filter { !$0.state.isUnfinished && $0.id != run.id }.map(\.nonce)
    }
}
