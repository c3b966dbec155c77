internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import StepMachinery
internal import ThisHost
internal import Windows

/// How a run whose plan has a way back goes back.
extension RunExecution {
    /// Whether a job has failed, so that nothing new begins, and nothing has to be found out by a person first.
    func goesBack(after end: Runner.End) -> Bool {
        guard plan.wayBack != nil, end.parkRequest == nil, end.machine.hasFailedJob else { return false }
        switch end.machine.result {
        case .failed, .stale: return true
        case .succeeded, .parked, .unknown, nil: return false
        }
    }

    /// Records that the run goes back, and by which plan. What it has begun so far is all that it has.
    func goBack(after end: Runner.End) async throws -> End {
        let catalog = context.catalog
        let records = try catalog.steps(of: run.id)
        let begun = end.machine.graph.begunAllocations(records)
        guard let back = plan.goingBack(run.id, from: try catalog.records(of: begun.sorted())), !back.isEmpty else {
            return .ended(try endRolledBack("nothing had begun", try problems(end.machine)))
        }
        let file = PlanFile(try await context.renewed(back, of: run))
        FaultPoint.reach("before the way back is kept")
        try context.store.put(file.bytes)
        FaultPoint.reach("before the way back begins")
        try catalog.beginWayBack(of: run.id, by: file.id)
        FaultPoint.reach("after the way back began")
        context.observe(.warning(.goesBack(run.id, allocations: back.acting.count)))
        context.reportWindow(of: plan, run)
        var options = options
        (options.retryFailed, options.lastWave) = (false, nil)
        return .goesBack(
            RunExecution(
                run: run, plan: file.plan, monitor: .unrestricted(context), options: options, transport: transport,
                context: context, isContinued: true))
    }

    func concludeWayBack(_ end: Runner.End, _ recorder: Recorder) throws -> ApplyRun.Ending {
        let catalog = context.catalog
        let allocations = Set(plan.acting)
        let leftBehind = try catalog.leftBehind(by: run.id).filter { item in
            item.subject.allocation.map(allocations.contains) == true
        }
        var result = end.machine.result ?? .parked
        if result == .succeeded, leftBehind.isEmpty {
            return try endRolledBack(nil, try failures(of: context.plan(of: run)))
        }
        var cause: RunReason?
        var detail = end.parkRequest?.reason
        if result == .parked { cause = end.parkRequest?.cause }
        if result == .stale {
            cause = .stale
            detail = Self.staleDetail(end.staleFacts)
        }
        if result == .succeeded {
            result = .failed
            cause = .wayBackIncomplete
            detail = "workers of its way back could not be used"
        }
        FaultPoint.reach("before the run ends")
        try catalog.finish(
            run.id, state: result.runState, detail: detail ?? "its way back has not come to its end", cause: cause,
            drifts: result == .stale ? recorder.drifts(end.staleFacts) : [:], at: context.clock.now())
        FaultPoint.reach("after the run ended")
        return .wayBackEnded(
            try catalog.run(run.id) ?? run, result, problems: try problems(end.machine), stale: end.staleFacts,
            leftBehind: leftBehind, found: try plan.found(try catalog.records(of: plan.acting)))
    }

    private func endRolledBack(_ detail: String?, _ problems: [ApplyRun.Problem]) throws -> ApplyRun.Ending {
        FaultPoint.reach("before the run ends")
        try context.catalog.finish(
            run.id, state: .rolledBack, detail: detail ?? "a job failed, and what it had begun is as it was before",
            cause: .rolledBack, at: context.clock.now())
        FaultPoint.reach("after the run ended")
        return .rolledBack(try context.catalog.run(run.id) ?? run, problems: problems, isNew: true)
    }

    /// Why the run went back.
    private func failures(of plan: Plan) throws -> [ApplyRun.Problem] {
        let graph = try StepGraph(plan, context.catalog, of: run.id)
        let recorded = try context.catalog.steps(of: run.id).map {
            ($0.step, StepMachine.Recorded(state: $0.state, attempt: $0.attempt))
        }
        return try problems(in: graph) { outcome in
            StepMachine.steps(graph, recorded: Dictionary(recorded) { $1 }, with: outcome)
        }
    }
}

extension ExecutionContext {
    /// Tells what would keep a run from going forth now, and does not keep it from going back.
    func reportWindow(of plan: Plan, _ run: Run) {
        let window = WindowCheck(plan: plan, context: self)
        do {
            let calendar = try window.monitor(nil).calendar()
            if calendar.isAlwaysOpen || calendar.opening(at: clock.now()) != nil { return }
            observe(.warning(.goesBackAnyway("the maintenance window is closed, or a freeze holds everything")))
        } catch {
            observe(.warning(.goesBackAnyway("\(error)")))
        }
    }
}

extension WindowMonitor {
    /// Nothing keeps anything from beginning.
    static func unrestricted(_ context: ExecutionContext) -> WindowMonitor {
        WindowMonitor(
            nil, rules: .utc, freezes: { [] }, clock: context.clock, approvals: nil, observe: context.observe)
    }
}

extension Plan {
    /// What is recorded of each allocation of a way back, and where it was to go, as sentences.
    fileprivate func found(_ records: [AllocationID: AllocationRecord]) throws -> [String] {
        var lines: [String] = []
        for job in waves.lazy.flatMap(\.jobs) {
            for entry in job.entries {
                let id = AllocationID(job: job.job, worker: entry.worker)
                let goal = job.versions.first { $0.value.contains(entry.worker) }?.name ?? job.version
                lines.append("\(id): \((records[id] ?? .none).state(wanted: goal))")
            }
        }
        for stop in reconcile {
            let record = records[stop.allocation] ?? .none
            lines.append(
                "\(stop.allocation): "
                    + (record.isRunning ? "runs \(stop.from.version), and was to be stopped" : "stopped"))
        }
        return lines
    }
}

extension AllocationRecord {
    fileprivate func state(wanted version: String) -> String {
        let promoted = promoted?.version ?? "nothing"
        if let unfinished, unfinished.version == version {
            return "its way back to \(version) began and did not end"
        }
        if let unfinished {
            return "\(unfinished.version) was begun there and not promoted; its way back to \(version) has not begun"
        }
        if promoted == version {
            return gateDebt == nil ? "back at \(version)" : "back at \(version), and has not passed a gate since"
        }
        return "runs \(promoted); its way back to \(version) has not begun"
    }
}
