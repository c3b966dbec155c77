internal import Foundation
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
        folder = URL(fileURLWithPath: bucketFolder).standardizedFileURL.path + "/.hooks/python"
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
        if type(of: folder) != .typeDirectory {
            if type(of: folder) != nil { try files.removeItem(atPath: folder) }
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        for name in try files.contentsOfDirectory(atPath: folder) where name != Self.fileName {
            try files.removeItem(atPath: "\(folder)/\(name)")
        }
        let file = URL(fileURLWithPath: "\(folder)/\(Self.fileName)")
        let text = Data(PackageResources.maand_py)
        if type(of: file.path) == .typeRegular, let there = try? Data(contentsOf: file), there == text { return }
        if let type = type(of: file.path), type != .typeRegular { try files.removeItem(at: file) }
        // In one step, for a hook that is about to import it.
        try text.write(to: file, options: .atomic)
    }

    /// Of the path itself, where a link is one; nil where nothing is there.
    private func type(of path: String) -> FileAttributeType? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.type] as? FileAttributeType
    }
}
