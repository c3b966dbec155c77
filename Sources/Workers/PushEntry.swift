internal import Crypto
public import Model

/// One path of a job's tree, as it is to be on a worker.
public struct PushEntry: Sendable, Hashable {
    /// What stands at a path.
    public enum Kind: Sendable, Hashable {
        /// SHA-256 in lower-case hex, size in bytes, the mode's nine bits.
        case file(digest: String, size: Int, mode: Int)
        case symbolicLink(target: String)
        case directory
    }

    /// Relative to the job's directory, with `/` between components.
    public var path: String
    /// What stands at the path.
    public var kind: Kind
    /// Of a file with secrets: the digest of what is kept of it. Its own digest is told to nobody but its worker.
    public var sealed: Model.Digest?

    public init(path: String, kind: Kind, sealed: Model.Digest? = nil) {
        self.path = path
        self.kind = kind
        self.sealed = sealed
    }

    /// Kind, digest and mode as a line of the worker's lists has them.
    var fields: String {
        switch kind {
        case .file(let digest, _, let mode): "f \(Self.bare(digest)) \(String(mode, radix: 8))"
        case .symbolicLink(let target): "l \(SHA256.hash(data: Array(target.utf8)).hexadecimal) 777"
        case .directory: "d - 755"
        }
    }

    /// In bytes; of a symbolic link its text's, and 0 for a folder.
    var size: Int {
        switch kind {
        case .file(_, let size, _): size
        case .symbolicLink(let target): target.utf8.count
        case .directory: 0
        }
    }

    /// A digest with or without the name of its algorithm.
    package static func bare(_ digest: String) -> String {
        digest.hasPrefix("sha256:") ? String(digest.dropFirst("sha256:".count)) : digest
    }

    /// Why this cannot be on a worker, or `nil`.
    var flaw: String? {
        let components = path.split(separator: "/", omittingEmptySubsequences: false)
        if components.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) {
            return "a path is relative, without empty components, `.` or `..`"
        }
        if let first = components.first, ["data", "logs", "bin"].contains(first) {
            return "`\(first)/` belongs to the job on the worker"
        }
        if path.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\n") }) { return "a line feed in the name" }
        switch kind {
        case .file(let digest, let size, let mode):
            let bare = Self.bare(digest)
            if bare.utf8.count != 64 || !TreeEntry.modes.contains(mode) || !ShellText.isWord(bare) || size < 0 {
                return "digest \(digest)"
            }
        case .symbolicLink(let target):
            if target.isEmpty || target.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\n") }) {
                return "the link's target is empty or holds a line feed"
            }
        case .directory: break
        }
        return nil
    }
}

extension [PushEntry] {
    /// With every folder on the way, a folder before what is in it, and what is in one folder together.
    func completed() -> [PushEntry] {
        var entries: [PathBytes: PushEntry] = [:]
        for entry in self {
            entries[PathBytes(entry.path)] = entry
            var folder = PathBytes(entry.path).folder
            while !folder.bytes.isEmpty, entries[folder] == nil {
                entries[folder] = PushEntry(path: folder.text, kind: .directory)
                folder = folder.folder
            }
        }
        return entries.map { (folder: $0.key.folder.bytes, path: $0.key.bytes, entry: $0.value) }
            .sorted { left, right in
                left.folder == right.folder
                    ? left.path.lexicographicallyPrecedes(right.path)
                    : left.folder.lexicographicallyPrecedes(right.folder)
            }
            .map(\.entry)
    }
}
