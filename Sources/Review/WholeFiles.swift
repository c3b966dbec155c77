internal import Model
internal import Plans

/// Which files that only one side of a change has are shown whole; of the others a review shows what differs.
public enum WholeFiles: Sendable {
    /// New files below `_modules/`: what hooks run on the controller.
    case newModules
    /// All that are added or removed.
    case all

    func includes(_ change: FileChange) -> Bool {
        if change.from != nil, change.to != nil { return true }
        switch self {
        case .newModules: return change.to != nil && Self.isModule(change.path)
        case .all: return true
        }
    }

    /// Whether the path of a job's file is below `_modules/`.
    static func isModule(_ path: String) -> Bool { path.hasPrefix(HookScript.folder + "/") }
}
