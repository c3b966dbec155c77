public import Model

/// The smallest thing that is checkpointed: a value that has everything that its task needs.
public struct Step: Sendable {
    /// What is recorded; the same in every process that reads the plan.
    public let id: StepID
    /// What the step is about.
    public let subject: Subject
    /// What it does.
    public let task: StepTask

    /// The job that it is part of, also when that has left the workspace; nil for a step of a worker as a whole.
    public var job: JobName? { subject.job }

    /// Nil for a step of a job as a whole.
    public var worker: WorkerName? { subject.worker }

    /// Nil for a step of a job or of a worker as a whole.
    public var allocation: AllocationID? { subject.allocation }
}

/// What a step is about.
public enum Subject: Hashable, Sendable {
    case allocation(AllocationID)
    /// A job as a whole.
    case job(JobName)
    /// A worker as a whole.
    case worker(WorkerName)

    /// The job, or that of the allocation.
    public var job: JobName? {
        switch self {
        case .allocation(let allocation): allocation.job
        case .job(let job): job
        case .worker: nil
        }
    }

    /// The worker, or that of the allocation.
    public var worker: WorkerName? {
        switch self {
        case .allocation(let allocation): allocation.worker
        case .job: nil
        case .worker(let worker): worker
        }
    }

    /// Nil if it is no single allocation.
    public var allocation: AllocationID? {
        switch self {
        case .allocation(let allocation): allocation
        case .job, .worker: nil
        }
    }
}

extension Subject: CustomStringConvertible, Comparable {
    public var description: String {
        switch self {
        case .allocation(let allocation): allocation.description
        case .job(let job): job.text
        case .worker(let worker): worker.text
        }
    }

    /// By job, then by worker; workers as a whole come first.
    public static func < (a: Self, b: Self) -> Bool {
        (a.job?.text ?? "", a.worker?.text ?? "") < (b.job?.text ?? "", b.worker?.text ?? "")
    }
}

/// What a step does. Each task is a value with a file of its own, which says everything about it but how it is carried out.
public enum StepTask: Sendable {
    case push(Push)
    case target(Target)
    case hook(HookTask)
    case gate(GateTask)
    case bake(BakeTask)
    case order(OrderTask)
    case promote(Promote)
    case remove(Remove)
    case complete(Complete)
    case shell(ShellTask)
    case boot(BootNote)
    case reboot(RebootTask)
    case pause(Pause)

    /// What the task says of itself.
    public var rules: any TaskRules {
        switch self {
        case .push(let task): task
        case .target(let task): task
        case .hook(let task): task
        case .gate(let task): task
        case .bake(let task): task
        case .order(let task): task
        case .promote(let task): task
        case .remove(let task): task
        case .complete(let task): task
        case .shell(let task): task
        case .boot(let task): task
        case .reboot(let task): task
        case .pause(let task): task
        }
    }
}

/// What a task says of itself. The answers follow from the plan and from what is recorded of the run, so that every process
/// gives the same ones.
public protocol TaskRules: Sendable {
    /// The last part of the step's id.
    var verb: String { get }

    /// The job of which it is a part; nil for stops, whose job may have left the workspace.
    var job: Plan.Job? { get }

    /// What the plan takes the allocation to run before the task; nil for tasks of a job as a whole.
    var from: FromState? { get }

    /// What the allocation is made to run; for a stop, what runs there; nil for tasks of a job as a whole.
    var release: Release? { get }

    /// Whether the allocation's worker is asked for anything.
    var contactsWorker: Bool { get }

    /// About what a task asks that only looks; nil for all others.
    var probeScope: ProbeScope? { get }

    /// Who keeps the receipt of its attempts.
    var receipt: ReceiptKeeper? { get }

    /// What has to be true on the worker before the first step of an allocation begins.
    var precondition: Precondition? { get }

    /// By what the worker proves, before the promote, that it is the one on which the task ran.
    var proof: Proof? { get }

    /// Milliseconds that it takes at least.
    var leastMilliseconds: Int64 { get }

    /// Milliseconds that it may take.
    var limitMilliseconds: Int64 { get }

    /// What the catalog learns when an attempt begins.
    func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange]

    /// What the catalog learns when the task has succeeded.
    var changesAtSuccess: [CatalogChange] { get }
}

/// Who keeps the receipt of a task's attempts, and so knows what became of one.
public enum ReceiptKeeper: Sendable {
    /// The step's worker.
    case worker
    /// The host on which maand-apply runs.
    case controller
}

/// What has to be true on a worker before an allocation's first step.
public enum Precondition: Sendable {
    /// Each path is as the plan's `from` or as the target of the push.
    case files(Push)
    /// The Makefile is that of what was promoted: the stop runs it.
    case makefile(Plan.Stop)
    /// All files are those that were promoted.
    case promoted(OperatedAllocation)
}

/// By what a worker proves that it is the one on which a task ran.
public enum Proof: Sendable {
    /// By the files that were pushed.
    case files
    /// By the receipt of the attempt.
    case receipt
}

extension TaskRules {
    /// Whether it only looks: a failure is tried again by the same command without `--retry-failed`.
    public var isProbe: Bool { probeScope != nil }
}

extension TaskRules {
    public var from: FromState? { nil }
    public var release: Release? { nil }
    public var contactsWorker: Bool { false }
    public var probeScope: ProbeScope? { nil }
    public var receipt: ReceiptKeeper? { nil }
    public var precondition: Precondition? { nil }
    public var proof: Proof? { nil }
    public var leastMilliseconds: Int64 { 0 }
    public var limitMilliseconds: Int64 { 0 }

    public func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange] { [] }

    public var changesAtSuccess: [CatalogChange] { [] }
}

/// What an executor keeps to, and estimates of how long a step may take count on.
public enum ExecutionLimits {
    /// Seconds that the end of an attempt may come after its limit.
    public static let grace = 10
    /// Allocations that a gate asks at the same time.
    public static let gateWidth = 64
}
