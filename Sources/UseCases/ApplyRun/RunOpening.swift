internal import Catalog
internal import Executor
internal import Model
internal import Plans

/// Finds out about a plan and its run before anything is touched, and refuses what may not run.
struct RunOpening: Sendable {
    private let file: PlanFile
    private let options: ApplyRun.Options
    private let context: ExecutionContext

    init(_ file: PlanFile, _ options: ApplyRun.Options, _ context: ExecutionContext) {
        self.file = file
        self.options = options
        self.context = context
    }

    enum Finding {
        case alreadyDone(Run)
        case rolledBack(Run)
        case nothingToDo
        case ready(Ready)
    }

    /// What a run that may begin or continue needs.
    struct Ready {
        /// Nil if the run is to begin.
        var resumed: Run?
        var monitor: WindowMonitor
        var permit: Permit
        /// The plan by which the run goes back; nil if it does not.
        var wayBack: Plan?
    }

    /// - Parameter isPreview: nothing may be written.
    /// - Throws: `RolloutError` if nothing may run, `WindowHold` if nothing may run now.
    func find(isPreview: Bool = false) async throws -> Finding {
        try checkBucket()
        let plan = file.plan
        if let origin = plan.origin, origin.isPartOfRun { throw RolloutError.partOfRun(origin.rollback) }
        let latest = try context.catalog.latestRun(of: file.id)
        if let latest, latest.state == .rolledBack {
            guard !options.retryFailed else { throw RolloutError.rolledBack(latest) }
            return .rolledBack(latest)
        }
        if let latest, let back = try context.wayBack(of: latest), latest.state.isUnfinished {
            return .ready(try await goOnBack(latest, back, isPreview: isPreview))
        }
        let permit = try await Permit.find(file, options, context)
        if let latest, latest.state == .succeeded { return .alreadyDone(latest) }
        if plan.isEmpty { return .nothingToDo }
        let resumed = try existingRun()
        let hasBegun = try resumed.map(context.catalog.hasBegun) ?? false
        let window = WindowCheck(plan: plan, context: context)
        let monitor = try window.monitor(permit.watch)
        try window.check(resumed, hasBegun: hasBegun, monitor)
        if !hasBegun { try checkBase() }
        try ContentCheck(context).check(plan)
        let back = plan.wholeWayBack
        if let back { try ContentCheck(context).check(back) }
        if context.needsKey(plan) || back.map(context.needsKey) == true { try context.checkKey() }
        // Also of a run that goes on: what it has begun must not wait for a value, nor must its way back.
        for plan in isPreview ? [] : [plan, back].compactMap(\.self) {
            if hasBegun { try await context.askProviders(of: plan) } else { try await context.checkSecrets(of: plan) }
        }
        // Before the run begins: for a key that cannot be read nothing has to be given up.
        if plan.hasHooks { try HookHost(context: context).check(plan, isPreview: isPreview) }
        if let back, back.hasHooks {
            try HookHost(context: context).check(back, isPreview: isPreview)
        }
        return .ready(Ready(resumed: resumed, monitor: monitor, permit: permit))
    }

    /// A run that goes back does so at any time: what is in the way of a run that goes forth is only told.
    private func goOnBack(_ run: Run, _ back: Plan, isPreview: Bool) async throws -> Ready {
        var permit = Permit()
        do {
            permit = try await Permit.find(file, options, context)
            permit.watch = nil
        } catch RolloutError.notApproved(let problem, _) where !options.takeOver && !options.acceptsNewHosts {
            let reason = problem.split(separator: "\n").first.map(String.init) ?? problem
            context.observe(.warning(.goesBackAnyway(reason)))
        }
        context.reportWindow(of: file.plan, run)
        try ContentCheck(context).check(back)
        if back.hasHooks { try HookHost(context: context).check(back, isPreview: isPreview) }
        if context.needsKey(back) { try context.checkKey() }
        var back = back
        // Values may have changed again since it went back.
        if !isPreview { back = try await context.renewed(back, of: run) }
        return Ready(resumed: run, monitor: .unrestricted(context), permit: permit, wayBack: back)
    }

    private func checkBucket() throws {
        let plan = file.plan
        let configuration = context.configuration
        guard plan.fleet.bucket == configuration.bucketID else {
            throw RolloutError.otherBucket(planned: plan.fleet.bucket, actual: configuration.bucketID)
        }
        guard plan.fleet.transport == configuration.transport else {
            throw RolloutError.otherTransport(planned: plan.fleet.transport, actual: configuration.transport)
        }
        guard plan.fleet.workerRoot == configuration.workerRoot else {
            throw RolloutError.otherWorkerRoot(planned: plan.fleet.workerRoot, actual: configuration.workerRoot)
        }
    }

    /// Compares the catalog with what the plan was made from.
    private func checkBase() throws {
        let plan = file.plan
        let snapshot = try context.catalog.snapshot()
        let contradicted = snapshot.contradicted(plan.renames)
        guard contradicted.isEmpty else { throw RolloutError.knownOtherwise(contradicted) }
        guard try !context.catalog.hasRenamed(since: plan.base.catalogRevision, but: file.id) else {
            throw RolloutError.renamedSince
        }
        let facts = plan.staleFacts(in: snapshot.renamed(plan.renames))
        guard facts.isEmpty else { throw RolloutError.stale(facts) }
    }

    /// The run that this plan has already, if it may be continued.
    private func existingRun() throws -> Run? {
        let catalog = context.catalog
        if let run = try catalog.unfinishedRun() {
            if run.plan == file.id { return run }
            if try catalog.hasBegun(run) { throw RolloutError.unfinishedRun(run) }
        }
        guard let run = try catalog.latestRun(of: file.id) else { return nil }
        guard run.state == .abandoned else { return run }
        // If nobody has given it up, and nothing of it has begun, the plan may be tried again.
        let isGivenUp = try catalog.decisions(run.id).contains { $0.what == .abandon }
        guard try !isGivenUp && !catalog.hasBegun(run) else { throw RolloutError.abandoned(run) }
        return nil
    }
}
