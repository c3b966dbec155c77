import Catalog
import Model
import Plans

extension [LeftBehind] {
    /// Allocations that a line names.
    private static var named: Int { 20 }

    /// A whole sentence; nil where nothing was left behind.
    var summary: String? {
        if isEmpty { return nil }
        return "\(count) left behind: " + map(\.subject.description).listed(first: Self.named)
            + ". Plan again for them when their workers can be used."
    }
}
