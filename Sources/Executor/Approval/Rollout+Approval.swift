internal import Approvals
internal import Catalog
internal import Model
internal import Synchronization

extension Rollout {
    /// What lets a plan run.
    struct Permit: Sendable {
        /// For the catalog; nil where no policy asks for anything.
        var record: ApprovalRecord?
        /// A person decided in place of reviewers, for this reason.
        var override: String?
        /// Nil where nothing can lapse.
        var watch: ApprovalWatch?
    }

    /// Refuses what is not approved, before anything is touched.
    ///
    /// - Throws: `RolloutError.notApproved`.
    func permit(_ file: PlanFile, _ options: Options) async throws -> Permit {
        guard let approval else { return Permit() }
        let run = try catalog.latestRun(of: file.id)
        // Neither touches anything.
        if file.plan.isEmpty || run?.state == .succeeded { return Permit() }
        let resumed = run.flatMap { $0.state.isUnfinished ? $0 : nil }
        do {
            let recorded = try resumed.flatMap { try catalog.approvals(of: $0.id)?.policy }
            let found = try await approval.assess(
                file, recorded: recorded, isStart: try resumed.map(hasBegun) != true, at: clock.now()
            ) {
                try KnownTags.read(bucketFolder, configuration, catalog, resumed: resumed?.id)
            }
            guard let found else { return Permit() }
            for (isWanted, name) in [(options.takeOver, "--take-over"), (options.acceptsNewHosts, "--accept-new")] {
                if isWanted { try approval.requireOverrideRight(for: name, recorded: recorded) }
            }
            var permit = Permit()
            permit.record = ApprovalRecord(
                digest: found.standing.digest, policy: found.standing.text,
                approvals: found.tally.counted.map {
                    .init(principal: $0.principal, key: $0.key, writtenAt: $0.writtenAt)
                })
            if found.tally.isApproved {
                permit.watch = watch(approval, file, recorded: recorded ?? found.standing.text)
                return permit
            }
            guard let reason = options.overrideReason else {
                throw ApprovalProblem(found.tally.problem(of: found.standing.path))
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
    func record(_ permit: Permit, of run: Run, isResumed: Bool) throws {
        if isResumed, let record = permit.record { try catalog.record(record, of: run.id, at: clock.now()) }
        if let reason = permit.override { try catalog.record(decision(run.id, .overrideApproval, reason)) }
    }

    /// - Throws: `RolloutError.notApproved` where there is a policy and it does not let the user decide.
    func requireOverrideRight(for what: String, _ run: Run) throws {
        do {
            try approval?.requireOverrideRight(for: what, recorded: try catalog.approvals(of: run.id)?.policy)
        } catch let problem as ApprovalProblem {
            throw RolloutError.notApproved(problem.description, mixed: [])
        }
    }

    private func watch(_ approval: ApprovalCheck, _ file: PlanFile, recorded: [UInt8]) -> ApprovalWatch {
        ApprovalWatch(since: clock.now()) { [bucketFolder, configuration, catalog] now in
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

/// Looks again from time to time whether a plan is approved while it is executed. Safe from any task.
final class ApprovalWatch: Sendable {
    /// Milliseconds after which what was found is looked for again.
    static let interval: Int64 = 30_000

    private let look: @Sendable (Timestamp) async throws -> String?
    private let state: Mutex<State>

    private struct State {
        var lookedAt: Timestamp
        /// It does not come back by itself within one process.
        var lapse: String?
    }

    /// - Parameters:
    ///   - now: when it was found to be approved.
    ///   - look: nil where it is, else why it is not.
    init(since now: Timestamp, look: @escaping @Sendable (Timestamp) async throws -> String?) {
        self.look = look
        state = Mutex(State(lookedAt: now))
    }

    /// Why the plan is not approved any more; nil where it is.
    func lapse(at now: Timestamp) async -> String? {
        let isDue = state.withLock { state -> Bool in
            guard state.lapse == nil, abs(now.milliseconds - state.lookedAt.milliseconds) >= Self.interval else {
                return false
            }
            state.lookedAt = now
            return true
        }
        if isDue {
            let found: String?
            do { found = try await look(now) } catch { found = "whether the plan is still approved was not found out" }
            state.withLock { $0.lapse = $0.lapse ?? found }
        }
        return state.withLock { $0.lapse }
    }
}
