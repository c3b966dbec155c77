import Catalog
import Model

extension [LeftBehind] {
    /// Allocations that a line names.
    private static var named: Int { 20 }

    /// A whole sentence; nil where nothing was left behind.
    var summary: String? {
        if isEmpty { return nil }
        let names = map { "\($0.allocation) (\($0.reason))" }
        return "\(count) left behind: " + names.listed(first: Self.named) + ". The next plan has them again."
    }
}
