import Catalog
import Model

extension [LeftBehind] {
    /// Allocations that a line names.
    private static var named: Int { 20 }

    /// A whole sentence; nil where nothing was left behind.
    var summary: String? {
        if isEmpty { return nil }
        return "\(count) left behind: " + map(\.allocation.description).listed(first: Self.named)
            + ". The next plan has what is left to do there."
    }
}
