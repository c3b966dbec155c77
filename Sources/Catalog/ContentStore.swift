internal import Glibc
public import Model

/// The bucket's content, by digest: the bytes that approved plans push, whatever has become of the workspace since.
///
/// An object is a file `objects/ab/cdef...` (mode 0600) named by the SHA-256 of its bytes. It appears whole and durable
/// or not at all, and is checked against its name whenever it is read. Any task, thread or process may use a store at
/// the same time as others; equal bytes are kept once.
public struct ContentStore: Sendable {
    /// Name of the store's folder in the bucket's.
    static let folderName = "store"

    /// Bytes that are held in memory while a file is copied or read in pieces.
    static let chunk = 256 * 1024

    /// The folder, mode 0700. It is created by the first `put`.
    public let folder: String

    /// The store of the bucket in this folder; nothing is created or read yet.
    public init(in bucketFolder: String) { folder = bucketFolder + "/" + Self.folderName }

    /// Where the object with this digest is, or would be.
    public func path(of digest: Digest) -> String {
        let hex = digest.hex
        return "\(folder)/objects/\(hex.prefix(2))/\(hex.dropFirst(2))"
    }

    /// Whether there is an object of this name; its bytes are not checked.
    public func contains(_ digest: Digest) -> Bool { access(path(of: digest), F_OK) == 0 }

    /// Keeps the bytes and returns their digest when they are durable.
    @discardableResult
    public func put(_ bytes: [UInt8]) throws(StoreError) -> Digest {
        let digest = Digest.of(bytes)
        try capture([Capture(digest, .bytes(bytes))])
        return digest
    }

    /// Copies a regular file, hashing it on the way.
    ///
    /// - Throws: `StoreError.sourceChanged` where its bytes do not have the digest; then nothing is kept.
    public func put(fileAt path: String, expecting digest: Digest) throws(StoreError) {
        try capture([Capture(digest, .file(path))])
    }

    /// Removes an object, for one that was altered and is about to be kept again. Nothing where there is none.
    public func discard(_ digest: Digest) throws(StoreError) {
        let path = path(of: digest)
        guard unlink(path) == 0 || errno == ENOENT else {
            throw .failed(path: path, operation: "remove", reason: String(cString: strerror(errno)))
        }
    }

    /// The object's bytes, checked against the digest.
    ///
    /// - Parameter limit: Most bytes to accept, so that memory is bounded; larger objects are read by `reader(of:)`.
    public func read(_ digest: Digest, limit: Int) throws(StoreError) -> [UInt8] {
        var reader = try reader(of: digest)
        guard reader.size <= limit else {
            throw .tooLarge(path: path(of: digest), size: reader.size, limit: limit)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(reader.size)
        while let chunk = try reader.next() { bytes += chunk }
        return bytes
    }

    /// Reads an object piece by piece, checking it at the end.
    public func reader(of digest: Digest) throws(StoreError) -> ObjectReader {
        let path = path(of: digest)
        do {
            let file = try File(path, O_RDONLY)
            let size = Int(try file.status.st_size)
            return ObjectReader(file, size: size, digest: digest)
        } catch {
            throw error.code == ENOENT ? .missing(digest, path: path) : StoreError(error)
        }
    }

    /// Keeps a tree's manifest under the tree's digest. The files that it lists are kept apart.
    public func put(_ tree: Tree) throws(StoreError) { try put(tree.text) }

    /// The tree with this digest.
    public func tree(_ digest: Digest) throws(StoreError) -> Tree {
        guard let tree = Tree(text: try read(digest, limit: Self.largestManifest)) else { throw .notATree(digest) }
        return tree
    }

    /// Bytes of a tree's manifest: more than 100,000 paths of ordinary length.
    static let largestManifest = 64 * 1024 * 1024
}

/// An object of the content store that is read piece by piece, in bounded memory.
public struct ObjectReader: ~Copyable {
    /// In bytes, when it was opened.
    public let size: Int
    private let file: File
    private let digest: Digest
    private var hasher = DigestHasher()
    private var isAtEnd = false

    init(_ file: consuming File, size: Int, digest: Digest) {
        self.file = file
        self.size = size
        self.digest = digest
    }

    /// The next bytes, at most 256 KiB; nil at the end.
    ///
    /// - Throws: `StoreError.altered` in place of the end where the bytes read so far are not the object's: a caller must
    ///   not make use of them before it saw the end.
    public mutating func next() throws(StoreError) -> [UInt8]? {
        guard !isAtEnd else { return nil }
        let bytes: [UInt8]
        do { bytes = try file.read(upTo: ContentStore.chunk) } catch { throw StoreError(error) }
        guard bytes.isEmpty else {
            hasher.update(bytes)
            return bytes
        }
        isAtEnd = true
        let actual = hasher.finish()
        hasher = DigestHasher()
        guard actual == digest else { throw .altered(path: file.path, expected: digest, actual: actual) }
        return nil
    }
}
