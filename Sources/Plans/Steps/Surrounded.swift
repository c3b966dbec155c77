internal import Model

/// What hooks of an allocation are around: everything that a plan does to it.
public enum Surrounded: Sendable {
    case deployment(Deployment)
    case operation(OperatedAllocation)
    case stop(StopWork)

    var allocation: AllocationID {
        switch self {
        case .deployment(let deployment): deployment.allocation
        case .operation(let allocation): allocation.allocation
        case .stop(let work): work.stop.allocation
        }
    }

    /// Nil for a stop, whose job may have left the workspace.
    var work: JobWork? {
        switch self {
        case .deployment(let deployment): deployment.work
        case .operation(let allocation): allocation.work
        case .stop: nil
        }
    }

    var release: Release? {
        switch self {
        case .deployment(let deployment): deployment.release
        case .operation(let allocation): allocation.release
        case .stop(let work): work.release
        }
    }

    /// The hooks of one event, in the order in which they run. What is stopped is never found well.
    func hooks(_ event: HookEvent) -> [HookWork] {
        switch self {
        case .deployment(let deployment): return deployment.work.hooks[event] ?? []
        case .operation(let allocation):
            if allocation.verb == .stop, event == .afterAllocationHealthy { return [] }
            return allocation.work.hooks[event] ?? []
        case .stop(let work): return work.hooksAround[event] ?? []
        }
    }

    /// From here on the allocation may be without its load. A hook for what is well gives it back; without one, nobody says when
    /// that is. What is stopped has no such hook: it is drained until it has stopped.
    var changesBefore: [CatalogChange] {
        let event: HookEvent
        switch self {
        case .deployment: event = .afterAllocationHealthy
        case .operation(let allocation):
            event = allocation.verb == .stop ? .beforeAllocation : .afterAllocationHealthy
        case .stop: event = .beforeAllocation
        }
        return hooks(event).isEmpty ? [] : [.drained(allocation, true)]
    }

    /// The variables about versions.
    func input(_ event: HookEvent) -> [String: String] {
        switch self {
        case .deployment(let deployment):
            let new = deployment.job.version
            let old = deployment.from?.version ?? new
            return ["CURRENT_VERSION": event == .afterAllocationHealthy ? new : old, "NEW_VERSION": new]
        case .operation(let allocation):
            let version = allocation.from?.version ?? ""
            return ["CURRENT_VERSION": version, "NEW_VERSION": version, "TARGET": allocation.verb.target]
        case .stop(let work):
            let version = work.stop.from.version
            let isDisabled = work.stop.reason == .disabled
            return [
                "DISABLED": isDisabled ? "1" : "0", "CURRENT_VERSION": version, "NEW_VERSION": version,
                "TARGET": LifecycleAction.stop.rawValue,
            ]
        }
    }

    /// `DEPLOY_PHASE`, in Maand's words.
    var phase: String {
        switch self {
        case .deployment(let deployment): return deployment.job.deployPhase(of: deployment.entry)
        case .operation(let allocation):
            if allocation.work.job.isJobControl { return "job_control" }
            return allocation.verb == .stop ? "stop" : "update"
        case .stop: return "stop"
        }
    }
}
