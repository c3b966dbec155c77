internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import Workers

/// The workers on which hooks may run commands.
extension ExecutionContext {
    /// The plan's workers and, for its hooks, those others of the bucket that a run has reached before, as they were then.
    func fleetOfHooks(of plan: Plan) throws -> Fleet {
        var fleet = plan.fleet
        guard plan.hasHooks, let facts = plan.facts else { return fleet }
        let planned = Set(fleet.workers.map(\.worker))
        let others = Set(facts.workers.map(\.worker)).subtracting(planned)
        if others.isEmpty { return fleet }
        fleet.workers += try catalog.workers().map(\.worker).filter {
            others.contains($0.worker) && ($0.ssh != nil) == (fleet.transport == .ssh)
        }
        return fleet
    }

    func hookWorkers(
        of plan: Plan, _ run: Run, _ stepRunner: StepRunner, over transport: any Transport
    ) throws -> HookWorkers {
        HookWorkers(
            fleet: try fleetOfHooks(of: plan), transport: transport, of: stepRunner, owner: owner(of: run))
    }
}
