public import Model

/// A tree whose files get the values that their secrets have now, in the place of those with which it was made.
public struct RenewedTree: Sendable {
    public let tree: Tree
    /// What is kept of each file that has other values now, by digest.
    public private(set) var files: [Digest: [UInt8]] = [:]
    /// The digest of each such file before -> its digest now.
    public private(set) var replaced: [Digest: Digest] = [:]
    /// The secrets of all files with secrets, by path.
    public private(set) var secrets: [String: [SecretReference]] = [:]

    /// Why a tree cannot be renewed.
    public enum Problem: Error {
        /// What is kept of the file is damaged.
        case unreadable(TreeEntry)
        /// The file at this path needs secrets of which no fingerprint is known.
        case missing(path: String, [SecretName])
    }

    /// - Parameters:
    ///   - content: what is kept of a file with secrets.
    ///   - fingerprint: of the value that a secret has now; nil if there is none.
    /// - Throws: `Problem`, and what `content` throws.
    public init(
        of tree: Tree, content: (Digest) throws -> [UInt8], fingerprint: (SecretName) -> SecretFingerprint?
    ) throws {
        var entries = tree.entries
        for index in entries.indices where entries[index].kind == .sealed {
            let entry = entries[index]
            guard let file = SealedFile(bytes: try content(entry.digest)) else { throw Problem.unreadable(entry) }
            guard let now = file.bound(to: fingerprint) else {
                throw Problem.missing(
                    path: entry.path, file.secrets.map(\.name).filter { fingerprint($0) == nil })
            }
            secrets[entry.path] = now.secrets
            if now == file { continue }
            let bytes = now.bytes
            let digest = Digest.of(bytes)
            files[digest] = bytes
            replaced[entry.digest] = digest
            entries[index] = TreeEntry(
                path: entry.path, kind: .sealed, digest: digest, size: bytes.count, mode: entry.mode)
        }
        self.tree = files.isEmpty ? tree : tree.with(entries)
    }
}
