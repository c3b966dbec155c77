internal import Approvals
internal import Catalog
internal import Executor
internal import Model
internal import Plans
internal import ThisHost

/// What lets a plan run.
struct Permit: Sendable {
    /// For the catalog; nil if no policy asks for anything.
    var record: ApprovalRecord?
    /// A person decided in place of reviewers, for this reason.
    var override: String?
    /// Nil if nothing can lapse.
    var watch: ApprovalWatch?

    /// Refuses what is not approved, before anything is touched.
    ///
    /// - Throws: `RolloutError.notApproved`.
    static func find(
        _ file: PlanFile, _ options: ApplyRun.Options, _ context: ExecutionContext
    ) async throws -> Permit {
        guard let approval = context.approval else { return Permit() }
        let catalog = context.catalog
        let run = try catalog.latestRun(of: file.id)
        // Neither touches anything.
        if file.plan.isEmpty || run?.state == .succeeded { return Permit() }
        let resumed = run.flatMap { $0.state.isUnfinished ? $0 : nil }
        do {
            let recorded = try resumed.flatMap { try catalog.approvals(of: $0.id)?.policy }
            let found = try await approval.assess(
                file, recorded: recorded, isStart: try resumed.map(catalog.hasBegun) != true, at: context.clock.now()
            ) {
                try KnownTags.read(context.bucketFolder, context.configuration, catalog, resumed: resumed?.id)
            }
            guard let found else { return Permit() }
            for (isWanted, name) in [(options.takeOver, "--take-over"), (options.acceptsNewHosts, "--accept-new")] {
                if isWanted { try approval.requireOverrideRight(for: name, recorded: recorded) }
            }
            var permit = Permit()
            permit.record = ApprovalRecord(
                digest: found.current.digest, policy: found.current.text,
                approvals: found.tally.counted.map {
                    .init(principal: $0.principal, key: $0.key, writtenAt: $0.writtenAt)
                })
            if found.tally.isApproved {
                permit.watch = watch(approval, file, recorded: recorded ?? found.current.text, context)
                return permit
            }
            guard let reason = options.overrideReason else {
                throw ApprovalProblem(found.tally.problem(of: found.current.path))
            }
            try approval.requireOverrideRight(for: "--override-approval", recorded: recorded)
            permit.override = "\(found.tally.summary): \(reason)"
            return permit
        } catch let problem as ApprovalProblem {
            let mixed = try resumed.map { StepGraph(file.plan).mixedVersions(try catalog.steps(of: $0.id)) }
            throw RolloutError.notApproved(problem.description, mixed: mixed ?? [])
        }
    }

    /// Keeps what let the run begin or go on.
    func record(of run: Run, isResumed: Bool, _ context: ExecutionContext) throws {
        if isResumed, let record { try context.catalog.record(record, of: run.id, at: context.clock.now()) }
        if let override { try context.catalog.record(context.decision(run.id, .overrideApproval, override)) }
    }

    private static func watch(
        _ approval: ApprovalCheck, _ file: PlanFile, recorded: [UInt8], _ context: ExecutionContext
    ) -> ApprovalWatch {
        ApprovalWatch(since: context.clock.now()) {
            [bucketFolder = context.bucketFolder, configuration = context.configuration, catalog = context.catalog] now
            in
            do {
                let found = try await approval.assess(file, recorded: recorded, isStart: false, at: now) {
                    // The run is this plan's by now.
                    try KnownTags.read(
                        bucketFolder, configuration, catalog, resumed: try catalog.latestRun(of: file.id)?.id)
                }
                guard let found, !found.tally.isApproved else { return nil }
                return "the plan is not approved any more: \(found.tally.summary)"
            } catch let problem as ApprovalProblem {
                return "whether the plan is still approved cannot be found out: \(problem)"
            }
        }
    }
}
