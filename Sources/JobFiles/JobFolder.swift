public import Model
internal import YAML

/// A file of a job that is rendered for each allocation.
public struct JobTemplate: Sendable {
    public static let suffix = ".tpl"
    /// Bytes of a template, at most.
    public static let maximumSize = 1 << 20

    /// What it becomes, relative to the job's folder.
    public let path: String
    public let isExecutable: Bool
    public let bytes: [UInt8]
}

/// The content of a job's folder, read once.
public struct JobFolder: Sendable {
    /// All files, and folders without entries of their own.
    private let entries: [TreeEntry]
    /// The modes that the manifest gives to files.
    private var modes = FileModes()
    /// Texts of the symbolic links, by path.
    public let links: [String: [UInt8]]
    /// Files that become others: `*.tpl`. They are not in the trees.
    public let templates: [JobTemplate]
    /// Virtual environments directly below `_modules`, by path: they are no content, and no hook runs with them.
    public let venvs: [String]

    /// Where Maand looks for the interpreter of a job's hooks.
    private static let venvPaths = TreePath.hookFolders.flatMap { ["\($0)/.venv", "\($0)/venv"] }

    /// The virtual environments that a job has in a workspace, as paths in the job's folder.
    public static func venvs(of job: JobName, in workspace: String) -> [String] {
        let files = Files(below: workspace)
        return venvPaths.filter { path in
            do throws(Files.Problem) {
                _ = try files.kind("jobs/\(job)/\(path)")
                return true
            } catch {
                return !error.isMissing
            }
        }
    }

    /// Folders of a job that never belong to its content: the worker's own, at the top.
    private static let runtime: Set<String> = ["data", "logs"]
    /// Folders that tools leave behind, at any depth. (Of `.venv` see `TreePath.counts`.)
    private static let residue: Set<String> = ["venv", "node_modules", "__pycache__"]

    /// Most paths that one job may have.
    static let maximumEntries = 200_000
    /// Bytes of one file that is deployed, at most.
    static let maximumFile = 4 << 30

    /// Walks the folder of a job in a workspace without following links.
    public static func read(_ job: JobName, of workspace: String, into findings: inout Findings) -> JobFolder {
        let folder = "jobs/\(job)"
        var walk = Walk(
            files: Files(below: workspace), folder: folder, shown: "\(workspace)/\(folder)", job: job,
            findings: findings)
        walk.enter("", depth: 0)
        walk.checkTemplates()
        findings = walk.findings
        return JobFolder(
            entries: walk.entries, links: walk.links, templates: walk.templates, venvs: walk.venvs)
    }

    /// By which rules a tree is made of the folder.
    public enum Rules: CaseIterable, Sendable {
        /// Hooks are part of the tree and stay on the controller. Virtual environments are no part of it, nor is what Prometheus
        /// reads.
        case present
        /// The same, but workers have files as Maand pushes them: executable, and in the place of a link what it leads to. For jobs
        /// that were taken over from it.
        case maand
        /// All files are pushed: so it was up to 0.3.0.
        case first
    }

    /// The content of the job but for files that are rendered.
    public func tree(by rules: Rules = .present) -> Tree {
        switch rules {
        case .first: return modes.applied(to: Tree(entries))
        case .present: return modes.applied(to: Tree(entries.filter { TreePath.counts($0.path) }, keepsHooks: true))
        case .maand:
            let entries = entries.filter { TreePath.counts($0.path) }.map { entry in
                if TreePath.isOfHooks(entry.path) { return entry }
                switch entry.kind {
                case .file: return entry.with(mode: 0o755)
                case .symlink:
                    return file(behind: entry).map {
                        TreeEntry(path: entry.path, kind: .executable, digest: $0.digest, size: $0.size)
                    } ?? entry
                case .executable, .sealed, .emptyDirectory: return entry
                }
            }
            return modes.applied(to: Tree(entries, keepsHooks: true))
        }
    }

    /// The path of the file that has the bytes of an entry of a tree: another one if the entry stands for what a link leads to.
    public func source(of entry: TreeEntry) -> String {
        guard entry.kind.isFile, links[entry.path] != nil,
            let link = entries.first(where: { $0.path == entry.path && $0.kind == .symlink })
        else { return entry.path }
        return file(behind: link)?.path ?? entry.path
    }

    /// The file of the job to which a link leads, also through others; nil if there is none.
    private func file(behind link: TreeEntry) -> TreeEntry? {
        var entry = link
        for _ in 0..<8 {
            if entry.kind.isFile { return entry }
            guard let text = links[entry.path],
                let target = TreePath.target(ofLink: text, at: entry.path),
                let next = entries.first(where: { $0.path == target })
            else { return nil }
            entry = next
        }
        return nil
    }

    /// Gives the files that are pushed the modes of the manifest.
    package mutating func apply(_ modes: FileModes) { self.modes = modes }

    /// The same with those that the job's manifest has in a workspace; nothing if it cannot be read.
    public mutating func applyModes(of workspace: String, _ job: JobName) {
        let path = "jobs/\(job)/manifest.json"
        guard let bytes = try? Files(below: workspace).read(path, limit: InputLimits.standard.bytes),
            let root = try? JSONDocument.parse(bytes, file: path, limits: .standard)
        else { return }
        let reader = Reader(root: root, source: bytes, file: path, rules: .go)
        guard var map = reader.mapping(root), let node = map.optional(FileModes.field) else { return }
        apply(FileModes(node, reader, job: job))
    }

    /// Whether a folder holds a tree and nothing else: also nothing of what is left out of a job's folder.
    public static func isCopy(_ folder: String, of tree: Tree) -> Bool {
        // The name only serves messages, and none is shown.
        guard let job = JobName("copy") else { return false }
        var walk = Walk(
            files: Files(below: folder), folder: "", shown: folder, job: job, findings: Findings(), isCopy: true)
        walk.enter("", depth: 0)
        return walk.findings.errors.isEmpty && Tree(walk.entries) == tree
    }

    private struct Walk {
        let files: Files
        /// The job's own, below that of `files`.
        let folder: String
        let shown: String
        let job: JobName
        var findings: Findings
        /// Everything counts, and a template is a file.
        var isCopy = false
        var entries: [TreeEntry] = []
        var links: [String: [UInt8]] = [:]
        var templates: [JobTemplate] = []
        var venvs: [String] = []

        /// Reads one folder of the job; `path` is empty for the job's own.
        mutating func enter(_ path: String, depth: Int) {
            let names: [[UInt8]]
            do throws(Files.Problem) {
                names = try files.names(in: place(path))
            } catch {
                return report(path, "the folder cannot be read: \(error.message)")
            }
            if names.isEmpty, !path.isEmpty {
                entries.append(TreeEntry(path: path, kind: .emptyDirectory, digest: Digest.of([]), size: 0))
            }
            var seen = Set<String>()
            for name in names {
                guard let name = String(validating: name, as: UTF8.self) else {
                    report(path, "a name in this folder is not UTF-8: \(String(decoding: name, as: UTF8.self))")
                    continue
                }
                let (isNew, other) = seen.insert(name)
                if !isNew {
                    report(
                        path,
                        "two names in this folder look alike: \"\(Self.spelled(other))\" and "
                            + "\"\(Self.spelled(name))\" are spellings of one text in Unicode",
                        note: "give one of them another name, or remove it")
                }
                if entries.count >= JobFolder.maximumEntries {
                    return report(path, "the job has more than \(JobFolder.maximumEntries) paths")
                }
                visit(path.isEmpty ? name : path + "/" + name, name: name, depth: depth)
            }
        }

        /// A name with its characters outside of ASCII as numbers, so that spellings can be told apart.
        private static func spelled(_ name: String) -> String {
            name.unicodeScalars.map { $0.isASCII ? String($0) : $0.escaped(asASCII: true) }.joined()
        }

        private mutating func visit(_ path: String, name: String, depth: Int) {
            if let problem = TreePath.problem(path) { return report(path, "the path \(problem)") }
            do throws(Files.Problem) {
                let kind = try files.kind(place(path))
                if !isCopy {
                    if depth == 0, let problem = reserved(name, kind) { return report(path, problem) }
                    // A link of such a name, too: interpreters and packages lie where their tools put them.
                    if isExcluded(path, name: name, depth: depth) { return }
                }
                switch kind {
                case .file(let isExecutable, _):
                    if !isCopy, name.hasSuffix(JobTemplate.suffix), name != JobTemplate.suffix {
                        return try add(template: path, isExecutable: isExecutable)
                    }
                    let (digest, size) = try files.digest(place(path), limit: JobFolder.maximumFile)
                    entries.append(
                        TreeEntry(path: path, kind: isExecutable ? .executable : .file, digest: digest, size: size))
                case .symlink:
                    let target = try files.target(ofLink: place(path))
                    if let problem = problem(ofLinkTo: target, depth: depth) { return report(path, problem) }
                    links[path] = target
                    entries.append(
                        TreeEntry(path: path, kind: .symlink, digest: Digest.of(target), size: target.count))
                case .directory: enter(path, depth: depth + 1)
                case .other: report(path, "sockets, devices and named pipes cannot be deployed")
                }
            } catch {
                report(path, "cannot be read: \(error.message)")
            }
        }

        private mutating func add(template path: String, isExecutable: Bool) throws(Files.Problem) {
            if !TreePath.counts(path) { return }
            if TreePath.isOfHooks(path) {
                return report(
                    path, "templates in \(path.prefix { $0 != "/" }) are not supported",
                    note: "scripts ask for values when they run")
            }
            templates.append(
                JobTemplate(
                    path: String(path.dropLast(JobTemplate.suffix.count)), isExecutable: isExecutable,
                    bytes: try files.read(place(path), limit: JobTemplate.maximumSize)))
        }

        mutating func checkTemplates() {
            let paths = Set(entries.map(\.path))
            for template in templates {
                if template.path == "bin" || JobFolder.runtime.contains(template.path) {
                    report(
                        template.path + JobTemplate.suffix,
                        "the name \(template.path) is reserved at the top of a job's folder")
                }
                guard paths.contains(template.path) || paths.contains(where: { $0.hasPrefix(template.path + "/") })
                else { continue }
                report(
                    template.path + JobTemplate.suffix, "it becomes \(template.path), and that is there, too",
                    note: "remove one of them, or give it another name")
            }
        }

        /// Names at the top that belong to the worker.
        private func reserved(_ name: String, _ kind: Files.Kind) -> String? {
            if name == "bin" { return "the name bin is reserved at the top of a job's folder" }
            if case .directory = kind { return nil }
            return JobFolder.runtime.contains(name) ? "the name \(name) is reserved for a folder of the worker" : nil
        }

        private mutating func isExcluded(_ path: String, name: String, depth: Int) -> Bool {
            if depth == 0, JobFolder.runtime.contains(name) { return true }
            if JobFolder.venvPaths.contains(path) { venvs.append(path) }
            if name == ".venv", JobFolder.venvPaths.contains(path) { return true }
            guard JobFolder.residue.contains(name) else { return false }
            if name != "__pycache__", !TreePath.isOfHooks(path) {
                findings.warn(
                    "\(shown)/\(path)", "job \(job): folders of the name \(name) are not deployed",
                    note: "give it another name if the job needs it")
            }
            return true
        }

        /// A link may lead up only at its beginning, and not out of the job: whatever links it passes on its way down
        /// stay inside for the same reason.
        private func problem(ofLinkTo target: [UInt8], depth: Int) -> String? {
            guard let text = String(validating: target, as: UTF8.self) else { return "the link's target is not UTF-8" }
            if text.isEmpty || text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
                return "the link's target is empty or contains a control character"
            }
            if text.hasPrefix("/") { return "the link's target is absolute: \(text)" }
            let parts = text.split(separator: "/").filter { $0 != "." }
            let ups = parts.prefix { $0 == ".." }.count
            if ups > depth { return "the link leads out of the job's folder: \(text)" }
            return parts.dropFirst(ups).contains("..")
                ? "the link's target has `..` after other components: \(text)" : nil
        }

        private func place(_ path: String) -> String {
            folder.isEmpty ? path : path.isEmpty ? folder : folder + "/" + path
        }

        private mutating func report(_ path: String, _ message: String, note: String? = nil) {
            findings.error(path.isEmpty ? shown : "\(shown)/\(path)", "job \(job): \(message)", note: note)
        }
    }
}
