public import Catalog
public import Executor
public import Model
public import Plans
public import StepMachinery
internal import ThisHost
internal import Windows
internal import Workers

/// Executes a plan against a bucket: decides if its run may begin or continue, and brings it as far as it goes.
///
/// ```swift
/// let ending = try await ApplyRun(file, options: .init(retryFailed: true), in: context).apply(parkRequests: requests)
/// ```
public struct ApplyRun: Sendable {
    let file: PlanFile
    let options: Options
    let context: ExecutionContext

    public init(_ file: PlanFile, options: Options, in context: ExecutionContext) {
        self.file = file
        self.options = options
        self.context = context
    }

    /// Begins or continues the run of the plan. The caller holds the bucket's lock.
    ///
    /// - Parameter parkRequests: see `Runner.run`.
    /// - Throws: `RolloutError` if nothing may run, `WindowHold` if nothing may run now; `CatalogError` or `StoreError` if the
    ///   bucket's own files fail.
    public func apply(parkRequests: AsyncStream<ParkRequest>) async throws -> Ending {
        // A request to pause is for this process from now on.
        let pauses = try context.catalog.latestRun(of: file.id).map { try context.catalog.pauses(of: $0.id).count } ?? 0
        let opening: RunOpening.Ready
        switch try await RunOpening(file, options, context).find() {
        case .alreadyDone(let run): return .alreadyDone(run)
        case .rolledBack(let run): return .rolledBack(run, problems: [], isNew: false)
        case .nothingToDo: return .nothingToDo
        case .ready(let ready): opening = ready
        }
        let transport = try await context.transport(
            for: try context.fleetOfHooks(of: file.plan), acceptsNewHosts: options.acceptsNewHosts)
        do {
            let ending = try await execute(opening, over: transport) { run in
                PauseListener(context: context, run: run, known: pauses).requests(and: parkRequests)
            }
            await transport.close()
            return ending
        } catch {
            await transport.close()
            throw error
        }
    }

    /// Returns what `apply` would do if everything went well. Nothing is written, and no worker is asked.
    ///
    /// - Throws: what `apply` would before it touches anything.
    public func preview() async throws -> Preview {
        switch try await RunOpening(file, options, context).find(isPreview: true) {
        case .alreadyDone(let run): return .alreadyDone(run)
        case .rolledBack(let run): return .rolledBack(run)
        case .nothingToDo: return .nothingToDo
        case .ready(let ready):
            let catalog = context.catalog
            let plan = ready.wayBack ?? file.plan
            let graph =
                try ready.resumed.map { try StepGraph(plan, catalog, of: $0.id, takingIn: options.retryFailed) }
                ?? StepGraph(plan)
            let records = try ready.resumed.map { try catalog.steps(of: $0.id) } ?? []
            let machine = StepMachine(graph, records, options)
            let renames = plan.renames(leftBy: records).isEmpty ? [] : [StepID.renames]
            return .steps(renames + machine.predicted().map { graph.steps[$0].id })
        }
    }

    private func execute(
        _ opening: RunOpening.Ready, over transport: any Transport,
        parkRequests: (RunID) -> AsyncStream<ParkRequest>
    ) async throws -> Ending {
        let resumed = opening.resumed
        let run = try resumed ?? begin(opening.permit)
        try opening.permit.record(of: run, isResumed: resumed != nil, context)
        if resumed != nil, run.state != .running {
            try context.catalog.finish(run.id, state: .running, detail: nil, at: context.clock.now())
        }
        try context.catalog.beginPart(of: run.id, at: context.clock.now(), by: context.who)
        let inbox = ParkInbox(parkRequests(run.id))
        defer { inbox.close() }
        var execution = RunExecution(
            run: run, plan: opening.wayBack ?? file.plan, monitor: opening.monitor, options: options,
            transport: transport, context: context)
        do {
            switch try await execution.execute(inbox) {
            case .ended(let ending): return ending
            case .goesBack(let back): execution = back
            }
            switch try await execution.execute(inbox) {
            case .ended(let ending): return ending
            case .goesBack: preconditionFailure("a way back has no way back")
            }
        } catch let refusal as RolloutError {
            // Nothing was begun by this process, so the run is not in the middle of anything.
            let before = resumed?.state == .failed ? RunState.failed : .parked
            let state = try context.catalog.hasBegun(run) ? before : .abandoned
            let (detail, cause): (String, RunReason) =
                if case .missingTarget(let target, _) = refusal {
                    ("workers have no target `\(target)`", .missingTarget)
                } else {
                    ("workers were not ready", .workersNotReady)
                }
            try context.catalog.finish(run.id, state: state, detail: detail, cause: cause, at: context.clock.now())
            throw refusal
        }
    }

    private func begin(_ permit: Permit) throws -> Run {
        let catalog = context.catalog
        FaultPoint.reach("before the plan is kept")
        try context.store.put(file.bytes)
        FaultPoint.reach("before the run begins")
        if let idle = try catalog.unfinishedRun() {
            try catalog.finish(
                idle.id, state: .abandoned, detail: "nothing of it had begun when another plan was applied",
                cause: .superseded,
                at: context.clock.now())
        }
        let run = try catalog.beginRun(
            plan: file.id, nonce: context.nonce(), at: context.clock.now(), by: context.who,
            workers: file.plan.fleet.workers,
            approval: permit.record)
        FaultPoint.reach("after the run began")
        return run
    }
}

extension ApplyRun {
    /// How an apply ended.
    public enum Ending: Sendable {
        case nothingToDo
        /// The plan's run had succeeded before; nothing was touched.
        case alreadyDone(Run)
        /// `stale`: the facts that kept a batch from beginning. `leftBehind`: what the run has gone on without.
        case ended(Run, StepMachine.Result, problems: [Problem], stale: [StaleFact], leftBehind: [LeftBehind])
        /// The way back has not come to its end. `found`: what runs where now, as sentences.
        case wayBackEnded(
            Run, StepMachine.Result, problems: [Problem], stale: [StaleFact], leftBehind: [LeftBehind], found: [String])
        /// What the run had begun is what it was before. `problems`: what had failed. `isNew`: this process has brought it
        /// there.
        case rolledBack(Run, problems: [Problem], isNew: Bool)
        /// Every wave up to the one that `Options.lastWave` names is complete; the run is parked.
        case reachedLimit(Run, leftBehind: [LeftBehind])
        /// Parked because the window has no room for what comes next.
        case held(Run, WindowHold)

        /// The run as it is recorded; nil if there is none, or nothing was done.
        public var run: Run? {
            switch self {
            case .nothingToDo, .alreadyDone: nil
            case .ended(let run, _, _, _, _), .wayBackEnded(let run, _, _, _, _, _), .rolledBack(let run, _, _),
                .reachedLimit(let run, _), .held(let run, _):
                run
            }
        }
    }

    /// What an apply would do.
    public enum Preview: Sendable {
        case nothingToDo
        /// The plan's run has succeeded.
        case alreadyDone(Run)
        /// The plan's run has failed, and was rolled back.
        case rolledBack(Run)
        /// In the plan's order; steps of one batch act side by side.
        case steps([StepID])
    }

    /// A step that keeps a run from its end.
    public struct Problem: Sendable {
        public let step: Step
        public let attempt: Int
        public let state: StepState
        public let detail: String?
        /// The last lines that the attempt printed.
        public let output: StepOutput?
    }

    public struct Options: Sendable {
        /// Make a new attempt of what failed or was unreachable.
        public var retryFailed = false
        /// Park after this wave (an index, 0 for the first).
        public var lastWave: Int?
        /// Take workers from another controller, or from a later run of this one.
        public var takeOver = false
        /// Record the host keys of workers of which none is known.
        public var acceptsNewHosts = false
        /// Run without the approvals that are missing, and why; only if the policy lets the user.
        public var overrideReason: String?

        public init(
            retryFailed: Bool = false, lastWave: Int? = nil, takeOver: Bool = false, acceptsNewHosts: Bool = false,
            overrideReason: String? = nil
        ) {
            self.retryFailed = retryFailed
            self.lastWave = lastWave
            self.takeOver = takeOver
            self.acceptsNewHosts = acceptsNewHosts
            self.overrideReason = overrideReason
        }
    }
}

extension StepMachine {
    init(_ graph: StepGraph, _ records: [StepRecord], _ options: ApplyRun.Options) {
        self.init(
            graph,
            recorded: Dictionary(records.map { ($0.step, $0.recorded) }, uniquingKeysWith: { _, last in last }),
            retryFailed: options.retryFailed, lastWave: options.lastWave)
    }
}
