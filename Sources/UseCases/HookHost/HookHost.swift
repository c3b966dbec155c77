internal import Catalog
internal import ControllerHooks
internal import Executor
internal import HookAPI
internal import KeyValues
internal import Model
internal import Plans
internal import ThisHost
internal import Workers

/// This host, as the one on which hooks run.
struct HookHost: Sendable {
    let context: ExecutionContext

    /// Makes sure that hooks can run here: that the bucket's key, from which they get tokens and secrets, is there or can be
    /// made, that they find their module, and that their interpreters are nobody else's.
    ///
    /// - Parameter isPreview: looks at the key that is there, and makes none.
    /// - Throws: `RolloutError.hooks`, `CatalogError`.
    func check(_ plan: Plan, isPreview: Bool) throws {
        // It separates the folders in which Python looks for modules.
        if context.bucketFolder.contains(":") {
            throw RolloutError.hooks(
                "the bucket's path has a colon, and hooks would not find the module `maand`. Rename a folder.")
        }
        _ = try interpreters(for: plan)
        do {
            if isPreview {
                try context.checkKey()
            } else {
                _ = try Vault.openOrCreate(in: context.bucketFolder, for: context.catalog)
            }
        } catch let error as VaultError {
            throw RolloutError.hooks("\(error)")
        }
    }

    /// Makes this host ready for the hooks of a run, which is recorded as with workers.
    ///
    /// - Parameter workers: runs what hooks ask to run on workers.
    /// - Throws: `RolloutError.preflight` if this host lacks something, `.hookPort` if hooks that live on could not
    ///   ask this process; what the catalog or the bucket's key say.
    func runner(
        for plan: Plan, _ recorder: Recorder, _ records: [StepRecord], workers: HookWorkers
    ) async throws -> HookRunner {
        let step = StepID.preflight(HookRunner.host)
        let known = records.first { $0.step == step }?.detail
        let (runner, generation) = try await runner(
            for: plan, recorder.run, generation: known, keepsAddress: true,
            leftBehind: { Set(recorder.graph.leftBehind.lazy.compactMap(\.allocation)) },
            begun: HookIdentity.begun(recorder.graph, records, of: recorder.run.id), workers: workers)
        if known == nil { try await recorder.preflight([(step, generation)]) }
        return runner
    }

    /// - Parameters:
    ///   - run: on whose behalf hooks are run.
    ///   - generation: what the receipts directory was when the run first saw it; nil compares nothing.
    ///   - keepsAddress: whether hooks of the run find a later process at the same place.
    ///   - begun: hooks that an earlier process began and that have no outcome.
    ///   - workers: runs what hooks ask to run on workers.
    /// - Returns: also what the receipts directory is now.
    func runner(
        for plan: Plan, _ run: Run, generation: String?, keepsAddress: Bool,
        leftBehind: @escaping @Sendable () -> Set<AllocationID> = { [] }, begun: [HookIdentity] = [],
        workers: HookWorkers
    ) async throws -> (runner: HookRunner, generation: String) {
        let bucketFolder = context.bucketFolder
        let interpreters = try interpreters(for: plan)
        let folder = PrivateFolder.hooks(of: bucketFolder)
        try HookFileProblem.explaining(folder) { try PrivateFolder.make(folder) }
        let (session, seen) = try await session(for: plan, run, generation: generation)
        // One that has ended asks nobody, and nobody else in its name.
        let living = try await self.living(among: begun, of: run, session)
        let services: RunHookServices
        do {
            services = try await RunHookServices.open(
                bucketFolder: bucketFolder, catalog: context.catalog, clock: context.clock, run: run, plan: plan,
                keepsAddress: keepsAddress, port: context.configuration.hookAPIPort, leftBehind: leftBehind,
                living: living, workers: workers.run,
                report: { [observe = context.observe] in observe(.warning(.hook($0))) })
        } catch let taken as HookPortTaken {
            throw RolloutError.hookPort(run.id, taken.port, living.map(\.attempt.step))
        }
        let runner = HookRunner(
            session: session, services: services, store: context.store, bucketFolder: bucketFolder,
            facts: plan.facts ?? Facts(), fleet: plan.fleet, jobs: Set(plan.modules.map(\.job)),
            inherited: ControlHost.environment(of: context.configuration), interpreters: interpreters)
        let open = Set(
            try context.catalog.steps(of: run.id).lazy.filter { $0.state == .started }.map(\.attemptID))
        runner.removeEnvironments(but: open)
        await runner.removeOldModules(but: plan)
        runner.boundOutputs(
            but: open, removing: try context.catalog.keyValueNamespaces().contains(where: \.isSecret))
        return (runner, seen)
    }

    /// Asks this host whether hooks can run.
    ///
    /// - Returns: also what the receipts directory is now.
    /// - Throws: `RolloutError.preflight`.
    private func session(
        for plan: Plan, _ run: Run, generation: String?
    ) async throws -> (session: WorkerSession, generation: String) {
        var session = HookRunner.session(context.bucketFolder, bucket: plan.fleet.bucket, owner: context.owner(of: run))
        let report: PreflightReport
        do {
            // The bucket's lock says who runs hooks here; an owner record can only be of an earlier run.
            report = try await session.preflight(
                takeOver: true, isSeen: generation != nil,
                settled: (try? context.catalog.settledRuns(before: run.id)) ?? [])
        } catch {
            throw RolloutError.preflight(run.id, ["this host, for hooks: \(error.message)"])
        }
        guard report.faults.isEmpty else {
            throw RolloutError.preflight(run.id, report.faults.map { "this host, for hooks: \($0)" })
        }
        session.generation = generation ?? report.generation
        session.noteClock(of: report)
        return (session, report.generation)
    }

    /// Those hooks that run, by their receipts; one that cannot be asked about is among them.
    private func living(
        among hooks: [HookIdentity], of run: Run, _ session: WorkerSession
    ) async throws -> [HookIdentity] {
        if hooks.isEmpty { return [] }
        let open = Dictionary(
            try context.catalog.steps(of: run.id).map { ($0.step, $0.attemptID) }, uniquingKeysWith: { _, last in last }
        )
        var living: [HookIdentity] = []
        for hook in hooks {
            guard let id = open[hook.attempt.step] else { continue }
            switch try? await session.inquire(id, tailLimit: 1) {
            case .running, nil: living.append(hook)
            case .finished, .absent, .fenced, .notStarted, .interrupted, .conflict, .busy, .generationChanged,
                .notOwner,
                .refused:
                break
            }
        }
        return living
    }
}
