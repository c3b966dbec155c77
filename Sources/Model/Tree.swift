/// One path of a job's content.
public struct TreeEntry: Hashable, Sendable {
    /// What stands at a path; the numbers are part of the digest.
    public enum Kind: UInt8, Sendable {
        case file = 0x66  // f
        case executable = 0x78  // x
        /// A file with values of secrets: `digest` and `size` are of what is written down of it without them.
        case sealed = 0x73  // s
        case symlink = 0x6c  // l
        /// Only folders without entries of their own are recorded; the others follow from their entries.
        case emptyDirectory = 0x64  // d
    }

    /// Relative to the job's folder, `/` between components, no control characters.
    public let path: String
    public let kind: Kind
    /// Of the bytes; of the target's text for a symbolic link; of nothing for an empty folder.
    public let digest: Digest
    /// In bytes; 0 for an empty folder.
    public let size: Int
    /// The mode of a file, if it is another one than `Kind.mode`; part of the digest.
    public let ownMode: Int?

    public init(path: String, kind: Kind, digest: Digest, size: Int, mode: Int? = nil) {
        self.path = path
        self.kind = kind
        self.digest = digest
        self.size = size
        ownMode = mode == kind.mode ? nil : mode
    }

    /// What the file's mode is on a worker.
    public var mode: Int { ownMode ?? kind.mode }

    /// Modes that a file may have.
    public static let modes = 0...0o777
}

extension TreeEntry.Kind {
    /// The mode that it has on a worker if nothing else is said.
    public var mode: Int {
        switch self {
        case .file: 0o644
        case .executable, .emptyDirectory: 0o755
        case .sealed: 0o600
        case .symlink: 0o777
        }
    }

    /// Whether it is a file with bytes of its own.
    public var isFile: Bool {
        switch self {
        case .file, .executable, .sealed: true
        case .symlink, .emptyDirectory: false
        }
    }

    /// A kind with the mode that a file has besides, as a list of a tree has them.
    fileprivate static func parse(_ text: ArraySlice<UInt8>) -> (kind: TreeEntry.Kind, mode: Int?)? {
        guard let kind = text.first.flatMap(TreeEntry.Kind.init) else { return nil }
        if text.count == 1 { return (kind, nil) }
        guard kind.isFile, text.count <= 4, let mode = Int(String(decoding: text.dropFirst(), as: UTF8.self), radix: 8),
            TreeEntry.modes.contains(mode)
        else { return nil }
        return (kind, mode)
    }
}

/// The content of one allocation: every path with its type, owner-execute bit and digest.
///
/// `text` is its one canonical form and `digest` the SHA-256 of that text, so a tree can be kept in the content store
/// like any other object and proves itself when it is read.
///
/// ```swift
/// for change in new.changes(from: old) { print(change.kind.rawValue, change.path) }
/// ```
public struct Tree: Hashable, Sendable {
    /// Sorted by the bytes of `path`, each path once.
    public let entries: [TreeEntry]
    /// Scripts of hooks stay on the controller: they are part of the tree, and no worker gets them. Trees of earlier releases
    /// are pushed as a whole.
    public let keepsHooks: Bool
    /// SHA-256 of `text`.
    public let digest: Digest

    /// - Parameter keepsHooks: means nothing if no entry is below one of `TreePath.hookFolders`.
    public init(_ entries: [TreeEntry], keepsHooks: Bool = false) {
        self.entries = entries.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        self.keepsHooks = keepsHooks && entries.contains { TreePath.isOfHooks($0.path) }
        digest = Digest.of(Tree.render(self.entries, keepsHooks: self.keepsHooks))
    }

    /// The entries that a worker gets.
    public var pushed: [TreeEntry] {
        keepsHooks ? entries.filter { !TreePath.isOfHooks($0.path) } : entries
    }

    /// Whether an allocation with one of them has what it would have with the other: empty folders and paths that do not
    /// count make no difference, nor does whether hooks were pushed.
    public func counts(as other: Tree) -> Bool {
        digest == other.digest || counting.elementsEqual(other.counting)
    }

    private var counting: [TreeEntry] {
        entries.filter { $0.kind != .emptyDirectory && TreePath.counts($0.path) }
    }

    /// The same by the same rule with other entries.
    package func with(_ entries: [TreeEntry]) -> Tree { Tree(entries, keepsHooks: keepsHooks) }

    /// `maand-tree 1`, or `maand-tree 2` if hooks stay on the controller, then a line for each entry: kind, digest's
    /// hexadecimal digits, size, path. Behind the kind of a file that has a mode of its own are the octal digits of that.
    public var text: [UInt8] { Tree.render(entries, keepsHooks: keepsHooks) }

    /// The lines of `text` without the first one.
    package var lines: [String] {
        text.split(separator: 0x0a).dropFirst().map { String(decoding: $0, as: UTF8.self) }
    }

    /// The tree with this digest whose `lines` these are; nil if there is none.
    package init?(lines: [String], digest: Digest) {
        let texts = Tree.headers.map { header in Array(([header] + lines).map { $0 + "\n" }.joined().utf8) }
        guard let text = texts.first(where: { Digest.of($0) == digest }) else { return nil }
        self.init(text: text)
    }

    /// The first line of `text`, of trees that are pushed as a whole and of others.
    private static let headers = ["maand-tree 1", "maand-tree 2"]

    private static func render(_ entries: [TreeEntry], keepsHooks: Bool) -> [UInt8] {
        var out = Array((headers[keepsHooks ? 1 : 0] + "\n").utf8)
        out.reserveCapacity(out.count + entries.count * 100)
        for entry in entries {
            out.append(entry.kind.rawValue)
            if let mode = entry.ownMode { out.append(contentsOf: String(mode, radix: 8).utf8) }
            out.append(0x20)
            out.append(contentsOf: entry.digest.hex.utf8)
            out.append(0x20)
            out.append(contentsOf: String(entry.size).utf8)
            out.append(0x20)
            out.append(contentsOf: entry.path.utf8)
            out.append(0x0a)
        }
        return out
    }

    /// Reads `text` back; nil where the bytes are not exactly what `text` writes.
    public init?(text: [UInt8]) {
        let lines = text.split(separator: 0x0a, omittingEmptySubsequences: false)
        guard let first = lines.first, lines.last?.isEmpty == true,
            let header = Tree.headers.firstIndex(where: { first.elementsEqual($0.utf8) })
        else { return nil }
        var entries: [TreeEntry] = []
        for line in lines.dropFirst().dropLast() {
            let fields = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4, let (kind, mode) = TreeEntry.Kind.parse(fields[0]),
                let digest = Digest(hex: fields[1]), let size = Int(String(decoding: fields[2], as: UTF8.self)),
                let path = String(validating: fields[3], as: UTF8.self), TreePath.problem(path) == nil
            else { return nil }
            entries.append(TreeEntry(path: path, kind: kind, digest: digest, size: size, mode: mode))
        }
        self.init(entries, keepsHooks: header == 1)
        guard self.text == text else { return nil }
    }

    /// Swift's strings hold two spellings of a character equal; for a file system they are two names.
    private func isSame(_ one: String, _ other: String) -> Bool { one == other && one.utf8.elementsEqual(other.utf8) }

    /// The changes that lead from `old` to this tree, sorted by path. `old` nil means that nothing was there.
    public func changes(from old: Tree?) -> [FileChange] {
        var changes: [FileChange] = []
        var before = (old?.entries ?? [])[...]
        var after = entries[...]
        while let next = before.first ?? after.first {
            let path =
                [before.first?.path, after.first?.path].compactMap { $0 }
                .min { $0.utf8.lexicographicallyPrecedes($1.utf8) } ?? next.path
            let was = before.first.map { isSame($0.path, path) } == true ? before.popFirst() : nil
            let becomes = after.first.map { isSame($0.path, path) } == true ? after.popFirst() : nil
            if let change = FileChange(path: path, was: was, becomes: becomes) { changes.append(change) }
        }
        return changes
    }
}

/// The rules for a path inside a job's tree, in one place for the planner, the store and the plan's reader.
public enum TreePath {
    /// Longest path, in bytes; PATH_MAX of Linux less room for the worker's own prefix.
    public static let maximumLength = 3072

    /// Most components of a path.
    public static let maximumDepth = 128

    /// Folders at the top of a job whose scripts run on the controller: those of the first and of the second generation of
    /// Maand.
    public static let hookFolders = ["_modules", "_hooks"]

    /// Whether a path of a job's folder belongs to its content: Maand's rules, alerts and dashboards for Prometheus do not, and
    /// virtual environments neither.
    public static func counts(_ path: String) -> Bool {
        if path.hasPrefix("_prometheus/") || path == "_prometheus" { return false }
        return !path.utf8.contains(UInt8(ascii: "v")) || !path.split(separator: "/").contains(".venv")
    }

    /// Whether a path is below a folder of hooks.
    public static func isOfHooks(_ path: String) -> Bool {
        path.utf8.first == UInt8(ascii: "_") && hookFolders.contains { path.hasPrefix($0 + "/") }
    }

    /// The path to which a symbolic link of a job leads. It leads up only at its beginning.
    ///
    /// - Returns: nil if it leads out of the tree.
    public static func target(ofLink text: [UInt8], at path: String) -> String? {
        let words = String(decoding: text, as: UTF8.self).split(separator: "/").filter { $0 != "." }
        let ups = words.prefix { $0 == ".." }.count
        let folder = path.split(separator: "/").dropLast()
        if ups > folder.count { return nil }
        return (folder.dropLast(ups) + words.dropFirst(ups)).joined(separator: "/")
    }

    /// What is wrong with `path`, as the end of a sentence, or nil.
    public static func problem(_ path: String) -> String? {
        if path.isEmpty { return "is empty" }
        if path.utf8.count > maximumLength { return "is longer than \(maximumLength) bytes" }
        if path.utf8.first == UInt8(ascii: "/") { return "is absolute" }
        if path.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }) {
            return "contains a control character"
        }
        let components = path.split(separator: "/", omittingEmptySubsequences: false)
        if components.count > maximumDepth { return "has more than \(maximumDepth) components" }
        for component in components {
            if component.isEmpty { return "has an empty component" }
            if component == "." || component == ".." { return "has the component `\(component)`" }
        }
        return nil
    }
}

/// What happens to one path.
public struct FileChange: Hashable, Sendable {
    /// Relative to the job's folder.
    public package(set) var path: String
    public package(set) var kind: ChangeKind
    /// Digest before; nil where the path is added.
    public package(set) var from: Digest?
    /// Digest after; nil where the path is removed.
    public package(set) var to: Digest?

    public init(path: String, kind: ChangeKind, from: Digest?, to: Digest?) {
        self.path = path
        self.kind = kind
        self.from = from
        self.to = to
    }

    fileprivate init?(path: String, was: TreeEntry?, becomes: TreeEntry?) {
        let kind: ChangeKind
        switch (was, becomes) {
        case (nil, nil): return nil
        case (nil, .some): kind = .added
        case (.some, nil): kind = .removed
        case (let old?, let new?):
            if old.digest != new.digest {
                kind = .modified
            } else if old.kind != new.kind || old.ownMode != new.ownMode {
                kind = .mode
            } else {
                return nil
            }
        }
        self.init(path: path, kind: kind, from: was?.digest, to: becomes?.digest)
    }
}
