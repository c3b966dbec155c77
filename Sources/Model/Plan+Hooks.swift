internal import YAML

extension Plan {
    /// A command of a job: users' code that runs on the controller.
    public struct Hook: Hashable, Sendable {
        /// `command_<name>`
        public var command: String
        /// Its file within `_modules`.
        public var script: String
        /// SHA-256 of that file.
        public var digest: Digest
        /// May be run again where it is unknown whether it ran.
        public var isRepeatable: Bool

        /// Whether Python runs it.
        public var isPython: Bool { script.hasSuffix(".py") }

        public init(command: String, script: String, digest: Digest, isRepeatable: Bool = false) {
            self.command = command
            self.script = script
            self.digest = digest
            self.isRepeatable = isRepeatable
        }
    }

    /// The hooks of a job that a rollout runs, and the folder that they run from.
    public struct Hooks: Equatable, Sendable {
        /// The tree of the job's `_modules`, with paths as in the job's folder: it binds what scripts import, too.
        public var modules: Digest
        /// In the order of the manifest, which is the order in which they run.
        public var commands: [HookEvent: [Hook]]

        public init(modules: Digest, commands: [HookEvent: [Hook]]) {
            self.modules = modules
            self.commands = commands
        }

        /// The commands of an event, in the manifest's order.
        public subscript(_ event: HookEvent) -> [Hook] { commands[event] ?? [] }
    }

    /// What runs when allocations of a job were stopped, for a job of the workspace that has such hooks.
    public struct StopHooks: Equatable, Sendable {
        public var job: JobName
        /// Seconds that each may take.
        public var timeout: Int
        /// Tree of the whole `_modules` folder.
        public var modules: Digest
        /// At least one.
        public var commands: [Hook]

        public init(job: JobName, timeout: Int, modules: Digest, commands: [Hook]) {
            self.job = job
            self.timeout = timeout
            self.modules = modules
            self.commands = commands
        }
    }

    /// Whether anything of the plan runs on the controller.
    public var hasHooks: Bool { !stopHooks.isEmpty || waves.contains { $0.jobs.contains { $0.hooks != nil } } }

    /// The hooks that run when allocations of the job are stopped; nil where it has none.
    public func stopHooks(of job: JobName) -> StopHooks? { stopHooks.first { $0.job == job } }

    /// The hooks of each job that has any, those of stops apart from the others.
    public var hooksOfJobs: [(job: JobName, modules: Digest, hooks: [Hook])] {
        stopHooks.map { ($0.job, $0.modules, $0.commands) }
            + waves.lazy.flatMap(\.jobs).compactMap { job in
                job.hooks.map { hooks in (job.job, hooks.modules, HookEvent.allCases.flatMap { hooks[$0] }) }
            }
    }

    /// Jobs with a hook in Python, each once, in the order of the plan.
    public var jobsWithPython: [JobName] {
        var seen = Set<JobName>()
        return hooksOfJobs.filter { $0.hooks.contains(where: \.isPython) }.map(\.job).filter {
            seen.insert($0).inserted
        }
    }

    /// Every `_modules` folder that the plan binds, with its job.
    public var modules: [(job: JobName, tree: Digest)] { hooksOfJobs.map { ($0.job, $0.modules) } }
}

extension Plan.Job {
    /// The job's hooks of one event.
    public func hooks(_ event: HookEvent) -> [Plan.Hook] { hooks?[event] ?? [] }

    /// For how many allocations the hooks of an event would run; 0 where nothing of the rollout calls them.
    public func allocations(of event: HookEvent) -> Int {
        switch event {
        case .preDeploy: phases.isEmpty ? 0 : active.count
        case .healthCheck: healthCheck == nil ? 0 : active.count
        case .postDeploy, .cli: active.count
        case .jobControl: isJobControl ? phases.reduce(0) { $0 + $1.batches.joined().count } : 0
        case .afterAllocationStarted:
            isJobControl ? 0 : phases.reduce(0) { $0 + $1.batches.joined().count(where: runs) }
        // Stops belong to no job's rollout: they may be of a job that is gone.
        case .afterAllocationStopped: 0
        }
    }

    /// Commands that may set another order in the place of the plan's, before the first batch is cut.
    public var orderingCommands: [String] { phases.isEmpty ? [] : hooks(.preDeploy).map(\.command) }
}

// MARK: YAML

extension Plan.Hook {
    fileprivate func emit(into out: inout Emitter) {
        out.mappingItem(.flow) { out in
            out.field("command", .string(command))
            out.field("script", .string(script))
            out.field("digest", .string(digest.description))
            if isRepeatable { out.field("repeatable", .bool(true)) }
        }
    }
}

extension Plan.Hooks {
    func emit(into out: inout Emitter) {
        out.mapping("hooks") { out in
            out.field("modules", .string(modules.description))
            for event in HookEvent.allCases where !self[event].isEmpty {
                out.sequence(event.rawValue) { out in for hook in self[event] { hook.emit(into: &out) } }
            }
        }
    }
}

extension Plan.StopHooks {
    func emit(into out: inout Emitter) {
        out.mappingItem { out in
            out.field("job", .string(job.text))
            out.field("timeout", .int(timeout))
            out.field("modules", .string(modules.description))
            out.sequence("commands") { out in for hook in commands { hook.emit(into: &out) } }
        }
    }
}

extension PlanReader {
    func hooks(_ node: Node) -> Plan.Hooks? {
        fields(node) { map in
            let modules = modules(&map)
            var commands: [HookEvent: [Plan.Hook]] = [:]
            for event in HookEvent.allCases {
                guard let node = map.optional(event.rawValue) else { continue }
                guard let hooks = hookList(node) else { return nil }
                commands[event] = hooks
            }
            guard let modules else { return nil }
            if commands.isEmpty { reader.error(node, "`hooks` names no event") }
            return Plan.Hooks(modules: modules, commands: commands)
        }
    }

    func stopHooks(_ node: Node) -> Plan.StopHooks? {
        fields(node) { map in
            let job: JobName? = name(map.required("job"))
            let timeout = integer(map.required("timeout"), Plan.Timeouts.range)
            let modules = modules(&map)
            let commands = map.required("commands").flatMap(hookList)
            return all(job, timeout, modules, commands).map(Plan.StopHooks.init)
        }
    }

    private func modules(_ map: inout MappingReader) -> Digest? {
        guard let node = map.required("modules"), let text = string(node) else { return nil }
        return digest(node, text)
    }

    private func hookList(_ node: Node) -> [Plan.Hook]? {
        guard let hooks = list(node, hook) else { return nil }
        if hooks.isEmpty { reader.error(node, "a list of hooks has at least one") }
        if Set(hooks.map(\.command)).count < hooks.count { reader.error(node, "a command is listed twice") }
        return hooks
    }

    private func hook(_ node: Node) -> Plan.Hook? {
        fields(node) { map in
            let command = command(map.required("command"))
            let scriptNode = map.required("script")
            let script = string(scriptNode)
            let digestNode = map.required("digest")
            let digest = digestNode.flatMap { node in string(node).flatMap { self.digest(node, $0) } }
            let isRepeatable = map.optional("repeatable").flatMap(boolean) ?? false
            guard let command, let script, let digest else { return nil }
            if let scriptNode, script != command, !HookScript.suffixes.contains(where: { script == command + $0 }) {
                reader.error(scriptNode, "`script` is the command's name, with one of the endings that scripts have")
            }
            return Plan.Hook(command: command, script: script, digest: digest, isRepeatable: isRepeatable)
        }
    }

    /// A command's name; it becomes part of step ids and of paths.
    func command(_ node: Node?) -> String? {
        guard let node, let text = string(node) else { return nil }
        guard text.hasPrefix(HookScript.prefix), Name<Never>(text) != nil else {
            reader.error(node, "a command is called command_<name>, of letters, digits and `._:-`")
            return nil
        }
        return text
    }
}

/// Which files of `_modules` are commands.
public enum HookScript {
    /// Where a job's scripts are, in its folder.
    public static let folder = "_modules"
    /// What the names of all commands begin with.
    public static let prefix = "command_"
    /// Endings of scripts whose interpreter is known; a file without one is executed itself.
    public static let suffixes = [".py", ".ts", ".js", ".sh"]
}
