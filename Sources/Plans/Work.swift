public import Model

/// What a plan does, by its kind. Each kind has a file below `Kinds`: its contents, its soundness, and what was asked for.
public enum Work: Equatable, Sendable {
    case deploy(Deploy)
    case jobCommand(JobCommand)
    case operation(Operation)
    case runCommand(RunCommand)
    case reboot(Reboot)

    /// Work with nothing to do.
    init(blank kind: PlanKind) {
        switch kind {
        case .deploy: self = .deploy(Deploy())
        case .jobCommand: self = .jobCommand(JobCommand())
        case .restart, .start, .stop, .runTarget: self = .operation(Operation(blank: kind))
        case .runCommand: self = .runCommand(RunCommand())
        case .reboot: self = .reboot(Reboot())
        }
    }

    /// The word for the kind in the file.
    public var kind: PlanKind {
        switch self {
        case .deploy: .deploy
        case .jobCommand: .jobCommand
        case .operation(let operation): operation.verb.kind
        case .runCommand: .runCommand
        case .reboot: .reboot
        }
    }

    /// The kinds whose files have the same fields as this one's.
    var kindsWithSameFields: [PlanKind] {
        switch self {
        case .deploy, .jobCommand: [.deploy, .jobCommand]
        case .operation: [.restart, .start, .stop, .runTarget]
        case .runCommand: [.runCommand]
        case .reboot: [.reboot]
        }
    }

    /// What was asked of the planner: to ask the same again gives the same work as long as nothing changed.
    public var request: PlanRequest {
        switch self {
        case .deploy(let deploy):
            deploy.origin.map { .rollback($0.rollback, jobs: deploy.options.jobs) } ?? .deploy(deploy.options)
        case .jobCommand(let command): .jobCommand(command.job.job, command: command.command)
        case .operation(let operation): .operation(operation.verb, operation.options)
        case .runCommand(let command): .runCommand(command.command, command.options)
        case .reboot(let reboot): .reboot(reboot.rules, reboot.options)
        }
    }

    /// The contents, as they are in the file. What is no deploy has the form of one here, so that everything that goes
    /// through waves finds them in one place.
    package var body: Deploy {
        get {
            switch self {
            case .deploy(let deploy): deploy
            case .jobCommand(let command): command.body
            case .operation(let operation): operation.body
            case .runCommand(let command): command.body
            case .reboot(let reboot): reboot.body
            }
        }
        set {
            switch self {
            case .deploy: self = .deploy(newValue)
            case .jobCommand: self = .jobCommand(JobCommand(body: newValue))
            case .operation(var operation):
                operation.body = newValue
                self = .operation(operation)
            case .runCommand(var command):
                command.body = newValue
                self = .runCommand(command)
            case .reboot(var reboot):
                reboot.body = newValue
                self = .reboot(reboot)
            }
        }
    }

    /// Whether the contents are sound, and belong to this kind.
    func check(_ plan: Plan, _ report: RecordReport) {
        switch self {
        case .deploy(let deploy):
            deploy.check(plan.fleet, report, isReversed: deploy.origin != nil)
            deploy.checkKind(report)
            deploy.checkWayBack(plan, report)
        case .jobCommand(let command):
            command.body.check(plan.fleet, report)
            command.checkKind(report)
        case .operation(let operation):
            operation.body.check(plan.fleet, report, isReversed: operation.verb.isReversed)
            operation.checkKind(report)
        case .runCommand(let command): command.check(plan.fleet, report)
        case .reboot(let reboot): reboot.check(plan.fleet, report)
        }
    }

    /// The waves, as `Plan.waves`.
    package var waves: [Plan.Wave] { body.waves }

    /// What acts on workers as a whole; nil for other work.
    public var workerBatches: WorkerBatches? {
        switch self {
        case .deploy, .jobCommand, .operation: nil
        case .runCommand(let command): command.workers
        case .reboot(let reboot): reboot.workers
        }
    }
}

// MARK: Fields

extension Work {
    mutating func visitOptions(_ fields: inout some Fields) {
        switch self {
        case .deploy, .jobCommand: body.visitOptions(&fields)
        case .operation(var operation):
            operation.visitOptions(&fields)
            self = .operation(operation)
        case .runCommand(var command):
            command.visitOptions(&fields)
            self = .runCommand(command)
        case .reboot(var reboot):
            reboot.visitOptions(&fields)
            self = .reboot(reboot)
        }
    }

    mutating func visitSummary(_ fields: inout some Fields) {
        switch self {
        case .deploy, .jobCommand: body.visitSummary(&fields)
        case .operation(var operation):
            operation.visitSummary(&fields)
            self = .operation(operation)
        case .runCommand(var command):
            command.visitSummary(&fields)
            self = .runCommand(command)
        case .reboot(var reboot):
            reboot.visitSummary(&fields)
            self = .reboot(reboot)
        }
    }

    mutating func visitActions(_ fields: inout some Fields) {
        switch self {
        case .deploy, .jobCommand: body.visitActions(&fields)
        case .operation(var operation):
            operation.visitActions(&fields)
            self = .operation(operation)
        case .runCommand(var command):
            command.visitActions(&fields)
            self = .runCommand(command)
        case .reboot(var reboot):
            reboot.visitActions(&fields)
            self = .reboot(reboot)
        }
    }
}

/// What a planner can be asked for.
public enum PlanRequest: Equatable, Sendable {
    /// To bring the workers to the workspace.
    case deploy(Plan.Options)
    /// To take back what a run has begun, of these jobs or of all.
    case rollback(RunID, jobs: [JobName])
    /// To run a command of a job, once for each active allocation.
    case jobCommand(JobName, command: String)
    /// To run a target on what is deployed.
    case operation(Operation.Verb, Operation.Options)
    /// To run a command on workers.
    case runCommand(WorkerCommand, RunCommand.Options)
    /// To reboot workers.
    case reboot(Reboot.Rules, Reboot.Options)
}

extension Plan {
    /// What the plan is for.
    public var kind: PlanKind { work.kind }
    /// Workers that go by another name, before anything else; by the old name.
    public var renames: [Rename] { work.body.renames }
    /// The run that the plan takes back; nil for other plans.
    public var origin: Deploy.Origin? { work.body.origin }
    /// Whether its steps are a part of the run that they take back.
    var isPartOfRun: Bool { origin?.isPartOfRun == true }
    /// Whether jobs come before those that they demand.
    public var isReversed: Bool {
        switch work {
        case .deploy(let deploy): deploy.origin != nil
        case .operation(let operation): operation.verb.isReversed
        case .jobCommand, .runCommand, .reboot: false
        }
    }
    /// The way back if a job fails; nil if the run just stops.
    public var wayBack: WayBack? { work.body.wayBack }
    /// Whether stops come after the waves.
    public var stopsAreLast: Bool { work.body.options.stopsLast }
    /// Stops of disabled and removed allocations.
    public var reconcile: [Stop] { work.body.reconcile }
    /// Hooks of jobs with stops, in the order of the stops.
    public var stopHooks: [StopHooks] { work.body.stopHooks }
    /// Ascending by `deploymentSequence`.
    public var waves: [Wave] { work.body.waves }
    /// Allocations that stops and waves act on, in this order; each is listed once.
    public var acting: [AllocationID] { work.body.acting }
    /// Counted from the rest.
    public var summary: Summary { work.body.summary }
    /// Allocations that a person has stopped, and that the plan leaves so; by job.
    public var stoppedByHand: [Named<[WorkerName]>] {
        switch work {
        case .deploy(let deploy): deploy.stoppedByHand
        case .operation(let operation): operation.stopped
        case .reboot(let reboot): reboot.stopped
        case .jobCommand, .runCommand: []
        }
    }
    /// The jobs with anything to do.
    public var touchedJobs: Set<JobName> {
        Set(reconcile.map(\.allocation.job)).union(waves.lazy.flatMap(\.jobs).map(\.job))
    }
    /// Whether the plan changes nothing and probes nothing.
    public var isEmpty: Bool {
        if let workers = work.workerBatches { return workers.batches.isEmpty }
        return renames.isEmpty && reconcile.isEmpty && waves.isEmpty
    }
}
