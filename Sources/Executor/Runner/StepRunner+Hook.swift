internal import Catalog
internal import ControllerHooks
internal import Model
internal import Plans
internal import StepMachinery

/// Runs hooks, and decides the order that they may have put.
extension StepRunner {
    /// Runs a step's hook, or finds out what became of it, as `run` does with targets.
    func runHook(
        _ hook: HookTask, _ index: StepIndex, attempt: Int, isResumed: Bool
    ) async throws -> (Ending, Int) {
        guard let hooks else {
            return (.failed(.hooksNotReady), attempt)
        }
        let call = try call(hook, index, attempt: attempt)
        let first = call.attempt
        return try await hooks.inSlot {
            let task = AttemptTask(
                session: hooks.session, isOnControlHost: true, isRepeatable: call.hook.isRepeatable
            ) { attempt in
                // Another attempt of the step has another receipt and another token.
                let call = try self.call(hook, index, attempt: attempt)
                return try await hooks.request(
                    call, tailLimit: Self.outputLimit, mayHaveRun: isResumed && call.attempt == first)
            }
            var (ending, last) = try await run(task, index, attempt: attempt, isResumed: isResumed)
            for passed in attempt..<last { try await hookEnded(index, attempt: passed) }
            switch ending.outcome {
            case .succeeded, .failed, .unknown:
                // Processes that it has left behind may go on until the outcome is recorded, and after that.
                if !ending.isOpen { hooks.services.dismiss(try self.call(hook, index, attempt: last)) }
            case .unreachable, .stale, .interrupted: break
            }
            ending.output = ending.output.map { hooks.redacted($0, call) }
            return (ending, last)
        }
    }

    /// The outcome of a hook's attempt is recorded.
    func hookEnded(_ index: StepIndex, attempt: Int) async throws {
        guard let hooks, case .hook(let hook) = graph.steps[index].task else { return }
        await hooks.ended(try call(hook, index, attempt: attempt))
    }

    /// Decides in which order the job's batches are cut: the plan's, or that which a hook of the run has put, where it
    /// names every active allocation once.
    func decideOrder(_ task: OrderTask, _ index: StepIndex) async throws {
        let step = graph.steps[index]
        let job = task.work.job
        var order: [WorkerName]?
        var detail = "as planned"
        if let text = try hooks?.services.rolloutOrder(of: job.job) {
            switch resolve(text, for: job) {
            case .success(let found) where found == job.active: detail = "as planned, and as a hook has put it"
            case .success(let found):
                order = found
                detail = "put by a hook: " + found.map(\.text).joined(separator: ",")
            case .failure(let stale):
                detail = "as planned, since the order that a hook has put \(stale)"
                recorder.observe(.warning(.orderNotUsed(step.id, detail)))
            }
        }
        try await recorder.decide(index, order: order, detail: detail)
    }

    /// What a hook has put as the job's order. One that does not name what the run has left behind is as good: these keep
    /// the last places.
    private func resolve(_ text: String, for job: Plan.Job) -> Result<[WorkerName], RolloutOrder.Stale> {
        let whole = RolloutOrder.resolve(text, active: job.active)
        let there = graph.activeWorkers(of: job)
        guard case .failure = whole, there.count < job.active.count,
            case .success(let order) = RolloutOrder.resolve(text, active: there)
        else { return whole }
        let named = Set(order)
        return .success(order + job.active.filter { !named.contains($0) })
    }

    /// A hook's attempt, with all of its input. The same for every process that reads the same plan and records.
    func call(_ task: HookTask, _ index: StepIndex, attempt: Int) throws -> HookCall {
        let step = graph.steps[index]
        var input = task.input(index, in: graph)
        // Its plan says nothing of what runs where, and changes nothing of it.
        if JobCommand.events.contains(task.event) || task.isForDisabled {
            let record = try recorder.catalog.records(of: [task.allocation])[task.allocation]
            input["CURRENT_VERSION"] = record?.promoted?.version ?? Version.none.text
        }
        return HookCall(
            attempt: WritingAttempt(run: recorder.run.id, step: step.id, attempt: attempt),
            job: task.allocation.job, worker: task.allocation.worker, hook: task.hook, event: task.event,
            id: recorder.attemptID(index, attempt),
            timeout: task.work.timeout, modules: task.work.modules, input: input,
            batch: task.batchOutsidePhases(index, in: graph))
    }
}
