public import Model
internal import Plans

/// What lies in a job's folder on a worker, but for `data`, `logs` and `bin`.
public struct FoundFile: Equatable, Sendable {
    public var md5: String
    public var digest: Digest
    public var size: Int
    /// Its mode, such as 0o755.
    public var mode: Int

    public init(md5: String, digest: Digest, size: Int, mode: Int) {
        self.md5 = md5
        self.digest = digest
        self.size = size
        self.mode = mode
    }
}

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

extension Taking {
    /// What planning made of the workspace for the allocation, and how it is compared with files of Maand.
    public struct Planned {
        /// The tree that a deploy would bring.
        public var tree: Tree
        /// Whether a file on a worker has the bytes that an entry stands for.
        public var isSame: (TreeEntry, FoundFile) -> Bool
        /// Whether a hook in the workspace has this MD5.
        public var isHook: (TreeEntry, _ md5: String) -> Bool
        /// Files that Maand's last build has read, by MD5.
        public var sources: [String: (digest: Digest, size: Int)]

        public init(
            tree: Tree, sources: [String: (digest: Digest, size: Int)] = [:],
            isSame: @escaping (TreeEntry, FoundFile) -> Bool, isHook: @escaping (TreeEntry, _ md5: String) -> Bool
        ) {
            self.tree = tree
            self.sources = sources
            self.isSame = isSame
            self.isHook = isHook
        }
    }

    /// The tree of what was promoted, as planning would have made it: a file that is what the workspace has at its path counts
    /// as just that. Of a file that is on no worker any more only the MD5 is known, so its entry stands for nothing that is
    /// there.
    public func promotedTree(_ planned: Planned, found: [String: FoundFile]) -> Tree {
        Self.tree(of: files, planned, found)
    }

    /// The tree of what lies on the worker now.
    ///
    /// - Parameter pushed: paths with MD5 of what Maand last planned there.
    public static func treeThere(
        pushed: [String: String], _ planned: Planned, found: [String: FoundFile]
    ) -> Tree {
        var files = pushed
        for path in pushed.keys where isPushed(path) { files[path] = found[path]?.md5 }
        return tree(of: files, planned, found)
    }

    private static func tree(
        of files: [String: String], _ planned: Planned, _ found: [String: FoundFile]
    ) -> Tree {
        let known = Dictionary(planned.tree.entries.map { ($0.path, $0) }) { first, _ in first }
        var entries = planned.tree.entries.filter { $0.kind == .emptyDirectory }
        for (path, md5) in files where TreePath.problem(path) == nil && TreePath.counts(path) {
            let source = planned.sources[md5]
            let unknown = source?.digest ?? Digest.of(Array(md5.utf8))
            if TreePath.isOfHooks(path) {
                if isInjected(path) { continue }
                let same = known[path].flatMap { planned.isHook($0, md5) ? $0 : nil }
                entries.append(
                    same
                        ?? TreeEntry(
                            path: path, kind: known[path]?.kind ?? .file, digest: unknown, size: source?.size ?? 0))
                continue
            }
            // Each job has the authority's certificate in Maand.
            guard isPushed(path), known[path] != nil || path != CertificateFile.authorities.path else { continue }
            let file = found[path].flatMap { $0.md5 == md5 ? $0 : nil }
            if let entry = known[path], let file, planned.isSame(entry, file) {
                entries.append(entry)
            } else if known[path]?.kind == .sealed || file.map({ $0.mode & 0o007 == 0 }) == true {
                // What may hold secrets leaves no digest of its bytes behind.
                entries.append(
                    TreeEntry(path: path, kind: .sealed, digest: Digest.of(Array("other secrets".utf8)), size: 0))
            } else {
                entries.append(
                    TreeEntry(
                        path: path, kind: known[path]?.kind == .file ? .file : .executable,
                        digest: file?.digest ?? unknown, size: file?.size ?? source?.size ?? 0))
            }
        }
        return planned.tree.with(entries)
    }
}
