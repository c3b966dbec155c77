internal import Catalog
internal import Foundation
internal import HookAPI
internal import JobFiles
internal import Model
internal import Workers

/// The `_modules` folders that a plan binds, laid out as files: hooks run from these and not from the workspace, so that
/// an approved plan runs the approved bytes whatever has become of the workspace.
actor HookModules {
    private let store: ContentStore
    /// Absolute; gets a folder for each tree.
    private let folder: String

    init(store: ContentStore, folder: String) {
        self.store = store
        self.folder = folder
    }

    /// The folder that holds the tree's `_modules`. It is compared with the tree before each hook, since the one before
    /// may have written there.
    ///
    /// - Throws: `StoreError` where content is missing or altered, `HookFileProblem`.
    func folder(of tree: Digest) throws -> String {
        let path = "\(folder)/\(tree.hex)"
        let content = try store.tree(tree)
        // What somebody has put beside the files could be imported in their place; so could what Python keeps of them.
        if JobFolder.isCopy(path, of: content) { return path }
        return try HookFileProblem.explaining(path) {
            try lay(content, at: path)
            return path
        }
    }

    /// Removes folders of other trees that nobody has laid out or compared for a day: a hook of a run that was given up may
    /// still run from a younger one.
    func removeOld(but needed: Set<Digest>) {
        let files = FileManager.default
        for name in (try? files.contentsOfDirectory(atPath: folder)) ?? [] {
            let path = "\(folder)/\(name)"
            let changed = (try? files.attributesOfItem(atPath: path))?[.modificationDate] as? Date
            if needed.contains(where: { $0.hex == name }) || changed.map({ $0.timeIntervalSinceNow > -86400 }) ?? true {
                continue
            }
            try? files.removeItem(atPath: path)
        }
    }

    private static func make(_ folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    /// Whole or not at all: a process that is killed leaves a folder that no tree is looked for in.
    private func lay(_ tree: Tree, at path: String) throws {
        let files = FileManager.default
        let draft = "\(path).\(WorkerSession.randomNonce())"
        try PrivateFolder.make(folder)
        try Self.make(draft)
        defer { try? files.removeItem(atPath: draft) }
        for entry in tree.entries {
            let file = "\(draft)/\(entry.path)"
            let parent = URL(fileURLWithPath: file).deletingLastPathComponent().path
            try Self.make(parent)
            switch entry.kind {
            case .emptyDirectory: try Self.make(file)
            case .symlink:
                let target = try store.read(entry.digest, limit: TreePath.maximumLength)
                try files.createSymbolicLink(
                    atPath: file, withDestinationPath: String(decoding: target, as: UTF8.self))
            // No template is below `_modules`.
            case .sealed: throw POSIXError(.EINVAL)
            case .file, .executable:
                let descriptor = open(
                    file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, entry.kind == .executable ? 0o700 : 0o600)
                guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
                let copy = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
                var reader = try store.reader(of: entry.digest)
                while let chunk = try reader.next() { try copy.write(contentsOf: Data(chunk)) }
            }
        }
        // A hook may still run from what is there: it keeps its open files, and finds what it opens later in the new place.
        let aside = "\(draft).old"
        defer { try? files.removeItem(atPath: aside) }
        if files.fileExists(atPath: path) { try files.moveItem(atPath: path, toPath: aside) }
        try files.moveItem(atPath: draft, toPath: path)
    }
}
