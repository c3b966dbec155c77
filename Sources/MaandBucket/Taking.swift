public import Model

/// What is recorded of an allocation that Maand has deployed.
///
/// What the database says of promotes is not always so (a disabled allocation is promoted although it does not run; what a
/// deploy began and did not end is nowhere), so the files on the worker are looked at, too.
public struct Taking: Equatable, Sendable {
    /// What becomes of it.
    public enum Standing: Equatable, Sendable {
        /// It runs what was promoted.
        case promoted
        /// It is disabled, or was, and does not run.
        case stopped
        /// It was promoted, and newer files were pushed; nobody knows what runs.
        case unfinished
        /// Files were pushed and never promoted; it may run.
        case begun
        /// Nothing of it is taken over, and why.
        case nothing(String)

        /// Whether nothing of it is to be brought to an end.
        public var isSettled: Bool {
            switch self {
            case .promoted, .stopped, .nothing: true
            case .unfinished, .begun: false
            }
        }

        /// Whether it runs, as far as is known.
        fileprivate var runs: Bool { self == .promoted }
    }

    public var standing: Standing
    /// What was promoted; `0.0.0` for none.
    public var version: String
    /// What was planned to be there.
    public var targetVersion: String
    /// Paths with the MD5 that Maand knows of what was promoted.
    public var files: [String: String]
    /// The reason, for people.
    public var reason: String
    /// The last gate has failed.
    public var hasFailedGate = false
    /// Maand's last build wants just what is there, so that nothing is to be done.
    public private(set) var isAsWanted = false

    /// In the place of a hash, for an allocation whose gate has failed.
    private static let failedGate = "__maand_health_failed__"

    /// - Parameters:
    ///   - found: by path; nil if the worker has no folder of the job.
    ///   - isEnabledThere: the worker's own list says that the job is to run; nil if it says nothing.
    public init(
        _ allocation: MaandRecords.Allocation, found: [String: FoundFile]?, isEnabledThere: Bool? = nil
    ) {
        version = allocation.hash?.version ?? Version.none.text
        targetVersion = allocation.targetVersion
        files = allocation.hash?.previousFiles ?? [:]
        (standing, reason) = (.promoted, "promoted, and the worker has these files")
        guard let hash = allocation.hash else {
            reason = allocation.isRemoved ? "it was removed" : "it was never deployed"
            standing = .nothing(reason)
            isAsWanted = allocation.isRemoved || allocation.isDisabled
            return
        }
        let hasRun = version != Version.none.text || hash.previous != nil
        if allocation.isRemoved {
            reason = "it has left the workspace, and is still to be stopped"
            standing = hasRun ? .promoted : .begun
            if files.isEmpty { files = hash.currentFiles }
        } else if allocation.isDisabled, isEnabledThere == true, hasRun {
            standing = Self.has(found, hash.previousFiles) ? .promoted : .unfinished
            reason = "disabled since the last deploy, and still to be stopped"
        } else if allocation.isDisabled {
            reason = "disabled: Maand promotes what does not run; which version ran last is not recorded"
            standing = hash.previous == nil && !hasRun ? .nothing("it is disabled, and was never promoted") : .stopped
            if files.isEmpty { files = hash.currentFiles }
        } else if hash.previous == Self.failedGate {
            (standing, hasFailedGate) = (hasRun ? .unfinished : .begun, true)
            reason = "its gate has failed"
            files = hash.currentFiles
        } else if hash.previous == nil {
            standing = hasRun ? .stopped : .begun
            reason = hasRun ? "it was enabled again, and not started since" : "a deploy pushed it and did not end"
            files = hash.currentFiles
        } else if found == nil {
            (standing, reason) = (.unfinished, "promoted, and the worker has no folder of the job")
        } else if !Self.has(found, hash.previousFiles) {
            let isPushed = hash.previous != hash.current && Self.has(found, hash.currentFiles)
            standing = .unfinished
            reason =
                isPushed
                ? "a deploy pushed newer files and did not end" : "the worker has other files than were promoted"
        } else if hash.previous != hash.current {
            reason = "promoted; newer files were planned, and not pushed"
        }
        isAsWanted =
            allocation.isRemoved || allocation.isDisabled
            ? standing.isSettled && !standing.runs : standing.runs && version == targetVersion
    }

    /// What is recorded where Maand's database is lost: of files that lie on a worker it is not known whether they run.
    ///
    /// - Parameter version: of these files, if it is known; else of the workspace.
    public init(lost version: String, found: [String: FoundFile]?) {
        self.version = version
        targetVersion = version
        files = (found ?? [:]).mapValues(\.md5)
        (standing, reason) =
            found == nil
            ? (.nothing("the worker has no folder of the job"), "the worker has no folder of the job")
            : (.unfinished, "Maand's database is lost: nobody knows what runs")
    }

    /// Whether all files that Maand pushes are there as they were pushed.
    private static func has(_ found: [String: FoundFile]?, _ files: [String: String]) -> Bool {
        guard let found else { return false }
        return files.allSatisfy { path, md5 in !isPushed(path) || found[path]?.md5 == md5 }
    }

    /// Maand counts hooks and templates as files of an allocation, and pushes neither.
    public static func isPushed(_ path: String) -> Bool { !TreePath.isOfHooks(path) && !path.hasSuffix(".tpl") }

    /// What Maand puts beside the hooks of a job.
    public static func isInjected(_ path: String) -> Bool {
        guard TreePath.isOfHooks(path), let slash = path.firstIndex(of: "/") else { return false }
        let rest = path[path.index(after: slash)...]
        return rest == "maand.py" || rest == "maand.ts" || rest.hasPrefix("certs/")
    }
}
