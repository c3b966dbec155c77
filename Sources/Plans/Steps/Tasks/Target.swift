public import Model

/// Runs a Makefile target on the worker; never for `sync`, which is a push alone.
public struct Target: TaskRules {
    /// Why the target runs.
    public enum Purpose: Sendable {
        case deployment(Deployment)
        case stop(StopWork)
        case operation(OperatedAllocation)
    }

    public let purpose: Purpose

    /// The allocation on which it runs.
    public var allocation: AllocationID {
        switch purpose {
        case .deployment(let deployment): deployment.allocation
        case .stop(let work): work.stop.allocation
        case .operation(let allocation): allocation.allocation
        }
    }

    /// What the target does to the allocation.
    public var action: LifecycleAction {
        switch purpose {
        case .deployment(let deployment): deployment.entry.action
        case .stop: .stop
        case .operation(let allocation): allocation.verb.action
        }
    }

    /// The target's name.
    public var name: String {
        switch purpose {
        case .deployment, .stop: action.rawValue
        case .operation(let allocation): allocation.verb.target
        }
    }

    /// Seconds that an attempt may take.
    public var timeout: Int {
        switch purpose {
        case .deployment(let deployment): deployment.job.timeouts.action
        case .stop(let work): work.stop.timeout
        case .operation(let allocation): allocation.work.job.timeouts.action
        }
    }

    /// Whether a job without a Makefile is no failure.
    public var isMakefileOptional: Bool {
        switch purpose {
        case .deployment, .operation: false
        case .stop(let work): work.stop.isMakefileOptional
        }
    }

    /// Whether it may be run again when it is unknown whether it ran.
    public var isRepeatable: Bool { job?.repeatable.contains(action) == true }

    public var verb: String { name }

    public var job: Plan.Job? {
        switch purpose {
        case .deployment(let deployment): deployment.job
        case .stop: nil
        case .operation(let allocation): allocation.work.job
        }
    }

    public var from: FromState? {
        switch purpose {
        case .deployment(let deployment): deployment.from
        case .stop(let work): work.stop.from
        case .operation(let allocation): allocation.from
        }
    }

    public var release: Release? {
        switch purpose {
        case .deployment(let deployment): deployment.release
        case .stop(let work): work.release
        case .operation(let allocation): allocation.release
        }
    }

    public var contactsWorker: Bool { true }
    public var receipt: ReceiptKeeper? { .worker }
    public var proof: Proof? { .receipt }
    public var limitMilliseconds: Int64 { Int64(timeout + ExecutionLimits.grace) * 1000 }

    public var precondition: Precondition? {
        switch purpose {
        case .deployment: nil
        case .stop(let work): .makefile(work.stop)
        case .operation(let allocation): allocation.precondition
        }
    }

    public func changesAtStart(_ step: StepIndex, in graph: StepGraph) -> [CatalogChange] {
        switch purpose {
        case .deployment(let deployment): deployment.changesAtStart
        case .stop(let work): work.changesAtStart
        case .operation(let allocation): allocation.changesAtStart
        }
    }

    /// A stopped allocation has to be started again, whatever becomes of the run and of its files.
    public var changesAtSuccess: [CatalogChange] {
        switch purpose {
        case .deployment: []
        case .stop(let work): work.changesAtStop
        case .operation(let allocation): allocation.changesAtSuccess
        }
    }
}
