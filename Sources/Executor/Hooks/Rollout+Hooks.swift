internal import Catalog
internal import Model

extension Rollout {
    /// Makes this host ready for the hooks of a run.
    ///
    /// - Throws: `RolloutError.preflight` where this host lacks something; what the catalog or the bucket's key say.
    func hookRunner(for plan: Plan, _ recorder: Recorder, _ records: [StepRecord]) async throws -> HookRunner {
        var session = HookRunner.session(bucketFolder, bucket: plan.bucket, owner: owner(of: recorder.run))
        let report: PreflightReport
        do {
            // The bucket's lock says who runs hooks here; an owner record can only be of an earlier run.
            report = try await session.preflight(takeOver: true)
        } catch {
            throw RolloutError.preflight(recorder.run.id, ["this host, for hooks: \(error.message)"])
        }
        guard report.faults.isEmpty else {
            throw RolloutError.preflight(recorder.run.id, report.faults.map { "this host, for hooks: \($0)" })
        }
        let step = Workforce.preflightStep(HookRunner.host)
        let known = records.first { $0.step == step }?.detail
        session.generation = known ?? report.generation
        session.clock = (report.clock, .now)
        if known == nil { try await recorder.preflight([(step, report.generation)]) }
        let services = try await RunHookServices.open(
            bucketFolder: bucketFolder, catalog: catalog, clock: clock, run: recorder.run, plan: plan,
            report: { [observe] in observe(.warning($0)) })
        return HookRunner(
            session: session, services: services, store: store, bucketFolder: bucketFolder,
            facts: plan.facts ?? Facts(), jobs: Set(plan.modules.map(\.job)),
            inherited: ControlHost.environment(of: configuration))
    }
}
