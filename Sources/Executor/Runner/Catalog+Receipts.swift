package import Catalog
package import Model
package import Workers

extension Catalog {
    /// Runs whose receipts stay on the workers, the newest ones.
    private static let keptRuns = 3
    /// Older runs that are named to a worker, so that one that missed some catches up.
    private static let cleanedRuns = 8

    /// Runs that are over, and whose receipts are of no use any more to a process of this run.
    package func settledRuns(before run: RunID) throws -> [String] {
        try runs(limit: Self.keptRuns + Self.cleanedRuns).dropFirst(Self.keptRuns)
            .filter { !$0.state.isUnfinished && $0.id != run }.map(\.nonce)
    }

    /// Runs by which workers find out whether this catalog has seen who took them last; nil before the first run.
    ///
    /// A refresh begins again: what it has asked the workers, it knows, also if another run took them.
    package func lineage() throws -> RunLineage? {
        let newest = try runs(limit: Self.rememberedRuns)
        let refresh = newest.firstIndex { $0.cause == .refresh }
        let known = refresh.map { newest[...$0] } ?? newest[...]
        return known.last.map { RunLineage(first: $0.id.number, nonces: known.map(\.nonce)) }
    }

    /// More than settle between two applies of a worker; a kilobyte for each worker's preflight.
    private static let rememberedRuns = 64
}
