internal import Model
internal import Plans
internal import YAML

/// The commands of a job, with their scripts.
struct JobHooks: Sendable {
    /// The tree of the files of its hooks.
    let modules: Tree
    /// Of every event, in the order of the manifest.
    private let commands: [HookEvent: [Plan.Hook]]

    /// Finds the scripts of the manifest's commands; what is wrong with them is recorded at the command.
    ///
    /// - Parameter tree: of the whole job.
    init(_ manifest: Manifest, job: JobName, tree: Tree, _ reader: Reader) {
        let entries = tree.entries.filter { TreePath.isOfHooks($0.path) }
        modules = Tree(entries)
        // Of two spellings of one name either does: they are reported.
        let files = Dictionary(entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        var commands: [HookEvent: [Plan.Hook]] = [:]
        for command in manifest.commands {
            let hook = Self.script(of: command, in: files, job, reader).map { script, entry in
                Plan.Hook(
                    command: command.name, script: script, digest: entry.digest, isRepeatable: command.isRepeatable)
            }
            guard let hook else { continue }
            for event in command.events { if let event = event.hookEvent { commands[event, default: []].append(hook) } }
        }
        self.commands = commands
        if commands[.jobControl] != nil, let unused = commands[.afterAllocationStarted]?.first {
            reader.warn(
                manifest.commands.first { $0.name == unused.command }?.node ?? reader.root,
                "job \(job): \(unused.command) never runs after allocations are started, since the job has a command for "
                    + HookEvent.jobControl.rawValue)
        }
    }

    subscript(_ event: HookEvent) -> [Plan.Hook] { commands[event] ?? [] }

    /// Whether any command is in Python.
    var usePython: Bool { commands.values.joined().contains(where: \.isPython) }

    /// Hooks of these events; nil where there are none.
    func hooks(of events: [HookEvent]) -> Plan.Hooks? {
        let chosen = commands.filter { events.contains($0.key) }
        return chosen.isEmpty ? nil : Plan.Hooks(modules: modules.digest, commands: chosen)
    }

    private static func script(
        of command: Manifest.Command, in files: [String: TreeEntry], _ job: JobName, _ reader: Reader
    ) -> (name: String, TreeEntry)? {
        guard let folder = HookScript.folder(of: command.name) else { return nil }
        let candidates = ([""] + HookScript.suffixes).compactMap { suffix -> (name: String, TreeEntry)? in
            let name = command.name + suffix
            return files["\(folder)/\(name)"].map { (name, $0) }
        }
        guard let (name, entry) = candidates.first else {
            reader.error(
                command.node, "job \(job): \(command.name) has no script",
                note: "it belongs in \(folder)/\(command.name), as an executable, or with one of the endings "
                    + HookScript.suffixes.joined(separator: ", "))
            return nil
        }
        if candidates.count > 1 {
            reader.error(
                command.node,
                "job \(job): \(command.name) has several scripts: "
                    + candidates.map { "\(folder)/\($0.name)" }.joined(separator: ", "))
            return nil
        }
        switch entry.kind {
        case .executable: return (name, entry)
        case .file:
            if name != command.name { return (name, entry) }
            reader.error(
                command.node, "job \(job): \(folder)/\(name) is not executable",
                note: "`chmod +x` it, or give it one of the endings " + HookScript.suffixes.joined(separator: ", "))
        case .symlink, .emptyDirectory, .sealed:
            reader.error(command.node, "job \(job): \(folder)/\(name) is not a regular file")
        }
        return nil
    }
}
