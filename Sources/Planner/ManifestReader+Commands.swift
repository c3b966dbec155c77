internal import Model
internal import Plans
internal import YAML

/// The commands of a manifest: `commands`, or `hooks`.
extension ManifestReader {
    /// The two generations of Maand have other names for the field, the commands, their folder and what a demand names.
    func readCommands(_ map: inout MappingReader, into manifest: inout Manifest) {
        let (first, second) = (map.optional("commands"), map.optional("hooks"))
        if let first, let second, reader.mapping(first)?.entries.isEmpty == false,
            reader.mapping(second)?.entries.isEmpty == false
        {
            reader.error(
                second, "job \(job): `commands` and `hooks` are the same setting, and both are there",
                note:
                    "move all to `hooks`: rename each command_<name> to hook_<name>, here and its script, and put the "
                    + "scripts into _hooks; or move all to `commands`, with command_<name> in _modules")
        }
        manifest.commands =
            (first.map { commands($0, prefix: "command_") } ?? [])
            + (second.map { commands($0, prefix: "hook_") } ?? [])
    }

    private func commands(_ node: Node, prefix: String) -> [Manifest.Command] {
        var commands: [Manifest.Command] = []
        for entry in reader.mapping(node)?.entries ?? [] {
            if !entry.name.hasPrefix(prefix) || Name<Never>(entry.name) == nil {
                reader.error(
                    entry.key, "job \(job): the command \"\(entry.name)\" has to be called \(prefix)<name>",
                    note: "letters, digits and `._:-` make a name, and its script is "
                        + (HookScript.folder(of: prefix).map { "\($0)/" } ?? "") + "\(prefix)<name>.py, for instance")
                continue
            }
            guard var map = reader.mapping(entry.value) else { continue }
            let eventsNode = map.required("executed_on")
            let events = eventsNode.map { self.events($0, of: entry.name) } ?? []
            let demand = map.optional("demands").flatMap { self.demand($0, of: entry.name) }
            if let node = map.optional("runtime"), let runtime = reader.string(node), runtime.lowercased() != "python" {
                reader.warn(
                    node, "job \(job): \(entry.name): the ending of the script says what runs it, and not `runtime`")
            }
            map.finish()
            commands.append(.init(name: entry.name, events: events, demand: demand, node: entry.key))
        }
        return commands
    }

    private func events(_ node: Node, of command: String) -> [Manifest.Event] {
        guard let nodes = reader.sequence(node) else { return [] }
        if nodes.isEmpty { reader.error(node, "job \(job): \(command) names no event in executed_on") }
        var events: [Manifest.Event] = []
        for node in nodes {
            guard let text = reader.string(node) else { continue }
            let known = Manifest.Event.allCases.map(\.rawValue)
            guard let event = Manifest.Event(rawValue: text) else {
                let note = nearest(text, known) ?? "events are " + known.joined(separator: ", ")
                reader.error(node, "job \(job): \(command) names the unknown event \"\(text)\"", note: note)
                continue
            }
            if events.contains(event) {
                reader.error(node, "job \(job): \(command) names the event \(text) twice", note: "remove one of them")
            } else {
                events.append(event)
            }
        }
        return events
    }

    /// The jobs of `after`, each once.
    func predecessors(_ node: Node) -> [Manifest.Predecessor] {
        var found: [Manifest.Predecessor] = []
        for node in reader.sequence(node) ?? [] {
            guard let name = reader.string(node) else { continue }
            if name == job.text {
                reader.error(node, "job \(job): after names the job itself")
            } else if found.contains(where: { $0.job == name }) {
                reader.error(node, "job \(job): after names the job \"\(name)\" twice")
            } else {
                found.append(.init(job: name, node: node))
            }
        }
        return found
    }

    private func demand(_ node: Node, of command: String) -> Manifest.Demand? {
        guard var map = reader.mapping(node) else { return nil }
        let jobNode = map.optional("job")
        let commandNode = map.optional("command") ?? map.optional("hook")
        let job = jobNode.flatMap(reader.string) ?? ""
        let upstream = commandNode.flatMap(reader.string) ?? ""
        let config = map.optional("config")
        map.finish()
        if job.isEmpty != upstream.isEmpty {
            reader.error(
                jobNode ?? commandNode ?? node,
                "job \(self.job): \(command): demands.job and demands.command have to be set both or not at all",
                note: commandNode == nil ? "`command`, or `hook`, names a command of the demanded job" : nil)
            return nil
        }
        if job == self.job.text {
            reader.error(jobNode ?? node, "job \(self.job): \(command) demands a command of its own job")
            return nil
        }
        var demand = Manifest.Demand(
            job: job, command: upstream, jobNode: jobNode ?? node, commandNode: commandNode ?? node)
        if let config, !reader.isNull(config) { demand.config = config.json }
        // Other keys of `config` are for the hooks of the upstream job.
        for entry in config.flatMap({ reader.isNull($0) ? nil : reader.mapping($0) })?.entries ?? [] {
            switch entry.name {
            case "min_version": (demand.minimum, demand.minimumNode) = (bound(entry.value), entry.value)
            case "max_version": (demand.maximum, demand.maximumNode) = (bound(entry.value), entry.value)
            default: break
            }
        }
        if let minimum = demand.minimum, let maximum = demand.maximum, maximum < minimum {
            reader.error(
                demand.minimumNode ?? node,
                "job \(self.job): \(command): min_version \(minimum.normalized) is above max_version "
                    + maximum.normalized)
        }
        return job.isEmpty ? nil : demand
    }

    /// A version in a demand may be a number, too: 2 is 2.0.0.
    private func bound(_ node: Node) -> Version? {
        node.kind == .number ? integer(node, 0...Int.max).flatMap { Version(String($0)) } : version(node)
    }
}
