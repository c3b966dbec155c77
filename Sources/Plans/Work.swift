public import Model

/// What a plan does, by its kind. Each kind has a file below `Kinds`: its contents, its soundness, and what was asked for.
public enum Work: Equatable, Sendable {
    case deploy(Deploy)
    case jobCommand(JobCommand)

    /// Work with nothing to do.
    init(blank kind: PlanKind) {
        switch kind {
        case .deploy: self = .deploy(Deploy())
        case .jobCommand: self = .jobCommand(JobCommand())
        }
    }

    /// The word for the kind in the file.
    public var kind: PlanKind {
        switch self {
        case .deploy: .deploy
        case .jobCommand: .jobCommand
        }
    }

    /// What was asked of the planner: to ask the same again gives the same work as long as nothing changed.
    public var request: PlanRequest {
        switch self {
        case .deploy(let deploy): .deploy(deploy.options)
        case .jobCommand(let command): .jobCommand(command.job.job, command: command.command)
        }
    }

    /// The contents, as they are in the file. A job command has the form of a deploy there.
    package var body: Deploy {
        get {
            switch self {
            case .deploy(let deploy): deploy
            case .jobCommand(let command): command.body
            }
        }
        set {
            switch self {
            case .deploy: self = .deploy(newValue)
            case .jobCommand: self = .jobCommand(JobCommand(body: newValue))
            }
        }
    }

    /// Whether the contents are sound, and belong to this kind.
    func check(_ plan: Plan, _ report: RecordReport) {
        body.check(plan.fleet, report)
        switch self {
        case .deploy(let deploy): deploy.checkKind(report)
        case .jobCommand(let command): command.checkKind(report)
        }
    }
}

/// What a planner can be asked for.
public enum PlanRequest: Equatable, Sendable {
    /// To bring the workers to the workspace.
    case deploy(Plan.Options)
    /// To run a command of a job, once for each active allocation.
    case jobCommand(JobName, command: String)
}

extension Plan {
    /// What the plan is for.
    public var kind: PlanKind { work.kind }
    /// Workers that go by another name, before anything else; by the old name.
    public var renames: [Rename] { work.body.renames }
    /// Stops of disabled and removed allocations, before the first wave.
    public var reconcile: [Stop] { work.body.reconcile }
    /// Hooks of jobs with stops, in the order of the stops.
    public var stopHooks: [StopHooks] { work.body.stopHooks }
    /// Ascending by `deploymentSequence`.
    public var waves: [Wave] { work.body.waves }
    /// Counted from the rest.
    public var summary: Summary { work.body.summary }
    /// Whether the plan changes nothing and probes nothing.
    public var isEmpty: Bool { renames.isEmpty && reconcile.isEmpty && waves.isEmpty }
}
