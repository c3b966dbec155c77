internal import Glibc
public import Model

extension ContentStore {
    /// Something to keep, and the digest that it was planned with.
    public struct Capture: Sendable {
        /// Where the bytes are now.
        public enum Source: Sendable {
            case bytes([UInt8])
            /// Path of a regular file.
            case file(String)
        }

        /// SHA-256 of the bytes; other bytes are refused.
        public let digest: Digest
        /// Where the bytes are now.
        public let source: Source

        public init(_ digest: Digest, _ source: Source) {
            self.digest = digest
            self.source = source
        }
    }

    /// Keeps many objects, and returns when all are durable. What is there already is not read again.
    ///
    /// All are written first, made durable together, and only then renamed to their places, so that the number of fsyncs
    /// does not grow with that of the objects.
    ///
    /// - Throws: `StoreError.sourceChanged` where something does not have its digest; then none of them is kept.
    public func capture(_ items: [Capture]) throws(StoreError) {
        guard !items.isEmpty else { return }
        do {
            var staged: [Digest: Staged] = [:]
            // Synced even where an object is there already: the process that wrote it may have been killed before this.
            var folders: Set<String> = [folder + "/..", folder, folder + "/objects"]
            for item in items where staged[item.digest] == nil {
                try makeFolder(of: item.digest, new: &folders)
                staged[item.digest] = try stage(item)
            }
            try sync(Array(staged.values))
            for object in staged.values { try object.keep() }
            for folder in folders { try syncFolder(folder) }
        } catch let error as SystemError {
            throw StoreError(error)
        } catch let error as StoreError {
            throw error
        } catch {
            throw .failed(path: folder, operation: "capture", reason: "\(error)")
        }
    }

    /// Objects up to which each is synced by itself: syncing the disk also waits for what other programs have written.
    private static let fewObjects = 16

    private func sync(_ objects: [Staged]) throws(SystemError) {
        if objects.count > Self.fewObjects {
            try File(folder, O_RDONLY | O_DIRECTORY).syncDisk()
        } else {
            for object in objects { try File(object.path, O_RDONLY).sync() }
        }
    }

    /// Writes an object beside its place; nil where it is there already.
    private func stage(_ item: Capture) throws -> Staged? {
        let target = path(of: item.digest)
        switch item.source {
        case .bytes(let bytes):
            if size(of: target) == bytes.count { return refresh(target) }
            try check(Digest.of(bytes), item.digest, "the given bytes")
            let staged = Staged(for: target)
            try staged.create().write(bytes)
            return staged
        case .file(let path):
            let source = try File(path, O_RDONLY)
            let status = try source.status
            guard status.st_mode & S_IFMT == S_IFREG else { throw StoreError.notAFile(path: path) }
            if size(of: target) == Int(status.st_size) { return refresh(target) }
            let staged = Staged(for: target)
            let file = try staged.create()
            var hasher = DigestHasher()
            while case let bytes = try source.read(upTo: Self.chunk), !bytes.isEmpty {
                hasher.update(bytes)
                try file.write(bytes)
            }
            try check(hasher.finish(), item.digest, path)
            return staged
        }
    }

    /// An object that is needed again is young again, see `collect`.
    private func refresh(_ target: String) -> Staged? {
        // Of an object of another user the time stays, and it is collected earlier.
        utimensat(AT_FDCWD, target, nil, 0)
        return nil
    }

    private func check(_ actual: Digest, _ expected: Digest, _ path: String) throws(StoreError) {
        guard actual == expected else { throw .sourceChanged(path: path, expected: expected) }
    }

    /// Of a regular file; nil where there is none.
    private func size(of path: String) -> Int? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    /// Makes the folder of an object, unless it was made sure of before.
    private func makeFolder(of digest: Digest, new folders: inout Set<String>) throws(SystemError) {
        let objects = folder + "/objects"
        let parent = objects + "/" + digest.hex.prefix(2)
        guard folders.insert(parent).inserted else { return }
        for path in [folder, objects, parent] where mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw SystemError("mkdir", path)
        }
    }
}

/// A file beside an object's place that becomes the object, or goes when it is dropped.
private final class Staged {
    let path: String
    private let target: String

    /// The name is unique among the threads and processes that write there. What a killed process leaves is no object,
    /// since the names of objects have no dot.
    init(for target: String) {
        self.target = target
        path = "\(target).\(getpid())-\(UInt32.random(in: .min ... .max))"
    }

    func create() throws(SystemError) -> File { try File(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600) }

    /// Puts the file in its place; an object that another process has put there meanwhile is the same.
    func keep() throws(SystemError) { guard rename(path, target) == 0 else { throw SystemError("rename", path) } }

    deinit { unlink(path) }
}
