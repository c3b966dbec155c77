public import Model

/// Runs a command of the job on the controller, for one allocation. What is recorded of the job follows from the steps
/// before and after it.
public struct HookTask: TaskRules {
    /// For what the hook runs.
    public enum Purpose: Sendable {
        case deployment(Deployment)
        case stop(StopWork)
        /// For an active allocation on this worker, whatever the plan does with it.
        case job(JobWork, WorkerName)
        /// In place of a target on what is deployed; with the last of its commands it is done.
        case operation(OperatedAllocation, isLast: Bool)
        /// Around what is done to an allocation, or to the batch of which it is the first.
        case around(Surrounded)
    }

    public let work: HookWork
    public let purpose: Purpose

    /// The allocation for which it runs.
    public var allocation: AllocationID {
        switch purpose {
        case .deployment(let deployment): deployment.allocation
        case .stop(let work): work.stop.allocation
        case .job(let work, let worker): AllocationID(job: work.job.job, worker: worker)
        case .operation(let allocation, _): allocation.allocation
        case .around(let surrounded): surrounded.allocation
        }
    }

    /// Whether the allocation is disabled, and the hook runs for it all the same. The plan does not know what it has run.
    public var isForDisabled: Bool {
        if case .job(let work, let worker) = purpose { work.isDisabled(on: worker) } else { false }
    }

    public var event: HookEvent { work.event }
    public var hook: Plan.Hook { work.hook }

    public var verb: String { work.hook.command }
    public var receipt: ReceiptKeeper? { .controller }
    public var limitMilliseconds: Int64 { Int64(work.timeout + ExecutionLimits.grace) * 1000 }

    public var job: Plan.Job? {
        switch purpose {
        case .deployment(let deployment): deployment.job
        case .stop: nil
        case .job(let work, _): work.job
        case .operation(let allocation, _): allocation.work.job
        case .around(let surrounded): surrounded.work?.job
        }
    }

    /// What is around an allocation says nothing of its own: the steps between have the state.
    public var from: FromState? {
        switch purpose {
        case .deployment(let deployment): deployment.from
        case .stop(let work): work.stop.from
        case .job, .around: nil
        case .operation(let allocation, _): allocation.from
        }
    }

    public var release: Release? {
        switch purpose {
        case .deployment(let deployment): deployment.release
        case .stop(let work): work.release
        case .job(let work, let worker):
            work.tree(of: worker).map { Release(version: work.version(of: worker), content: $0) }
        case .operation(let allocation, _): allocation.release
        case .around(let surrounded): surrounded.release
        }
    }

    public var precondition: Precondition? {
        switch purpose {
        case .deployment, .stop, .job, .around: nil
        case .operation(let allocation, _): allocation.precondition
        }
    }

    public func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange] {
        switch purpose {
        case .deployment, .stop, .job: []
        case .operation(let allocation, _): allocation.changesAtStart
        case .around(let surrounded): event == .beforeAllocation ? surrounded.changesBefore : []
        }
    }

    public var changesAtSuccess: [CatalogChange] {
        switch purpose {
        case .deployment, .stop, .job: []
        case .operation(let allocation, let isLast): isLast ? allocation.changesAtSuccess : []
        case .around(let surrounded): isLastWhenHealthy(surrounded) ? [.drained(surrounded.allocation, false)] : []
        }
    }

    /// Whether nothing keeps the allocation from its load any more.
    private func isLastWhenHealthy(_ surrounded: Surrounded) -> Bool {
        event == .afterAllocationHealthy && surrounded.hooks(event).last?.hook.command == hook.command
    }

    /// The hook's variables about versions and its batch, by Maand's names.
    ///
    /// For the event `cli` and disabled allocations the plan does not know what runs; `CURRENT_VERSION` is then to be taken from
    /// the catalog.
    public func input(_ step: StepIndex, in graph: StepGraph) -> [String: String] {
        var values = ["DISABLED": "0"]
        switch purpose {
        case .deployment(let deployment):
            values["CURRENT_VERSION"] = deployment.from?.version ?? deployment.version
            values["NEW_VERSION"] = deployment.version
        case .stop(let work):
            values["DISABLED"] = work.stop.reason == .disabled ? "1" : "0"
            values["CURRENT_VERSION"] = work.stop.from.version
            values["NEW_VERSION"] = work.stop.from.version
        case .job(let work, let worker):
            let version = work.version(of: worker)
            values["CURRENT_VERSION"] = event == .preDeploy ? work.versionBefore(on: worker) : version
            values["NEW_VERSION"] = version
            if isForDisabled { values["DISABLED"] = "1" }
        case .operation(let allocation, _):
            values["CURRENT_VERSION"] = allocation.from?.version
            values["NEW_VERSION"] = allocation.from?.version
            values["TARGET"] = allocation.verb.target
        case .around(let surrounded): values.merge(surrounded.input(event)) { _, new in new }
        }
        return values.merging(batchInput(step, in: graph)) { _, new in new }
    }

    private func batchInput(_ step: StepIndex, in graph: StepGraph) -> [String: String] {
        guard let batch = graph.batch(of: step), let position = batch.position else { return [:] }
        let workers = batch.chains.compactMap { chain in
            chain.steps.first.flatMap { graph.isLeftBehind($0) ? nil : graph.steps[$0].worker }
        }
        let order = job.map(graph.activeWorkers) ?? workers
        var values = HookBatch(
            workers, index: position.index, count: position.count, phase: phase, order: order,
            isOrderChosen: job.map(graph.isOrderChosen) ?? false
        ).variables
        guard let job, job.isJobControl, !job.isOperated else { return values }
        let entries = job.entries
        let new = Set(entries.lazy.filter { $0.action == .start }.map(\.worker))
        let acting = Set(entries.map(\.worker))
        values["NEW_ALLOCATIONS"] = HookBatch.list(order.filter(new.contains))
        values["UPDATED_ALLOCATIONS"] = HookBatch.list(order.filter { acting.contains($0) && !new.contains($0) })
        return values
    }

    private var phase: String {
        switch purpose {
        case .deployment(let deployment): deployment.job.deployPhase(of: deployment.entry)
        case .stop, .job: "stop"
        case .operation: "job_control"
        case .around(let surrounded): surrounded.phase
        }
    }
}
