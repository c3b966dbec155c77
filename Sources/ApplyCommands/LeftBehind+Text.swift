import Catalog
import Model
import Plans

extension [LeftBehind] {
    /// Allocations that a line names.
    private static var named: Int { 20 }

    /// The same of a run; one that goes back asks them again itself.
    func summary(of run: Run) -> String? {
        guard run.wayBack != nil, run.state.isUnfinished, !isEmpty else { return summary }
        return "\(count) left behind: " + map(\.subject.description).listed(first: Self.named)
            + ". The same command with --retry-failed asks them again."
    }

    /// A whole sentence; nil where nothing was left behind.
    var summary: String? {
        if isEmpty { return nil }
        return "\(count) left behind: " + map(\.subject.description).listed(first: Self.named)
            + ". Plan again for them when their workers can be used."
    }
}

extension [AllocationID] {
    /// Allocations that a line names.
    private static var named: Int { 20 }

    /// Whole sentences about what a run has drained; nil where nothing is.
    var drainedSummary: String? {
        if isEmpty { return nil }
        return "\(count) still drained: " + map(\.description).listed(first: Self.named)
            + ". Continue the run to have them put back; if it has ended, restart them with a plan of their own."
    }
}
