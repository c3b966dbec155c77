internal import Glibc
public import Model

extension ContentStore {
    /// What a collection found.
    public struct Collection: Sendable, Equatable {
        /// Objects that nothing needs any more, and their bytes; removed, unless it was only to look.
        public var objects = 0
        /// What the removed objects had, all together.
        public var bytes = 0
        /// Objects that stay.
        public var kept = 0
    }

    /// Removes objects that nothing needs.
    ///
    /// Objects that are younger stay, also if nothing needs them yet: they may be of a plan that waits for its approval. A plan whose
    /// objects are gone is still applied from the workspace that it was made from.
    ///
    /// - Parameters:
    ///   - roots: trees and plans; with a tree its files are needed, too.
    ///   - seconds: since 1970; what was kept, or kept again, at or after this instant is young.
    ///   - isDryRun: only count.
    /// - Throws: `StoreError` where a folder cannot be read or an object not removed.
    public func collect(
        needed roots: Set<Digest>, youngerThan seconds: Int, isDryRun: Bool
    ) throws(StoreError) -> Collection {
        var needed = roots
        for root in roots {
            // A tree that is missing or damaged needs nothing; what uses it says so.
            guard let tree = try? tree(root) else { continue }
            needed.formUnion(tree.entries.map(\.digest))
        }
        var found = Collection()
        for prefix in try names(in: folder + "/objects") where prefix.utf8.count == 2 {
            let folder = folder + "/objects/" + prefix
            for name in try names(in: folder) {
                var status = stat()
                let path = folder + "/" + name
                guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
                // What a killed process left beside an object is no object, and nobody needs it.
                let digest = Digest(hex: (prefix + name).utf8)
                if digest.map(needed.contains) == true || status.st_mtim.tv_sec >= seconds {
                    found.kept += 1
                    continue
                }
                found.objects += 1
                found.bytes += Int(status.st_size)
                guard isDryRun || unlink(path) == 0 || errno == ENOENT else {
                    throw .failed(path: path, operation: "remove", reason: systemMessage(errno))
                }
            }
        }
        return found
    }

    private func names(in folder: String) throws(StoreError) -> [String] {
        guard let directory = opendir(folder) else {
            let code = errno
            if code == ENOENT { return [] }
            throw .failed(path: folder, operation: "list", reason: systemMessage(code))
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
