public import Model
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

    /// What runs around stops of a job's allocations and when they were stopped, for a job of the workspace that has such hooks.
    public struct StopHooks: Equatable, Sendable {
        public var job: JobName
        /// Seconds that each may take.
        public var timeout: Int
        /// Tree of the whole `_modules` folder.
        public var modules: Digest
        /// When an allocation was stopped.
        public var commands: [Hook]
        /// Around the stops; of the events of `events` only. With `commands` at least one.
        public var around: [HookEvent: [Hook]]

        public init(
            job: JobName, timeout: Int, modules: Digest, commands: [Hook], around: [HookEvent: [Hook]] = [:]
        ) {
            self.job = job
            self.timeout = timeout
            self.modules = modules
            self.commands = commands
            self.around = around
        }

        /// What can run around a stop: what is stopped is never found well.
        public static let events = HookEvent.around.filter { $0 != .afterAllocationHealthy }

        /// Those of one event.
        public subscript(_ event: HookEvent) -> [Hook] {
            event == .afterAllocationStopped ? commands : around[event] ?? []
        }

        /// All of them, in the order in which they run.
        public var all: [Hook] { HookEvent.allCases.flatMap { self[$0] } }
    }

    /// Whether anything of the plan runs on the controller.
    public var hasHooks: Bool {
        let back = wayBack.map { $0.stopHooks.isEmpty && !$0.waves.hasHooks } ?? true
        return !stopHooks.isEmpty || waves.hasHooks || !back
    }

    /// The hooks that run when allocations of the job are stopped; nil where it has none.
    public func stopHooks(of job: JobName) -> StopHooks? { stopHooks.first { $0.job == job } }

    /// The hooks of each job that has any, those of stops apart from the others.
    public var hooksOfJobs: [(job: JobName, modules: Digest, hooks: [Hook])] {
        stopHooks.map { ($0.job, $0.modules, $0.all) }
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

extension [Plan.Wave] {
    fileprivate var hasHooks: Bool { contains { $0.jobs.contains { $0.hooks != nil } } }
}

extension Plan.Job {
    /// The job's hooks of one event.
    public func hooks(_ event: HookEvent) -> [Plan.Hook] { hooks?[event] ?? [] }

    /// For how many allocations the hooks of an event would run; 0 where nothing of the rollout calls them.
    public func allocations(of event: HookEvent) -> Int {
        switch event {
        case .preDeploy: phases.isEmpty || isOperated ? 0 : active.count + disabled.count
        case .healthCheck: healthCheck == nil ? 0 : active.count
        case .postDeploy, .cli, .postBuild: isOperated ? 0 : active.count + disabled.count
        case .jobControl: isJobControl ? phases.reduce(0) { $0 + $1.batches.joined().count } : 0
        case .afterAllocationStarted:
            isJobControl || isOperated ? 0 : phases.reduce(0) { $0 + $1.batches.joined().count(where: runs) }
        case .beforeBatch, .beforeAllocation, .afterAllocationHealthy, .afterAllocation:
            phases.reduce(0) { $0 + $1.batches.joined().count(where: runs) }
        // Stops belong to no job's rollout: they may be of a job that is gone.
        case .afterAllocationStopped: 0
        }
    }

    /// Whether anything runs around a batch or around its allocations.
    public var hasHooksAround: Bool { HookEvent.around.contains { !hooks($0).isEmpty } }

    /// Commands that may set another order in the place of the plan's, before the first batch is cut.
    public var orderingCommands: [String] { phases.isEmpty ? [] : hooks(.preDeploy).map(\.command) }
}

extension HookEvent {
    /// Events whose hooks run for disabled allocations, too.
    public static let ofDisabled: [HookEvent] = [.preDeploy, .postDeploy, .cli, .postBuild]
}

/// Which files of a job are scripts of commands.
public enum HookScript {
    /// What the names of commands begin with -> the folder of their scripts, in the job's: of the first and of the second
    /// generation of Maand.
    public static let folders = [("command_", "_modules"), ("hook_", "_hooks")]

    /// The folder of the script of a command; nil if no command has such a name.
    public static func folder(of command: String) -> String? { folders.first { command.hasPrefix($0.0) }?.1 }

    /// Endings of scripts whose interpreter is known; a file without one is executed itself.
    public static let suffixes = [".py", ".ts", ".js", ".sh"]
}

// MARK: Fields

extension Plan.Hook: Record, FieldValue {
    static let title = "hook"
    static let meaning = "A command of the job, which runs on the controller."
    static var blank: Plan.Hook { Plan.Hook(command: "", script: "", digest: .blank) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("command", &command, .text(.command), "the name")
        fields.required("script", &script, .text(.script), "the file in `_modules` or `_hooks`")
        fields.required("digest", &digest, "the SHA-256 of that file")
        fields.flag("repeatable", &isRepeatable, "the hook may run again when its outcome is unknown")
    }

    /// The folder of its script, in the job's.
    public var folder: String { HookScript.folder(of: command) ?? HookScript.folders[0].1 }

    /// Its script, in the job's folder.
    public var path: String { "\(folder)/\(script)" }

    func check(_ report: RecordReport) {
        if script != command, !HookScript.suffixes.contains(where: { script == command + $0 }) {
            report.error("script", "`script` is the command's name, with one of the endings that scripts have")
        }
    }
}

extension Plan.Hooks: Record, FieldValue {
    static let title = "hooks"
    static let meaning = "Hooks of the rollout: for each event what runs, in this order."
    static let style = Emitter.Style.block
    static var blank: Plan.Hooks { Plan.Hooks(modules: .blank, commands: [:]) }
    static var fewestFields: Int? { 2 }
    /// Those of a rollout; what runs after stops is under `stop_hooks`.
    private static let events = HookEvent.allCases.filter { $0 != .afterAllocationStopped }

    mutating func visit(_ fields: inout some Fields) {
        fields.required(
            "modules", &modules, "the digest of the whole folder of the job's hooks, `_modules` or `_hooks`")
        for event in Self.events {
            fields.optional(event.rawValue, &commands[event, default: []], default: [], event.meaning)
        }
        commands = commands.filter { !$0.value.isEmpty }
    }

    func check(_ report: RecordReport) {
        if commands.isEmpty { report.error("`hooks` names no event") }
        for (event, hooks) in commands { hooks.check(event.rawValue, report) }
    }
}

extension Plan.StopHooks: Record, FieldValue {
    static let title = "stop_hooks"
    static var fewestFields: Int? { 4 }
    static let meaning = "Hooks that run around stops of a job, and when its allocations were stopped."
    static let style = Emitter.Style.block
    static var blank: Plan.StopHooks { Plan.StopHooks(job: .blank, timeout: 1, modules: .blank, commands: []) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &job, "a job with stops in `reconcile`")
        fields.required("timeout", &timeout, .integer(Plan.Timeouts.range), "seconds that each hook may take")
        fields.required(
            "modules", &modules, "the digest of the whole folder of the job's hooks, `_modules` or `_hooks`")
        fields.optional(
            "commands", &commands, ListType(element: RecordType(), style: .block, minimum: 1), default: [],
            "hooks that run when an allocation was stopped, in this order")
        for event in Self.events {
            fields.optional(event.rawValue, &around[event, default: []], default: [], event.meaning)
        }
        around = around.filter { !$0.value.isEmpty }
    }

    func check(_ report: RecordReport) {
        commands.check("commands", report)
        for event in Self.events { self[event].check(event.rawValue, report) }
        if all.isEmpty { report.error("commands", "`stop_hooks` of a job has at least one hook") }
    }
}

extension [Plan.Hook] {
    fileprivate func check(_ field: String, _ report: RecordReport) {
        if Set(map(\.command)).count < count { report.error(field, "a command is listed twice") }
    }
}

extension HookEvent {
    /// When hooks of the event run, for the reference.
    fileprivate var meaning: String {
        switch self {
        case .preDeploy: "before anything of the job is touched"
        case .beforeBatch: "once for each batch in which anything runs, before any of its allocations is touched"
        case .beforeAllocation: "before anything of an allocation is touched"
        case .afterAllocationHealthy: "when the gate has found an allocation well; without a gate, after the promote"
        case .afterAllocation: "last for each allocation of which anything has begun, whatever became of it"
        case .jobControl: "in place of Makefile targets, batch by batch"
        case .afterAllocationStarted: "when the targets of a batch have ended, before promoting"
        case .afterAllocationStopped: "when an allocation was stopped"
        case .healthCheck: "at each gate, after the checks"
        case .postDeploy: "after all batches and gates"
        case .cli: "the command of a plan of the kind `job_command`"
        case .postBuild: "the same, if `maand-plan prepare` runs it"
        }
    }
}
