internal import Foundation
internal import Glibc
internal import Synchronization

/// The module `maand` for hooks in Python, alone in a folder of the bucket: a hook finds there what it imports before
/// Python's own library, so nothing else may lie beside it.
final class PythonModule: Sendable {
    static let fileName = "maand.py"

    /// Belongs in `PYTHONPATH`; absolute.
    let folder: String
    /// Hooks begin side by side.
    private let laying = Mutex(())

    init(bucketFolder: String) {
        folder = PrivateFolder.hooks(of: bucketFolder) + "/python"
    }

    /// Makes sure that the folder holds just the module. To be called before each hook, since the one before may have
    /// written there.
    ///
    /// - Throws: `HookFileProblem`.
    func lay() throws {
        try laying.withLock { _ in
            try HookFileProblem.explaining(folder) { try putInOrder() }
        }
    }

    private func putInOrder() throws {
        let files = FileManager.default
        try PrivateFolder.make(PrivateFolder.parent(of: folder))
        if let type = type(of: folder), type != .typeDirectory { try files.removeItem(atPath: folder) }
        try PrivateFolder.make(folder)
        for name in try files.contentsOfDirectory(atPath: folder) where name != Self.fileName {
            try files.removeItem(atPath: "\(folder)/\(name)")
        }
        let file = "\(folder)/\(Self.fileName)"
        let text = Data(PackageResources.maand_py)
        if type(of: file) == .typeRegular, files.isReadableFile(atPath: file), isPrivate(file),
            try Data(contentsOf: URL(fileURLWithPath: file)) == text
        {
            return
        }
        if let type = type(of: file), type != .typeRegular { try files.removeItem(atPath: file) }
        // In one step, for a hook that is about to import it.
        let draft = "\(file).\(UInt64.random(in: .min ... .max))"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        do {
            try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).write(contentsOf: text)
            guard rename(draft, file) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        } catch {
            unlink(draft)
            throw error
        }
    }

    /// Nobody else may write into it.
    private func isPrivate(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & 0o077 == 0 && status.st_uid == geteuid()
    }

    /// Of the path itself, where a link is one; nil where nothing is there.
    private func type(of path: String) -> FileAttributeType? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.type] as? FileAttributeType
    }
}
