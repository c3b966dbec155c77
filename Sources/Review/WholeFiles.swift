internal import Model
internal import Plans

/// Which files that only one side of a change has are shown whole; of the others a review shows what differs.
public enum WholeFiles: Sendable {
    /// New files that are code by their place: those of hooks, which run on the controller, and the Makefile.
    case newCode
    /// All that are added or removed.
    case all

    func includes(_ change: FileChange) -> Bool {
        if change.from != nil, change.to != nil { return true }
        switch self {
        case .newCode: return change.to != nil && (Self.isModule(change.path) || change.path == "Makefile")
        case .all: return true
        }
    }

    /// Whether a job's file is one of its hooks.
    static func isModule(_ path: String) -> Bool { TreePath.isOfHooks(path) }
}
