internal import Glibc
public import Model

extension ContentStore {
    /// Something to keep, and the digest that it was planned with.
    public struct Capture: Sendable {
        public enum Source: Sendable {
            case bytes([UInt8])
            /// Path of a regular file.
            case file(String)
        }

        public let digest: Digest
        public let source: Source

        public init(_ digest: Digest, _ source: Source) {
            self.digest = digest
            self.source = source
        }
    }

    /// Keeps many objects, and returns when all are durable. What is there already is not read again.
    ///
    /// - Throws: `StoreError.sourceChanged` where something does not have its digest. Objects that were kept before that
    ///   stay; they are whole and harm nobody.
    public func capture(_ items: [Capture]) throws(StoreError) {
        do {
            var folders = Set<String>()
            for item in items { try keep(item, touched: &folders) }
            // A name lasts once its folder is on disk; one fsync a folder serves all objects in it.
            for folder in folders { try syncFolder(folder) }
        } catch let error as SystemError {
            throw StoreError(error)
        } catch let error as StoreError {
            throw error
        } catch {
            throw .failed(path: folder, operation: "capture", reason: "\(error)")
        }
    }

    private func keep(_ item: Capture, touched folders: inout Set<String>) throws {
        let target = path(of: item.digest)
        switch item.source {
        case .bytes(let bytes):
            if size(of: target) == bytes.count { return }
            let temporary = try Temporary(for: target, in: try makeFolder(of: item.digest, touched: &folders))
            try check(Digest.of(bytes), item.digest, "the given bytes")
            try temporary.file.write(bytes)
            try temporary.keep()
        case .file(let path):
            let source = try File(path, O_RDONLY)
            let status = try source.status
            guard status.st_mode & S_IFMT == S_IFREG else { throw StoreError.notAFile(path: path) }
            if size(of: target) == Int(status.st_size) { return }
            let temporary = try Temporary(for: target, in: try makeFolder(of: item.digest, touched: &folders))
            var hasher = DigestHasher()
            while case let bytes = try source.read(upTo: Self.chunk), !bytes.isEmpty {
                hasher.update(bytes)
                try temporary.file.write(bytes)
            }
            try check(hasher.finish(), item.digest, path)
            try temporary.keep()
        }
    }

    private func check(_ actual: Digest, _ expected: Digest, _ path: String) throws(StoreError) {
        guard actual == expected else { throw .sourceChanged(path: path, expected: expected, actual: actual) }
    }

    /// Of a regular file; nil where there is none.
    private func size(of path: String) -> Int? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    /// Makes the folder of an object, and remembers every folder that got a new name.
    private func makeFolder(of digest: Digest, touched: inout Set<String>) throws(SystemError) -> String {
        let objects = folder + "/objects"
        let parent = objects + "/" + digest.hex.prefix(2)
        guard touched.insert(parent).inserted else { return parent }
        for (path, above) in [(folder, folder + "/.."), (objects, folder), (parent, objects)] {
            if mkdir(path, 0o700) == 0 {
                touched.insert(above)
            } else if errno != EEXIST {
                throw SystemError("mkdir", path)
            }
        }
        return parent
    }
}

/// A file beside an object's place that becomes the object, or goes when it is dropped.
private struct Temporary: ~Copyable {
    let file: File
    private let target: String

    init(for target: String, in folder: String) throws(SystemError) {
        self.target = target
        // Unique among the threads and processes that write to this folder; a leftover of a killed process is no object,
        // since objects' names have no dot.
        let name = folder + "/.new-\(getpid())-\(UInt64.random(in: .min ... .max))"
        file = try File(name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    }

    /// Puts the file in its place when its bytes are on disk; an object that another process put there is the same.
    func keep() throws(SystemError) {
        try file.sync()
        guard rename(file.path, target) == 0 else { throw SystemError("rename", file.path) }
    }

    deinit { unlink(file.path) }
}
