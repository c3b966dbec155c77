internal import Catalog
internal import ControllerHooks
internal import Executor
internal import Model
internal import Plans
internal import StepMachinery
internal import ThisHost
internal import Workers

/// One process's part of a run that has begun: from asking its workers to how far it came.
struct RunExecution: Sendable {
    let run: Run
    let plan: Plan
    let monitor: WindowMonitor
    let options: ApplyRun.Options
    let transport: any Transport
    let context: ExecutionContext
    /// The same process has executed a part of the run before.
    var isContinued = false

    /// How this part of a run ended.
    enum End {
        case ended(ApplyRun.Ending)
        /// A job has failed, and the run goes back from here on.
        case goesBack(RunExecution)
    }

    /// - Throws: `RolloutError` if nothing was begun by this process.
    func execute(_ inbox: ParkInbox) async throws -> End {
        let catalog = context.catalog
        let records = try catalog.steps(of: run.id)
        try await recordOptions(records)
        let recorder = Recorder(
            catalog: catalog, run: run, graph: try StepGraph(plan, catalog, of: run.id), clock: context.clock,
            observe: context.observe)
        context.observe(.began(run, recorder.graph, records))
        let prepared = try await inbox.urgent.race {
            try await RunPreparation(execution: self, recorder: recorder, records: records).prepare()
        }
        guard let prepared else { return .ended(try endUnprepared("stopped by a signal before it began anything")) }
        if !prepared.drift.isEmpty { return .ended(try endStale(recorder, prepared.drift)) }
        var stepRunner = prepared.stepRunner
        let hooks =
            plan.hasHooks
            ? try await HookHost(context: context).runner(
                for: plan, recorder, records,
                workers: try context.hookWorkers(of: plan, run, prepared.stepRunner, over: transport))
            : nil
        stepRunner.hooks = hooks
        let runner = Runner(stepRunner: stepRunner, recorder: recorder, observe: context.observe)
        let end: Runner.End
        do {
            end = try await runner.run(prepared.machine, parkRequests: inbox.requests)
        } catch {
            await hooks?.services.close()
            throw error
        }
        await hooks?.services.close()
        if plan.origin?.isPartOfRun == true { return .ended(try concludeWayBack(end, recorder)) }
        if goesBack(after: end) { return try await goBack(after: end) }
        return .ended(try conclude(end, recorder))
    }

    /// Records what a person decided by giving the options.
    private func recordOptions(_ records: [StepRecord]) async throws {
        let catalog = context.catalog
        if isContinued { return }
        if options.takeOver { try catalog.record(context.decision(run.id, .takeOver, "--take-over")) }
        guard options.retryFailed else { return }
        // Of a run that goes back, only the way back is tried again.
        let own = try StepGraph(plan, catalog, of: run.id).indices
        let failed = records.filter {
            ($0.state == .failed || $0.state == .unreachable) && own[$0.step] != nil
        }.map(\.step.text)
        let left = try catalog.leftBehind(by: run.id).map { "\($0.subject)" }
        if failed.isEmpty, left.isEmpty { return }
        var checkpoint = Checkpoint(
            run: run.id, at: context.clock.now(),
            decisions: [context.decision(run.id, .retryFailed, (failed + left).listed(first: 20))])
        checkpoint.takesIn = !left.isEmpty
        try await catalog.commit(checkpoint)
    }
}

/// How the process's part of the run ends.
extension RunExecution {
    private func conclude(_ end: Runner.End, _ recorder: Recorder) throws -> ApplyRun.Ending {
        let catalog = context.catalog
        let result = end.machine.result ?? .parked
        let hold = result == .parked && end.parkRequest == nil ? monitor.hold : nil
        let (cause, detail) = reason(of: result, end, hold)
        FaultPoint.reach("before the run ends")
        try catalog.finish(
            run.id, state: result.runState, detail: detail, cause: cause,
            drifts: result == .stale ? recorder.drifts(end.staleFacts) : [:], at: context.clock.now())
        FaultPoint.reach("after the run ended")
        if result == .succeeded, let (job, command, inputs) = plan.preparation {
            try catalog.setPrepared(job, command, inputs)
        }
        let now = try catalog.run(run.id) ?? run
        let leftBehind = try catalog.leftBehind(by: run.id)
        if result == .parked, end.parkRequest == nil, hold == nil, options.lastWave != nil {
            return .reachedLimit(now, leftBehind: leftBehind)
        }
        if var hold {
            hold.mixed = recorder.graph.mixedVersions(try catalog.steps(of: run.id))
            return .held(now, hold)
        }
        return .ended(
            now, result, problems: try problems(end.machine), stale: end.staleFacts, leftBehind: leftBehind)
    }

    /// Ends a run that somebody has asked to park while its workers were asked: this process has begun nothing.
    private func endUnprepared(_ reason: String) throws -> ApplyRun.Ending {
        let catalog = context.catalog
        try catalog.finish(
            run.id, state: try catalog.hasBegun(run) ? .parked : .abandoned, detail: reason, cause: .signal,
            at: context.clock.now())
        return .ended(
            try catalog.run(run.id) ?? run, .parked, problems: [], stale: [],
            leftBehind: try catalog.leftBehind(by: run.id))
    }

    /// Ends a run of which nothing has begun; what keeps it from that is recorded, as of a batch.
    private func endStale(_ recorder: Recorder, _ facts: [StaleFact]) throws -> ApplyRun.Ending {
        let catalog = context.catalog
        FaultPoint.reach("before the run ends")
        try catalog.finish(
            run.id, state: StepMachine.Result.stale.runState, detail: Self.staleDetail(facts), cause: .stale,
            drifts: recorder.drifts(facts), at: context.clock.now())
        FaultPoint.reach("after the run ended")
        return .ended(
            try catalog.run(run.id) ?? run, .stale, problems: [], stale: facts,
            leftBehind: try catalog.leftBehind(by: run.id))
    }

    /// Why the run goes no further, for who comes later; nil if its steps say it.
    private func reason(
        of result: StepMachine.Result, _ end: Runner.End, _ hold: WindowHold?
    ) -> (cause: RunReason?, detail: String?) {
        switch result {
        case .parked:
            if let request = end.parkRequest { return (request.cause, request.reason) }
            if let hold { return (hold.cause.reason, "\(hold)") }
            return options.lastWave == nil ? (nil, nil) : (.limitReached, "as far as --until says")
        case .stale: return (.stale, Self.staleDetail(end.staleFacts))
        case .succeeded, .failed, .unknown: return (nil, nil)
        }
    }

    static func staleDetail(_ facts: [StaleFact]) -> String {
        facts.isEmpty
            ? "the plan is stale."
            : "the plan is stale: " + facts.prefix(20).map(\.description).joined(separator: "; ")
    }

    func problems(_ machine: StepMachine) throws -> [ApplyRun.Problem] {
        try problems(in: machine.graph) { machine.steps(with: $0) }
    }

    func problems(
        in graph: StepGraph, _ steps: (StepMachine.Outcome) -> [StepIndex]
    ) throws -> [ApplyRun.Problem] {
        try [StepMachine.Outcome.unknown, .stale, .failed, .unreachable].flatMap { outcome in
            try steps(outcome).compactMap { index in
                let step = graph.steps[index]
                guard let record = try context.catalog.attempts(of: run.id, step: step.id).last else { return nil }
                return ApplyRun.Problem(
                    step: step, attempt: record.attempt, state: record.state,
                    detail: record.state == .started ? Self.detail(ofOpen: outcome) : record.detail,
                    output: try context.catalog.output(of: run.id, step: step.id))
            }
        }
    }

    /// Of a step that this process leaves to the next one.
    private static func detail(ofOpen outcome: StepMachine.Outcome) -> String {
        switch outcome {
        case .stale: "its files, or a secret in them, are not as the plan has them, and nothing was touched there"
        case .succeeded, .failed, .unreachable, .unknown, .interrupted:
            "its worker is unreachable, and it may be running there: the same command asks again"
        }
    }
}

extension StepMachine.Result {
    var runState: RunState {
        switch self {
        case .succeeded: .succeeded
        case .parked: .parked
        case .failed, .stale, .unknown: .failed
        }
    }
}
