internal import Model
internal import Plans
internal import YAML

/// The commands of a manifest: `commands`, or `hooks`.
extension ManifestReader {
    /// The two generations of Maand have other names for the field, the commands, their folder and what a demand names.
    func addCommands(_ fields: inout InputTable<Manifest>) {
        for (name, prefix) in [("commands", "command_"), ("hooks", "hook_")] {
            fields.optional(
                name, commands(prefix),
                """
                The job's [hooks](hooks.md) and demands. A command is called `\(prefix)NAME`, and its script lies in \
                `\(HookScript.folder(of: prefix) ?? "")`. A job has `commands` or `hooks`, the names of the first or of the second \
                generation of Maand.
                """
            ) { manifest, commands, _ in manifest.commands += commands }
        }
        fields.rule(
            .notBoth(
                ["hooks"], "commands", isMap: true,
                "job \(job): `commands` and `hooks` are the same setting, and both are there",
                note:
                    "move all to `hooks`: rename each command_<name> to hook_<name>, here and its script, and put the "
                    + "scripts into _hooks; or move all to `commands`, with command_<name> in _modules"))
        fields.optional(
            "after", \.after, predecessors,
            """
            Jobs that must be rolled out before this one, such as `["web"]`: [demands](#demands) without commands. A failure of \
            one of them blocks this job. Neither side needs a `version`, and the job cannot read values of the other.
            """)
    }

    private func commands(_ prefix: String) -> InputType<[Manifest.Command]> {
        let blank = Manifest.Command(name: "", events: [], node: reader.root)
        let names = commandName([prefix])
        return InputType(.map("name", keys: names, to: .object(command(blank).description))) { node in
            (reader.mapping(node)?.entries ?? []).compactMap { entry in
                if !entry.name.hasPrefix(prefix) || Name<Never>(entry.name) == nil {
                    reader.error(
                        entry.key, "job \(job): the command \"\(entry.name)\" has to be called \(prefix)<name>",
                        note: "letters, digits and `._:-` make a name, and its script is "
                            + (HookScript.folder(of: prefix).map { "\($0)/" } ?? "")
                            + "\(prefix)<name>.py, for instance")
                    return nil
                }
                return command(.init(name: entry.name, events: [], node: entry.key)).read(entry.value, reader)
            }
        }
    }

    /// What commands can be called, for schemas.
    func commandName(_ prefixes: [String] = HookScript.folders.map(\.0)) -> ValueDescription {
        .text("the name of a command", pattern: "^(\(prefixes.joined(separator: "|")))[A-Za-z0-9._:-]{0,120}$")
    }

    /// The fields of a command.
    ///
    /// - Parameter blank: the command before it is read.
    private func command(_ blank: Manifest.Command) -> InputTable<Manifest.Command> {
        InputTable("command", "When a command runs, and what it needs of other jobs.", blank: blank) { fields in
            fields.required(
                "executed_on", events(of: blank.name),
                """
                The [events](hooks.md) on which the command runs; `before_batch`, `before_allocation`, `after_allocation_healthy`, \
                `after_allocation` are [around an allocation](hooks.md#around-an-allocation), `post_build` is \
                [before planning](hooks.md#before-planning).
                """
            ) { command, events, _ in command.events = events }
            fields.optional(
                "demands", demand(of: blank.name),
                "Another job that must be rolled out before this one; a failure of it blocks this job."
            ) { command, demand, _ in command.demand = demand }
            fields.optional(
                "runtime", .text, "Means nothing: the ending of the script says what runs it."
            ) { command, runtime, node in
                if runtime.lowercased() == "python" { return }
                reader.warn(
                    node,
                    "job \(job): \(command.name): the ending of the script says what runs it, and not `runtime`")
            }
        }
    }

    private func events(of command: String) -> InputType<[Manifest.Event]> {
        let known = Manifest.Event.allCases.map(\.rawValue)
        return InputType(.list(of: .word(known), least: 1, isSet: true)) { node in
            guard let nodes = reader.sequence(node) else { return nil }
            if nodes.isEmpty { reader.error(node, "job \(job): \(command) names no event in executed_on") }
            var events: [Manifest.Event] = []
            for node in nodes {
                guard let text = reader.string(node) else { continue }
                guard let event = Manifest.Event(rawValue: text) else {
                    let note = nearest(text, known) ?? "events are " + known.joined(separator: ", ")
                    reader.error(node, "job \(job): \(command) names the unknown event \"\(text)\"", note: note)
                    continue
                }
                if events.contains(event) {
                    reader.error(
                        node, "job \(job): \(command) names the event \(text) twice", note: "remove one of them")
                } else {
                    events.append(event)
                }
            }
            return events
        }
    }

    /// The jobs of `after`, each once.
    private var predecessors: InputType<[Manifest.Predecessor]> {
        InputType(.list(of: .text.called("a job"), isSet: true)) { node in
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
    }
}

// MARK: Demands

extension ManifestReader {
    private struct DemandFields {
        var job: (text: String, node: Node)?
        var command: (text: String, node: Node)?
        var config: (bounds: Bounds, node: Node)?
    }

    /// What `config` says of the version of the demanded job.
    private struct Bounds {
        var minimum: (version: Version?, node: Node)?
        var maximum: (version: Version?, node: Node)?
    }

    private var demandFields: InputTable<DemandFields> {
        InputTable(
            "demands", "A job that must be rolled out before this one.", blank: DemandFields()
        ) { fields in
            fields.optional("job", .text, "The demanded job.") { $0.job = ($1, $2) }
            fields.optional("command", .text, "A command of that job. A demand has both or none.") {
                $0.command = ($1, $2)
            }
            fields.optional("hook", .text, "The same as `command`.") { demand, text, node in
                if demand.command == nil {
                    demand.command = (text, node)
                } else {
                    reader.warn(node, "unknown field \"hook\": it means nothing here")
                }
            }
            fields.optional("config", .object(bounds), "Limits, and what the demanded job's hooks get.") {
                $0.config = ($1, $2)
            }
            let (job, command) = (JSON.filled("job"), JSON.anyOf([.filled("command"), .filled("hook")]))
            fields.described(by: .when(job, then: command))
            fields.described(by: .when(command, then: job))
        }
    }

    private var bounds: InputTable<Bounds> {
        InputTable(
            "config", "Limits of the demanded job's version. Other fields are for its hooks.", blank: Bounds(),
            isOpen: true
        ) { fields in
            let version = InputType<Version?>(
                .either([.version, .integer(0...Int.max)]), read: { .some(bound($0)) })
            fields.optional("min_version", version, "The lowest version, such as `\"15\"`.") { $0.minimum = ($1, $2) }
            fields.optional("max_version", version, "The highest version.") { $0.maximum = ($1, $2) }
        }
    }

    private func demand(of command: String) -> InputType<Manifest.Demand> {
        let table = demandFields
        return InputType(.object(table.description)) { node in
            guard let fields = table.read(node, reader) else { return nil }
            let (job, upstream) = (fields.job?.text ?? "", fields.command?.text ?? "")
            if job.isEmpty != upstream.isEmpty {
                reader.error(
                    fields.job?.node ?? fields.command?.node ?? node,
                    "job \(self.job): \(command): demands.job and demands.command have to be set both or not at all",
                    note: fields.command == nil ? "`command`, or `hook`, names a command of the demanded job" : nil)
                return nil
            }
            if job == self.job.text {
                reader.error(
                    fields.job?.node ?? node, "job \(self.job): \(command) demands a command of its own job")
                return nil
            }
            var demand = Manifest.Demand(
                job: job, command: upstream, jobNode: fields.job?.node ?? node,
                commandNode: fields.command?.node ?? node)
            if let config = fields.config { limit(&demand, config.bounds, config.node, of: command) }
            return job.isEmpty ? nil : demand
        }
    }

    private func limit(_ demand: inout Manifest.Demand, _ bounds: Bounds, _ node: Node, of command: String) {
        demand.config = node.json
        (demand.minimum, demand.minimumNode) = (bounds.minimum?.version, bounds.minimum?.node)
        (demand.maximum, demand.maximumNode) = (bounds.maximum?.version, bounds.maximum?.node)
        if let minimum = demand.minimum, let maximum = demand.maximum, maximum < minimum {
            reader.error(
                demand.minimumNode ?? node,
                "job \(job): \(command): min_version \(minimum.normalized) is above max_version "
                    + maximum.normalized)
        }
    }

    /// A version in a demand may be a number, too: 2 is 2.0.0.
    private func bound(_ node: Node) -> Version? {
        node.kind == .number ? integer(node, 0...Int.max).flatMap { Version(String($0)) } : version(node)
    }
}
