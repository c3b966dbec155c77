public import Catalog
public import Model

/// One attempt of one hook, as the process that starts it knows it.
public struct HookCall: Hashable, Sendable {
    public let run: RunID
    /// The step whose outcome decides about what the hook writes. Commands of the event `health_check` belong to no step
    /// of their own; there it is a name that no recorded step has.
    public let step: StepID
    public let attempt: Int
    public let job: JobName
    public let worker: WorkerName
    /// What the hook has as `ALLOCATION_ID`.
    public let allocationID: String
    /// `command_<name>`.
    public let command: String
    public let event: HookEvent

    public init(
        run: RunID, step: StepID, attempt: Int, job: JobName, worker: WorkerName, allocationID: String,
        command: String, event: HookEvent
    ) {
        self.run = run
        self.step = step
        self.attempt = attempt
        self.job = job
        self.worker = worker
        self.allocationID = allocationID
        self.command = command
        self.event = event
    }
}

/// What hooks of one run can ask of the process that runs them.
///
/// The rules between the two: `admit` is called before a hook is started, and again by a process that finds it running
/// after an interruption. What the hook writes until then is durable when the hook hears so, and takes effect in the
/// transaction that records its step as succeeded; `changes` are part of that transaction. Methods may be called from any
/// number of tasks.
public protocol HookServices: Sendable {
    /// Lets a hook in.
    ///
    /// - Returns: variables for its environment. They are no part of the attempt's identity, so a later process may give
    ///   others.
    func admit(_ call: HookCall) async throws -> [String: String]

    /// What becomes true together with the success of the hook's step.
    func changes(of call: HookCall) async throws -> [CatalogChange]

    /// The outcome of the attempt is recorded: what its processes still ask is refused.
    func ended(_ call: HookCall) async

    /// The job's key `rollout_order`, as it is now: workers, separated by commas. Nil where nobody has set one.
    func rolloutOrder(of job: JobName) async throws -> String?

    /// No hook will ask any more.
    func close() async
}

/// For rollouts whose hooks get no services.
public struct NoHookServices: HookServices {
    public init() {}

    public func admit(_ call: HookCall) async throws -> [String: String] { [:] }
    public func changes(of call: HookCall) async throws -> [CatalogChange] { [] }
    public func ended(_ call: HookCall) async {}
    public func rolloutOrder(of job: JobName) async throws -> String? { nil }
    public func close() async {}
}

/// Opens the services of a run; called once in a process, and only where the plan has hooks.
public typealias HookServicesFactory = @Sendable (Run, Plan) async throws -> any HookServices
