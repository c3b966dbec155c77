import Catalog
import Model
import Plans

/// Allocations that a line names.
private let namedAllocations = 20

extension [LeftBehind] {
    /// Whole sentences about what a run has left behind; nil if it is nothing. A run that goes back asks them again itself.
    func summary(of run: Run) -> String? {
        run.wayBack != nil && run.state.isUnfinished
            ? summary("The same command with --retry-failed asks them again.") : summary
    }

    /// Whole sentences; nil if nothing was left behind.
    var summary: String? { summary("Plan again for them when their workers can be used.") }

    private func summary(_ advice: String) -> String? {
        if isEmpty { return nil }
        return "\(count) left behind: \(map(\.subject.description).listed(first: namedAllocations)). \(advice)"
    }
}

extension [AllocationID] {
    /// Whole sentences about what a run has drained; nil if nothing is.
    var drainedSummary: String? {
        if isEmpty { return nil }
        return "\(count) still drained: " + map(\.description).listed(first: namedAllocations)
            + ". Continue the run to have them put back; if it has ended, restart them with a plan of their own."
    }
}
