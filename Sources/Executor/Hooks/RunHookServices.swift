public import Catalog
internal import HookAPI
internal import KeyValues
public import Model

/// What hooks of a run can ask, over HTTP on this host: variables, secrets, demands and semaphores.
///
/// The catalog keeps what a hook writes, and settles it in the transaction of its attempt's outcome (`Catalog.keep`).
public struct RunHookServices: HookServices {
    private let api: HookAPI
    private let catalog: Catalog
    private let run: RunID

    /// Opens the services of each run of a bucket.
    ///
    /// - Parameter report: gets a line about each request that was refused, without values.
    public static func factory(
        bucketFolder: String, catalog: Catalog, clock: Clock, report: @escaping @Sendable (String) -> Void
    ) -> HookServicesFactory {
        { run, plan in
            let api = try await HookAPI.open(
                bucketFolder: bucketFolder, bucket: plan.bucket, facts: plan.facts ?? Facts(), catalog: catalog,
                vault: try Vault.openOrCreate(in: bucketFolder, for: catalog), run: run, now: clock.now,
                report: report)
            return RunHookServices(api: api, catalog: catalog, run: run.id)
        }
    }

    public func admit(_ call: HookCall) async throws -> [String: String] {
        api.admit(
            HookIdentity(
                attempt: Self.attempt(call), job: call.job, worker: call.worker, allocationID: call.allocationID,
                command: call.command, event: call.event.rawValue))
    }

    public func changes(of call: HookCall) async throws -> [CatalogChange] { [] }

    public func ended(_ call: HookCall) async { await api.ended(Self.attempt(call)) }

    /// What a hook of this run has put; what a person has set stands in the plan already.
    public func rolloutOrder(of job: JobName) async throws -> String? {
        guard case .text(let order)? = try catalog.keyValue(.job(job), KeyValue.rolloutOrder, in: run)?.value else {
            return nil
        }
        return order
    }

    public func close() async { await api.close() }

    private static func attempt(_ call: HookCall) -> WritingAttempt {
        WritingAttempt(run: call.run, step: call.step, attempt: call.attempt)
    }
}
