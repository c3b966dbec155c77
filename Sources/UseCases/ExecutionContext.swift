public import Approvals
public import Catalog
public import Executor
internal import Model
public import Plans
internal import SecretSources
public import ThisHost
internal import Windows
package import Workers

/// The bucket that a use case works on, and everything outside of it that it needs: its catalog and store, the
/// way to workers, clock, randomness, people, and who is told what happens.
///
/// A value; several use cases may share one, from any task.
public struct ExecutionContext: Sendable {
    let bucketFolder: String
    let configuration: BucketConfiguration
    /// What is recorded of the bucket.
    public let catalog: Catalog
    let store: ContentStore
    /// `user@host`, for the record.
    let who: String
    /// Names this controller on the workers: letters and digits, the same for all its runs.
    let controller: String
    let clock: Clock
    /// Random text for a new run; 16 hexadecimal digits.
    let nonce: @Sendable () -> String
    /// Asks a person for the passphrase of a key; nil if nobody can be asked.
    let passphrase: @Sendable (_ path: String) -> String?
    let observe: @Sendable (RunEvent) -> Void
    /// Says whether plans are approved; nil asks for no approval.
    public var approval: ApprovalCheck?
    /// What this process knows of values of secrets.
    private let secretMemory: SecretMemory
    /// The rules of local times.
    var zones = ZoneDatabase.system
    /// Stands for the plan's transport in tests and benchmarks.
    package var simulated: (any Transport)?

    public init(
        bucketFolder: String, configuration: BucketConfiguration, catalog: Catalog, store: ContentStore, who: String,
        controller: String, clock: Clock, nonce: @escaping @Sendable () -> String,
        passphrase: @escaping @Sendable (_ path: String) -> String?, observe: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.bucketFolder = bucketFolder
        self.configuration = configuration
        self.catalog = catalog
        self.store = store
        self.who = who
        self.controller = controller
        self.clock = clock
        self.nonce = nonce
        self.passphrase = passphrase
        self.observe = observe
        secretMemory = SecretMemory(SecretSources(bucketFolder: bucketFolder))
    }

    /// Closes the catalog, so that its log is merged into it; nothing may use the context afterwards. A task that still
    /// listens for requests to park would keep the catalog open for a moment more.
    public func close() { try? catalog.close() }

    func transport(for fleet: Fleet, acceptsNewHosts: Bool = false) async throws -> any Transport {
        if let simulated { return simulated }
        let factory = TransportFactory(
            bucketFolder: bucketFolder, configuration: configuration, acceptsNewHosts: acceptsNewHosts,
            passphrase: passphrase, report: { [observe] in observe(.warning(.connection($0))) })
        let transport = try await factory.transport(for: fleet)
        #if TestHooks
            return FaultTransport(base: transport)
        #else
            return transport
        #endif
    }

    /// Files with secrets of the bucket.
    var sealedFiles: SealedFiles {
        SealedFiles(store, catalog, bucketFolder: bucketFolder, memory: secretMemory)
    }

    /// The name of a run on the workers.
    func owner(of run: Run) -> Owner {
        Owner(controller: controller, sequence: run.id.number, run: run.nonce)
    }

    func decision(_ run: RunID, _ what: Decision.Kind, _ reason: String) -> Decision {
        Decision(at: clock.now(), by: who, run: run, what: what, reason: reason)
    }

    /// The plan by which a run goes back; nil as long as it does not.
    func wayBack(of run: Run) throws -> Plan? { try store.wayBack(of: run) }

    /// The steps of a run: those of its plan, and of its way back if it goes back.
    func graphs(of run: Run) throws -> [StepGraph] { try StepGraph.all(of: run, catalog, store) }

    /// The plan that a run executes, as it was kept when it began.
    func plan(of run: Run) throws -> Plan { try store.plan(of: run) }
}

extension Catalog {
    /// Returns true if any step of a run was begun. If its workers were never all ready, none was, and the run blocks no other.
    func hasBegun(_ run: Run) throws -> Bool {
        try steps(of: run.id).contains { !$0.step.isPreflight }
    }

    func pauses(of run: RunID) throws -> [Decision] {
        try decisions(run).filter { $0.what == .pause }
    }
}
