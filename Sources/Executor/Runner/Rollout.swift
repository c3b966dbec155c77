public import Approvals
public import Catalog
public import Model
package import Workers

/// Executes a plan against a bucket: decides whether it may begin or continue, and brings it as far as it goes.
public struct Rollout: Sendable {
    /// How an apply ended.
    public enum Ending: Sendable {
        case nothingToDo
        /// The plan's run had succeeded before; nothing was touched.
        case alreadyDone(Run)
        /// `stale`: the facts that kept a batch from beginning. `leftBehind`: what the run has gone on without.
        case ended(Run, StepMachine.Result, problems: [Problem], stale: [StaleFact], leftBehind: [LeftBehind])
        /// Every wave up to the one that `Options.lastWave` names is complete; the run is parked.
        case reachedLimit(Run, leftBehind: [LeftBehind])
        /// Parked because the window has no room for what comes next.
        case held(Run, WindowHold)
    }

    /// What an apply would do.
    public enum Preview: Sendable {
        case nothingToDo
        /// The plan's run has succeeded.
        case alreadyDone(Run)
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
        /// Run without the approvals that are missing, and why; only where the policy lets the user.
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

    let bucketFolder: String
    let configuration: BucketConfiguration
    let catalog: Catalog
    let store: ContentStore
    /// `user@host`, for the record.
    let who: String
    /// Names this controller on the workers: letters and digits, the same for all its runs.
    let controller: String
    let clock: Clock
    /// Random text for a new run; 16 hexadecimal digits.
    let nonce: @Sendable () -> String
    /// Asks a person for the passphrase of a key; nil where nobody can be asked.
    let passphrase: @Sendable (_ path: String) -> String?
    let observe: @Sendable (RunEvent) -> Void
    /// Says whether plans are approved; nil where nothing that has to be is done.
    public var approval: ApprovalCheck?
    /// What local times are.
    var zones = ZoneDatabase.system
    /// Stands for the plan's transport in tests and benchmarks.
    package var simulated: (any Transport)?

    public init(
        bucketFolder: String, configuration: BucketConfiguration, catalog: Catalog, store: ContentStore, who: String,
        controller: String, clock: Clock, nonce: @escaping @Sendable () -> String,
        passphrase: @escaping @Sendable (_ path: String) -> String?, observe: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.bucketFolder = bucketFolder
        self.configuration = configuration
        self.catalog = catalog
        self.store = store
        self.who = who
        self.controller = controller
        self.clock = clock
        self.nonce = nonce
        self.passphrase = passphrase
        self.observe = observe
    }

    /// Begins or continues the run of `file`. The caller holds the bucket's lock.
    ///
    /// - Parameter parkRequests: see `Runner.run`.
    /// - Throws: `RolloutError` where nothing may run, `WindowHold` where nothing may run now; `CatalogError` or `StoreError` where the bucket's own files fail.
    public func apply(
        _ file: PlanFile, options: Options, parkRequests: AsyncStream<ParkRequest>
    ) async throws -> Ending {
        // A request to pause is for this process from now on.
        let pauses = try catalog.latestRun(of: file.id).map { try self.pauses(of: $0.id).count } ?? 0
        let resumed: Run?
        let monitor: WindowMonitor
        let permit: Permit
        switch try await opening(file, options) {
        case .alreadyDone(let run): return .alreadyDone(run)
        case .nothingToDo: return .nothingToDo
        case .ready(let run, let window, let approval): (resumed, monitor, permit) = (run, window, approval)
        }
        let transport = try await transport(for: file.plan, acceptsNewHosts: options.acceptsNewHosts)
        do {
            let ending = try await execute(
                file, resumed, monitor, permit, options: options, over: transport,
                parkRequests: { self.parkRequests(parkRequests, of: $0, known: pauses) })
            await transport.close()
            return ending
        } catch {
            await transport.close()
            throw error
        }
    }

    /// Closes the catalog, so that its log is in it; nothing is to be asked of the rollout afterwards. What still listens for
    /// requests to park would keep it open for a moment more.
    public func close() { try? catalog.close() }

    /// What `apply` would do, if everything went well; nothing is written, and no worker is asked.
    ///
    /// - Throws: what `apply` would before it touches anything.
    public func preview(_ file: PlanFile, options: Options) async throws -> Preview {
        switch try await opening(file, options, isPreview: true) {
        case .alreadyDone(let run): return .alreadyDone(run)
        case .nothingToDo: return .nothingToDo
        case .ready(let run, _, _):
            let graph =
                try run.map { try StepGraph(file.plan, catalog, of: $0.id, takingIn: options.retryFailed) }
                ?? StepGraph(file.plan)
            let records = try run.map { try catalog.steps(of: $0.id) } ?? []
            let machine = Self.machine(graph, records, options)
            let renames = file.plan.renames(leftBy: records).isEmpty ? [] : [StepID.renames]
            return .steps(renames + machine.predicted().map { graph.steps[$0].id })
        }
    }

    /// What is found out before anything is touched.
    private enum Opening {
        case alreadyDone(Run)
        case nothingToDo
        case ready(Run?, WindowMonitor, Permit)
    }

    /// - Parameter isPreview: nothing may be written.
    private func opening(_ file: PlanFile, _ options: Options, isPreview: Bool = false) async throws -> Opening {
        let plan = file.plan
        guard plan.fleet.bucket == configuration.bucketID else {
            throw RolloutError.otherBucket(planned: plan.fleet.bucket, actual: configuration.bucketID)
        }
        guard plan.fleet.transport == configuration.transport else {
            throw RolloutError.otherTransport(planned: plan.fleet.transport, actual: configuration.transport)
        }
        guard plan.fleet.workerRoot == configuration.workerRoot else {
            throw RolloutError.otherWorkerRoot(planned: plan.fleet.workerRoot, actual: configuration.workerRoot)
        }
        let permit = try await permit(file, options)
        if let run = try catalog.latestRun(of: file.id), run.state == .succeeded { return .alreadyDone(run) }
        if plan.isEmpty { return .nothingToDo }
        let resumed = try existingRun(of: file)
        let hasBegun = try resumed.map(self.hasBegun) ?? false
        let monitor = try windowMonitor(plan, permit.watch)
        try checkWindow(file, resumed, hasBegun: hasBegun, monitor)
        if !hasBegun {
            let snapshot = try catalog.snapshot()
            let contradicted = snapshot.contradicted(plan.renames)
            guard contradicted.isEmpty else { throw RolloutError.knownOtherwise(contradicted) }
            guard try !catalog.hasRenamed(since: plan.base.catalogRevision, but: file.id) else {
                throw RolloutError.renamedSince
            }
            let facts = plan.staleFacts(in: snapshot.renamed(plan.renames))
            guard facts.isEmpty else { throw RolloutError.stale(facts) }
        }
        try checkContent(of: plan)
        // Before the run begins: for a key that cannot be read nothing has to be given up.
        if plan.hasHooks { try checkHooks(of: plan, isPreview: isPreview) }
        return .ready(resumed, monitor, permit)
    }

    static func machine(
        _ graph: StepGraph, _ records: [StepRecord], _ options: Options
    ) -> StepMachine {
        let recorded = records.map { ($0.step, StepMachine.Recorded(state: $0.state, attempt: $0.attempt)) }
        return StepMachine(
            graph, recorded: Dictionary(recorded, uniquingKeysWith: { _, last in last }),
            retryFailed: options.retryFailed, lastWave: options.lastWave)
    }

    private func execute(
        _ file: PlanFile, _ resumed: Run?, _ monitor: WindowMonitor, _ permit: Permit, options: Options,
        over transport: any Transport, parkRequests: (RunID) -> AsyncStream<ParkRequest>
    ) async throws -> Ending {
        let run = try resumed ?? begin(file, permit)
        try record(permit, of: run, isResumed: resumed != nil)
        if resumed != nil, run.state != .running {
            try catalog.finish(run.id, state: .running, detail: nil, at: clock.now())
        }
        do {
            return try await execute(
                run, file.plan, monitor, options: options, over: transport, parkRequests: parkRequests(run.id))
        } catch let refusal as RolloutError {
            // Nothing was begun by this process, so the run is not in the middle of anything.
            let before = resumed?.state == .failed ? RunState.failed : .parked
            let state = try hasBegun(run) ? before : .abandoned
            try catalog.finish(run.id, state: state, detail: "workers were not ready", at: clock.now())
            throw refusal
        }
    }

    /// The run that this plan has already, if it may be continued.
    private func existingRun(of file: PlanFile) throws -> Run? {
        if let run = try catalog.unfinishedRun() {
            if run.plan == file.id { return run }
            if try hasBegun(run) { throw RolloutError.unfinishedRun(run) }
        }
        guard let run = try catalog.latestRun(of: file.id) else { return nil }
        guard run.state == .abandoned else { return run }
        // Where nobody has given it up, and nothing of it has begun, the plan may be tried again.
        let isGivenUp = try catalog.decisions(run.id).contains { $0.what == .abandon }
        guard try !isGivenUp && !hasBegun(run) else { throw RolloutError.abandoned(run) }
        return nil
    }

    /// Whether any step of a run was begun. Where its workers were never all ready, none was, and it holds nobody up.
    func hasBegun(_ run: Run) throws -> Bool {
        try catalog.steps(of: run.id).contains { !$0.step.isPreflight }
    }

    private func begin(_ file: PlanFile, _ permit: Permit) throws -> Run {
        FaultPoint.reach("before the plan is kept")
        try store.put(file.bytes)
        FaultPoint.reach("before the run begins")
        if let idle = try catalog.unfinishedRun() {
            try catalog.finish(
                idle.id, state: .abandoned, detail: "nothing of it had begun when another plan was applied",
                at: clock.now())
        }
        let run = try catalog.beginRun(
            plan: file.id, nonce: nonce(), at: clock.now(), by: who, workers: file.plan.fleet.workers,
            approval: permit.record)
        FaultPoint.reach("after the run began")
        return run
    }

    private func execute(
        _ run: Run, _ plan: Plan, _ monitor: WindowMonitor, options: Options, over transport: any Transport,
        parkRequests: AsyncStream<ParkRequest>
    ) async throws -> Ending {
        let records = try catalog.steps(of: run.id)
        try await record(options, run, records)
        let recorder = Recorder(
            catalog: catalog, run: run, graph: try graph(of: run, plan), clock: clock, observe: observe)
        let inbox = ParkInbox(parkRequests)
        let telling = Task { [underWay = recorder.underWay, observe] in await underWay.tell(observe) }
        defer {
            inbox.close()
            telling.cancel()
        }
        let prepared = try await inbox.urgent.race {
            try await prepare(plan, recorder, records, monitor, options: options, over: transport)
        }
        guard let prepared else {
            return try endUnprepared(run, "stopped by a signal before it began anything")
        }
        let drift = prepared.drift
        if !drift.isEmpty { return try endStale(run, recorder, drift) }
        var stepRunner = prepared.stepRunner
        let hooks = plan.hasHooks ? try await hookRunner(for: plan, recorder, records) : nil
        stepRunner.hooks = hooks
        let runner = Runner(stepRunner: stepRunner, recorder: recorder, observe: observe)
        let end: Runner.End
        do {
            end = try await runner.run(prepared.machine, parkRequests: inbox.requests)
        } catch {
            await hooks?.services.close()
            throw error
        }
        await hooks?.services.close()
        let result = end.machine.result ?? .parked
        let hold = result == .parked && end.parkReason == nil ? monitor.hold : nil
        FaultPoint.reach("before the run ends")
        try catalog.finish(
            run.id, state: Self.state(of: result), detail: Self.detail(of: result, end, hold, options),
            cause: result == .stale ? .stale : nil,
            drifts: result == .stale ? recorder.drifts(end.staleFacts) : [:], at: clock.now())
        FaultPoint.reach("after the run ended")
        let now = try catalog.run(run.id) ?? run
        if result == .parked, end.parkReason == nil, hold == nil, options.lastWave != nil {
            return .reachedLimit(now, leftBehind: try catalog.leftBehind(by: run.id))
        }
        if var hold {
            hold.mixed = recorder.graph.mixedVersions(try catalog.steps(of: run.id))
            return .held(now, hold)
        }
        return .ended(
            now, result, problems: try problems(of: run.id, end.machine), stale: end.staleFacts,
            leftBehind: try catalog.leftBehind(by: run.id))
    }

    /// A plan's steps, as the run cuts its batches.
    func graph(of run: Run, _ plan: Plan) throws -> StepGraph {
        try StepGraph(plan, catalog, of: run.id)
    }

    /// What a person decided by giving these options.
    private func record(_ options: Options, _ run: Run, _ records: [StepRecord]) async throws {
        if options.takeOver { try catalog.record(decision(run.id, .takeOver, "--take-over")) }
        guard options.retryFailed else { return }
        let failed = records.filter { $0.state == .failed || $0.state == .unreachable }.map(\.step.text)
        let left = try catalog.leftBehind(by: run.id).map { "\($0.allocation)" }
        if failed.isEmpty, left.isEmpty { return }
        var checkpoint = Checkpoint(
            run: run.id, at: clock.now(),
            decisions: [decision(run.id, .retryFailed, (failed + left).listed(first: 20))])
        checkpoint.takesIn = !left.isEmpty
        try await catalog.commit(checkpoint)
    }

    func transport(for plan: Plan, acceptsNewHosts: Bool) async throws -> any Transport {
        if let simulated { return simulated }
        let factory = TransportFactory(
            bucketFolder: bucketFolder, configuration: configuration, acceptsNewHosts: acceptsNewHosts,
            passphrase: passphrase, report: { [observe] in observe(.warning($0)) })
        let transport = try await factory.transport(for: plan)
        #if TestHooks
            return FaultTransport(base: transport)
        #else
            return transport
        #endif
    }

    /// Of a step that this process leaves to the next one.
    private static func detail(ofOpen outcome: StepMachine.Outcome) -> String {
        switch outcome {
        case .stale: "files on the worker are not as the plan has them, and nothing was touched there"
        case .succeeded, .failed, .unreachable, .unknown, .interrupted:
            "its worker is unreachable, and it may be running there: the same command asks again"
        }
    }

    /// Why the run goes no further, for who comes later; nil where its steps say it.
    private static func detail(
        of result: StepMachine.Result, _ end: Runner.End, _ hold: WindowHold?, _ options: Options
    ) -> String? {
        switch result {
        case .parked: end.parkReason ?? hold.map { "\($0)" } ?? options.lastWave.map { _ in "as far as --until says" }
        case .stale: staleDetail(end.staleFacts)
        case .succeeded, .failed, .unknown: nil
        }
    }

    static func staleDetail(_ facts: [StaleFact]) -> String {
        facts.isEmpty
            ? "the plan is stale."
            : "the plan is stale: " + facts.prefix(20).map(\.description).joined(separator: "; ")
    }

    static func state(of result: StepMachine.Result) -> RunState {
        switch result {
        case .succeeded: .succeeded
        case .parked: .parked
        case .failed, .stale, .unknown: .failed
        }
    }

    private func problems(of run: RunID, _ machine: StepMachine) throws -> [Problem] {
        try [StepMachine.Outcome.unknown, .stale, .failed, .unreachable].flatMap { outcome in
            try machine.steps(with: outcome).compactMap { index in
                let step = machine.graph.steps[index]
                guard let record = try catalog.attempts(of: run, step: step.id).last else { return nil }
                return Problem(
                    step: step, attempt: record.attempt, state: record.state,
                    detail: record.state == .started ? Self.detail(ofOpen: outcome) : record.detail,
                    output: try catalog.output(of: run, step: step.id))
            }
        }
    }
}
