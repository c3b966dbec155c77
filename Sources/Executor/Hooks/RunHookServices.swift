internal import Catalog
internal import HookAPI
internal import KeyValues
internal import Model

/// What hooks of a run can ask, over HTTP on this host: variables, secrets, demands and semaphores.
///
/// `admit` is called before a hook is started, and again by a process that finds it running after an interruption. What a
/// hook writes is durable when it hears so, and takes effect in the transaction that records its attempt as succeeded
/// (`Catalog.keep`). May be used from any number of tasks.
struct RunHookServices: Sendable {
    private let api: HookAPI
    private let catalog: Catalog
    private let view: KeyValueView
    private let facts: Facts
    private let run: RunID

    /// - Parameters:
    ///   - keepsPort: whether hooks of the run find a later process at the same port.
    ///   - report: gets a line about each request that was refused, without values.
    static func open(
        bucketFolder: String, catalog: Catalog, clock: Clock, run: Run, plan: Plan, keepsPort: Bool,
        report: @escaping @Sendable (String) -> Void
    ) async throws -> RunHookServices {
        let vault = try Vault.openOrCreate(in: bucketFolder, for: catalog)
        let facts = plan.facts ?? Facts()
        let api = try await HookAPI.open(
            bucketFolder: bucketFolder, bucket: plan.bucket, facts: facts, catalog: catalog, vault: vault, run: run,
            keepsPort: keepsPort, now: clock.now, report: report)
        return RunHookServices(
            api: api, catalog: catalog,
            view: KeyValueView(facts: facts, bucket: plan.bucket, catalog: catalog, vault: vault, run: run.id),
            facts: facts, run: run.id)
    }

    /// Lets a hook in.
    ///
    /// - Returns: variables for its environment.
    func admit(_ call: HookCall) -> [String: String] {
        api.admit(
            HookIdentity(
                attempt: call.attempt, job: call.job, worker: call.worker,
                allocationID: Facts.allocationID(call.allocation), command: call.hook.command,
                event: call.event.rawValue))
    }

    /// The outcome of the attempt is recorded: what its processes still ask is refused.
    func ended(_ call: HookCall) async { await api.ended(call.attempt) }

    /// The order that a hook of this run has put; what a person has set stands in the plan already.
    func rolloutOrder(of job: JobName) throws -> String? {
        guard case .text(let order)? = try catalog.keyValue(.job(job), KeyValue.rolloutOrder, in: run)?.value else {
            return nil
        }
        return order
    }

    /// The values of the secrets that the hook may read; those that cannot be decrypted are left out.
    func secrets(visibleTo call: HookCall) -> [String] {
        let jobs = [call.job] + facts.upstreams(of: call.job).sorted()
        return jobs.flatMap { job -> [String] in
            let namespace = KVNamespace.secrets(job)
            let values = (try? view.values(in: namespace)) ?? []
            return values.compactMap { try? view.text(of: $0, in: namespace) }
        }
    }

    /// No hook will ask any more.
    func close() async { await api.close() }
}
