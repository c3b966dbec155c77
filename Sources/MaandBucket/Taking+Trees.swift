public import Model
internal import Plans

extension Taking {
    /// What the store keeps of a file that Maand has deployed.
    public enum Kept: Equatable, Sendable {
        /// Its bytes.
        case bytes(Digest, size: Int)
        /// The file without the values of secrets.
        case sealed(Digest, size: Int)
        /// Nothing, because it holds secrets that cannot be told apart from the rest.
        case nothing
    }

    /// What planning made of the workspace for the allocation, and how it is compared with files of Maand.
    public struct Planned {
        /// The tree that a deploy would bring.
        public var tree: Tree
        /// What is kept, by the MD5 of the file.
        public var kept: [String: Kept]
        /// Whether a file on a worker has the bytes that an entry stands for.
        public var isSame: (TreeEntry, FoundFile) -> Bool
        /// Whether a hook in the workspace has this MD5.
        public var isHook: (TreeEntry, _ md5: String) -> Bool

        public init(
            tree: Tree, kept: [String: Kept] = [:], isSame: @escaping (TreeEntry, FoundFile) -> Bool,
            isHook: @escaping (TreeEntry, _ md5: String) -> Bool
        ) {
            self.tree = tree
            self.kept = kept
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
            if TreePath.isOfHooks(path) {
                if isInjected(path) { continue }
                let same = known[path].flatMap { planned.isHook($0, md5) ? $0 : nil }
                let (digest, size) = bytes(planned.kept[md5]) ?? (nothing(md5), 0)
                entries.append(
                    same ?? TreeEntry(path: path, kind: known[path]?.kind ?? .file, digest: digest, size: size))
                continue
            }
            // Each job has the authority's certificate in Maand.
            guard isPushed(path), known[path] != nil || path != CertificateFile.authorities.path else { continue }
            let file = found[path].flatMap { $0.md5 == md5 ? $0 : nil }
            if let entry = known[path], let file, planned.isSame(entry, file) {
                entries.append(entry)
            } else {
                entries.append(
                    entry(path, md5, file, known[path], isRendered: isRendered(path, of: files), planned.kept[md5]))
            }
        }
        return planned.tree.with(entries)
    }

    /// The entry of a file that is not what the workspace has.
    private static func entry(
        _ path: String, _ md5: String, _ file: FoundFile?, _ known: TreeEntry?, isRendered: Bool, _ kept: Kept?
    ) -> TreeEntry {
        if case .sealed(let digest, let size)? = kept {
            return TreeEntry(path: path, kind: .sealed, digest: digest, size: size)
        }
        let content = bytes(kept)
        let mayHaveSecrets = file?.isForAll == false || content == nil && (known?.kind == .sealed || isRendered)
        if kept == .nothing || mayHaveSecrets {
            // What may hold secrets leaves no digest of its bytes behind.
            return TreeEntry(path: path, kind: .sealed, digest: Digest.of(Array("other secrets".utf8)), size: 0)
        }
        let isPlain = known?.kind == .file || known?.kind == .sealed || known == nil && isRendered
        return TreeEntry(
            path: path, kind: isPlain ? .file : .executable, digest: content?.digest ?? file?.digest ?? nothing(md5),
            size: content?.size ?? file?.size ?? 0)
    }

    private static func bytes(_ kept: Kept?) -> (digest: Digest, size: Int)? {
        if case .bytes(let digest, let size)? = kept { (digest, size) } else { nil }
    }

    /// Stands for a file of which only the MD5 is known.
    private static func nothing(_ md5: String) -> Digest { Digest.of(Array(md5.utf8)) }

    /// Whether a file became what it is when Maand rendered its template.
    public static func isRendered(_ path: String, of files: [String: String]) -> Bool { files[path + ".tpl"] != nil }
}
