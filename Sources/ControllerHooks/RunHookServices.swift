package import Catalog
package import HookAPI
internal import KeyValues
package import Model
package import Plans
package import ThisHost

/// What hooks of a run can ask, over HTTP on this host: variables, secrets, demands and semaphores.
///
/// `admit` is called before a hook is started; those that run already when a process continues a run are `living`. What a
/// hook writes is durable when it hears so, and takes effect in the transaction that records its attempt as succeeded
/// (`Catalog.keep`). May be used from any number of tasks.
package struct RunHookServices: Sendable {
    private let api: HookAPI
    private let catalog: Catalog
    private let vault: Vault
    private let facts: Facts
    private let run: RunID

    /// - Parameters:
    ///   - keepsAddress: whether hooks of the run find a later process at the same place.
    ///   - port: see `HookAPI.open`.
    ///   - leftBehind: see `HookAPI.open`.
    ///   - living: attempts that an earlier process began and that run now.
    ///   - workers: see `HookAPI.open`.
    ///   - report: gets a line about each request that was refused, without values.
    /// - Throws: as `HookAPI.open` does; what the bucket's key says.
    package static func open(
        bucketFolder: String, catalog: Catalog, clock: Clock, run: Run, plan: Plan, keepsAddress: Bool,
        port: Int?,
        leftBehind: @escaping @Sendable () -> Set<AllocationID>, living: [HookIdentity],
        workers: @escaping HookWorkerCommands, report: @escaping @Sendable (String) -> Void
    ) async throws -> RunHookServices {
        let vault = try Vault.openOrCreate(in: bucketFolder, for: catalog)
        let facts = plan.facts ?? Facts()
        let api = try await HookAPI.open(
            bucketFolder: bucketFolder, bucket: plan.fleet.bucket, facts: facts, leftBehind: leftBehind,
            catalog: catalog,
            vault: vault, run: run,
            keepsAddress: keepsAddress, port: port, living: living,
            workers: workers, named: plan.fleet.worker, now: clock.now, report: report)
        return RunHookServices(
            api: api, catalog: catalog, vault: vault, facts: facts, run: run.id)
    }

    /// Lets a hook in.
    ///
    /// - Returns: variables for its environment.
    /// - Throws: `HookFileProblem`.
    func admit(_ call: HookCall) throws -> [String: String] {
        noteSecrets(of: call)
        return try api.admit(
            HookIdentity(
                attempt: call.attempt, allocation: call.allocation, command: call.hook.command, event: call.event))
    }

    /// Keeps in mind which secrets a hook may have: it may read one, put another value in its place, and print the first.
    func noteSecrets(of call: HookCall) { api.note(stored(visibleTo: call), seenBy: call.job) }

    /// The hook has ended, whatever processes of it are left.
    package func dismiss(_ call: HookCall) { api.dismiss(call.attempt) }

    /// The outcome of the attempt is recorded: what its processes still ask is refused.
    func ended(_ call: HookCall) async { await api.ended(call.attempt) }

    /// The order that a hook of this run has put; what a person has set stands in the plan already.
    package func rolloutOrder(of job: JobName) throws -> String? {
        guard case .text(let order)? = try catalog.keyValue(.job(job), KeyValue.rolloutOrder, in: run)?.value else {
            return nil
        }
        return order
    }

    /// The values of the secrets that the hook may read, and those that it may have read or written before; those that
    /// cannot be decrypted are left out.
    func secrets(visibleTo call: HookCall) -> StruckSecrets {
        var secrets = api.secrets(seenBy: call.job)
        secrets.formUnion(stored(visibleTo: call))
        return secrets
    }

    /// Whether there may be any such secret.
    func mayShowSecrets(_ call: HookCall) -> Bool {
        if !api.secrets(seenBy: call.job).isEmpty { return true }
        let stored = try? catalog.storedSecrets(in: namespaces(visibleTo: call), run: run, within: 0)
        return stored?.isEmpty != true || !keys(of: call).isEmpty
    }

    private func stored(visibleTo call: HookCall) -> StruckSecrets {
        var secrets = StruckSecrets.stored(in: namespaces(visibleTo: call), run, catalog, vault)
        secrets.formUnion(keys(of: call))
        return secrets
    }

    private func keys(of call: HookCall) -> StruckSecrets { .keys(on: call.worker, of: call.job, catalog, vault) }

    private func namespaces(visibleTo call: HookCall) -> [KVNamespace] {
        ([call.job] + facts.upstreams(of: call.job).sorted()).map(KVNamespace.secrets)
    }

    /// No hook will ask any more.
    package func close() async { await api.close() }
}

extension HookIdentity {
    init(attempt: WritingAttempt, allocation: AllocationID, command: String, event: HookEvent) {
        self.init(
            attempt: attempt, job: allocation.job, worker: allocation.worker,
            allocationID: Facts.allocationID(allocation), command: command, event: event.rawValue)
    }

    /// Hooks of the run that have begun and have no outcome: they may have outlived the process that began them.
    package static func begun(_ graph: StepGraph, _ records: [StepRecord], of run: RunID) -> [HookIdentity] {
        let open = Dictionary(
            records.filter { $0.state == .started }.map { ($0.step, $0.attempt) }, uniquingKeysWith: { _, last in last }
        )
        if open.isEmpty { return [] }
        return graph.steps.compactMap { step in
            guard case .hook(let task) = step.task, let allocation = step.allocation,
                let attempt = open[step.id]
            else { return nil }
            return HookIdentity(
                attempt: WritingAttempt(run: run, step: step.id, attempt: attempt), allocation: allocation,
                command: task.hook.command, event: task.event)
        }
    }
}
