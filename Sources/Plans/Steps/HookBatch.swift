public import Model

/// What hooks are told of the allocations beside their own, by Maand's names.
public struct HookBatch: Equatable, Sendable {
    /// The allocations for which the hook runs side by side.
    public var allocations: [WorkerName]
    /// From 0.
    public var index: Int
    public var count: Int
    /// `new`, `update`, `job_control` or `stop`.
    public var phase: String
    /// The active allocations, in the order of the job's rollouts.
    public var order: [WorkerName]
    /// Whether somebody has set the order.
    public var isOrderChosen: Bool

    public init(
        _ allocations: [WorkerName], index: Int = 0, count: Int = 1, phase: String, order: [WorkerName],
        isOrderChosen: Bool
    ) {
        self.allocations = allocations
        self.index = index
        self.count = count
        self.phase = phase
        self.order = order
        self.isOrderChosen = isOrderChosen
    }

    public var variables: [String: String] {
        [
            "BATCH_ALLOCATIONS": Self.list(allocations), "BATCH_INDEX": String(index), "BATCH_COUNT": String(count),
            "DEPLOY_PHASE": phase, "ROLLOUT_ORDER": Self.list(order),
            "ROLLOUT_ORDER_SOURCE": isOrderChosen ? "kv" : "default",
        ]
    }

    static func list(_ workers: [WorkerName]) -> String { workers.map(\.text).joined(separator: ",") }
}

extension StepGraph {
    /// Whether somebody has set the order of the job's rollouts: before, or a hook of this run.
    public func isOrderChosen(of job: Plan.Job) -> Bool { orders[job.job] != nil || job.rolloutOrder == .keyValue }
}

extension HookTask {
    /// The variables about a batch for events that belong to none: they run for all allocations, as one batch.
    ///
    /// They are no part of what is recorded of an attempt: earlier releases did not have them, and they follow from the plan and
    /// the run's records.
    ///
    /// - Returns: empty in batches and stops, where `input` has them.
    public func batchOutsidePhases(_ step: StepIndex, in graph: StepGraph) -> [String: String] {
        guard case .job(let work, let worker) = purpose, graph.batch(of: step)?.position == nil else { return [:] }
        let order = graph.activeWorkers(of: work.job)
        let all = order + work.job.disabled
        var batch = HookBatch(
            all, phase: work.job.deployPhase(on: worker), order: order,
            isOrderChosen: graph.isOrderChosen(of: work.job))
        // It runs for one after the other.
        if event == .postBuild {
            batch.allocations = [worker]
            batch.index = all.firstIndex(of: worker) ?? 0
            batch.count = all.count
        }
        return batch.variables
    }
}

extension Plan.Job {
    /// What hooks of an allocation get as `DEPLOY_PHASE` outside batches.
    public func deployPhase(on worker: WorkerName) -> String {
        let entry = phases.lazy.flatMap(\.batches).joined().first { $0.worker == worker }
        if let entry, !isOperated { return deployPhase(of: entry) }
        return isJobControl ? "job_control" : Self.phaseOutsideRollouts
    }

    /// `DEPLOY_PHASE` where nothing is deployed: what is there is neither new nor stopped.
    public static let phaseOutsideRollouts = "update"
}
