package import Model
package import YAML

/// `file_modes` of a manifest: the modes that files of a job get on workers. Hooks run on the controller, so none of their files
/// has one.
package struct FileModes: Sendable {
    package static let field = "file_modes"

    private struct Rule: Sendable {
        let glob: Glob
        let mode: Int
    }

    /// In the order of the manifest; of those that match a path the last one counts.
    private var rules: [Rule] = []

    /// No file has a mode of its own.
    package init() {}

    /// Reads the field, a mapping of globs to modes such as `"0640"`. What is wrong with it, `reader` learns.
    package init(_ node: Node, _ reader: Reader, job: JobName) {
        guard let map = reader.mapping(node) else { return }
        if map.entries.count > Self.limit {
            reader.error(node, "job \(job): \(Self.field) has more than \(Self.limit) globs")
            return
        }
        for entry in map.entries {
            do throws(Glob.Problem) {
                let glob = try Glob(entry.name)
                if let mode = Self.mode(entry.value, reader, job) { rules.append(Rule(glob: glob, mode: mode)) }
            } catch {
                reader.error(entry.key, "job \(job): \(Self.field): \(error.message)")
            }
        }
    }

    /// Globs that a manifest may have, at most.
    package static let limit = 100

    /// What modes match: three or four octal digits with which the owner can read.
    package static let pattern = "^0?[4-7][0-7]{2}$"

    private static func mode(_ node: Node, _ reader: Reader, _ job: JobName) -> Int? {
        guard let text = reader.string(node) else { return nil }
        guard (3...4).contains(text.utf8.count), let mode = Int(text, radix: 8), TreeEntry.modes.contains(mode),
            !text.hasPrefix("+"), !text.hasPrefix("-")
        else {
            reader.error(
                node, "job \(job): \(field): \"\(text)\" is not a mode",
                note: "three octal digits, such as \"640\" or \"0640\"")
            return nil
        }
        if mode & 0o400 == 0 {
            reader.error(
                node, "job \(job): \(field): with the mode \(text) the worker's user could not read the file",
                note: "add 0400: files are compared before each rollout")
            return nil
        }
        return mode
    }

    /// The mode of a path; nil if nothing says one.
    package func mode(of path: String) -> Int? {
        if TreePath.isOfHooks(path) { return nil }
        return rules.last { $0.glob.matches(path) }?.mode
    }

    /// The tree with these modes.
    package func applied(to tree: Tree) -> Tree {
        if rules.isEmpty { return tree }
        return tree.with(tree.entries.map { entry in mode(of: entry.path).map(entry.with) ?? entry })
    }
}

extension TreeEntry {
    /// The same file with a mode; what is no file stays as it is.
    package func with(mode: Int) -> TreeEntry {
        let kind: Kind
        switch self.kind {
        case .file, .executable: kind = mode & 0o100 != 0 ? .executable : .file
        case .sealed: kind = .sealed
        case .symlink, .emptyDirectory: return self
        }
        return TreeEntry(path: path, kind: kind, digest: digest, size: size, mode: mode)
    }
}
