internal import Catalog
internal import Model

/// Runs hooks, and decides the order that they may have put.
extension Performer {
    /// Runs a step's hook, or finds out what became of it, as `run` does with targets.
    func runHook(_ index: Int, attempt: Int, isResumed: Bool) async throws -> (Ending, Int) {
        guard let hooks, let call = try call(index, attempt: attempt) else {
            return (Ending(outcome: .failed, detail: "the plan does not say what to run"), attempt)
        }
        let first = call.attempt
        return try await hooks.inSlot {
            let task = AttemptTask(
                session: hooks.session, isOnControlHost: true, isRepeatable: call.hook.isRepeatable
            ) { attempt in
                // Another attempt of the step has another receipt and another token.
                guard let call = try self.call(index, attempt: attempt) else { return nil }
                return try await hooks.request(
                    call, tailLimit: Self.outputLimit, mayHaveRun: isResumed && call.attempt == first)
            }
            var (ending, last) = try await run(task, index, attempt: attempt, isResumed: isResumed)
            for passed in attempt..<last { try await hookEnded(index, attempt: passed) }
            switch ending.outcome {
            case .succeeded, .failed, .unknown:
                // Processes that it has left behind may go on until the outcome is recorded, and after that.
                if let ended = try self.call(index, attempt: last), !ending.isOpen { hooks.services.dismiss(ended) }
            case .unreachable, .stale, .interrupted: break
            }
            ending.output = ending.output.map { hooks.redacted($0, call) }
            return (ending, last)
        }
    }

    /// The outcome of a hook's attempt is recorded.
    func hookEnded(_ index: Int, attempt: Int) async throws {
        guard let hooks, let call = try call(index, attempt: attempt) else { return }
        await hooks.ended(call)
    }

    /// Decides in which order the job's batches are cut: the plan's, or that which a hook of the run has put, where it
    /// names every active allocation once.
    func decideOrder(_ index: Int) async throws {
        let step = itinerary.steps[index]
        var order: [WorkerName]?
        var detail = "as planned"
        if let job = itinerary.job(of: index), let text = try hooks?.services.rolloutOrder(of: job.job) {
            switch resolve(text, for: job) {
            case .success(let found) where found == job.active: detail = "as planned, and as a hook has put it"
            case .success(let found):
                order = found
                detail = "put by a hook: " + found.map(\.text).joined(separator: ",")
            case .failure(let stale):
                detail = "as planned, since the order that a hook has put \(stale)"
                recorder.observe(.warning("\(step.id): \(detail)"))
            }
        }
        try await recorder.decide(index, order: order, detail: detail)
    }

    /// What a hook has put as the job's order. One that does not name what the run has left behind is as good: these keep
    /// the last places.
    private func resolve(_ text: String, for job: Plan.Job) -> Result<[WorkerName], RolloutOrder.Stale> {
        let whole = RolloutOrder.resolve(text, active: job.active)
        let there = itinerary.activeWorkers(of: job)
        guard case .failure = whole, there.count < job.active.count,
            case .success(let order) = RolloutOrder.resolve(text, active: there)
        else { return whole }
        let named = Set(order)
        return .success(order + job.active.filter { !named.contains($0) })
    }

    /// A hook's attempt, with all that it is told. The same for every process that reads the same plan and records.
    func call(_ index: Int, attempt: Int) throws -> HookCall? {
        let step = itinerary.steps[index]
        guard case .hook(let event, _) = step.kind, let hook = itinerary.hook(of: index), let worker = step.worker,
            let modules = itinerary.modules(of: index)
        else { return nil }
        var told = itinerary.told(to: index)
        // Its plan says nothing of what runs where, and changes nothing of it.
        if event == .cli, let allocation = step.allocation {
            let record = try recorder.catalog.records(of: [allocation])[allocation]
            told["CURRENT_VERSION"] = record?.promoted?.version ?? Version.none.text
        }
        return HookCall(
            attempt: WritingAttempt(run: recorder.run.id, step: step.id, attempt: attempt), job: step.job,
            worker: worker, hook: hook, event: event, id: recorder.attemptID(index, attempt),
            timeout: itinerary.hookTimeout(of: index), modules: modules, told: told)
    }
}

extension Itinerary {
    /// The tree of the `_modules` from which a hook runs.
    fileprivate func modules(of step: Int) -> Digest? {
        stop(of: step) == nil ? job(of: step)?.hooks?.modules : plan.stopHooks(of: steps[step].job)?.modules
    }

    /// What a hook is told about versions and its batch: Maand's variables.
    fileprivate func told(to step: Int) -> [String: String] {
        guard let worker = steps[step].worker else { return [:] }
        var values = ["DISABLED": "0"]
        guard let job = job(of: step) else {
            let stop = stop(of: step)
            values["DISABLED"] = stop?.reason == .disabled ? "1" : "0"
            values["CURRENT_VERSION"] = stop?.from.version
            values["NEW_VERSION"] = stop?.from.version
            return values.merging(batchTold(to: step, nil)) { _, new in new }
        }
        values["CURRENT_VERSION"] = currentVersion(of: worker, step, job)
        values["NEW_VERSION"] = job.version
        return values.merging(batchTold(to: step, job)) { _, new in new }
    }

    /// What runs there when the hook runs.
    private func currentVersion(of worker: WorkerName, _ step: Int, _ job: Plan.Job) -> String {
        guard case .hook(let event, _) = steps[step].kind else { return job.version }
        switch event {
        case .jobControl, .afterAllocationStarted, .afterAllocationStopped:
            return from(of: step)?.version ?? job.version
        case .postDeploy, .healthCheck, .cli: return job.version
        case .preDeploy:
            let entry = job.phases.lazy.flatMap(\.batches).joined().first { $0.worker == worker }
            // One that does not act runs the planned version already.
            return entry.flatMap { entry in job.from.first { $0.name == entry.from }?.value.version } ?? job.version
        }
    }

    /// - Parameter job: nil for a stop.
    private func batchTold(to step: Int, _ job: Plan.Job?) -> [String: String] {
        guard let batch = batch(of: step), let cut = batch.cut else { return [:] }
        let workers = batch.chains.compactMap { chain in
            chain.steps.first.flatMap { isLeftBehind($0) ? nil : steps[$0].worker }
        }
        let order = job.map(activeWorkers) ?? workers
        let isChosen = job.map { orders[$0.job] != nil || $0.rolloutOrder == .keyValue } ?? false
        var values = [
            "BATCH_ALLOCATIONS": Self.list(workers), "BATCH_INDEX": String(cut.index),
            "BATCH_COUNT": String(cut.count),
            "DEPLOY_PHASE": entry(of: step).flatMap { job?.deployPhase(of: $0) } ?? "stop",
            "ROLLOUT_ORDER": Self.list(order), "ROLLOUT_ORDER_SOURCE": isChosen ? "kv" : "default",
        ]
        guard let job, job.isJobControl else { return values }
        let entries = job.phases.lazy.flatMap(\.batches).joined()
        let new = Set(entries.lazy.filter { $0.action == .start }.map(\.worker))
        let acting = Set(entries.map(\.worker))
        values["NEW_ALLOCATIONS"] = Self.list(order.filter(new.contains))
        values["UPDATED_ALLOCATIONS"] = Self.list(order.filter { acting.contains($0) && !new.contains($0) })
        return values
    }

    private static func list(_ workers: [WorkerName]) -> String { workers.map(\.text).joined(separator: ",") }
}
