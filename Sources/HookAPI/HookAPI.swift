public import Catalog
public import KeyValues
public import Model

/// What hooks of one run can ask of the process that runs them: variables, secrets, demands and semaphores, over HTTP on
/// this host, with a token for each attempt.
///
/// What a hook writes is on disk when it hears so, and takes effect in the transaction that records its success; see
/// `Catalog.keep`. Tokens and the port are the same after a restart, so a hook that outlives this process can go on with
/// the next one. All methods may be called from any task.
public final class HookAPI: Sendable {
    private let server: HookServer
    private let service: HookService
    private let module: PythonModule
    private let nonce: String

    private init(server: HookServer, service: HookService, module: PythonModule, nonce: String) {
        self.server = server
        self.service = service
        self.module = module
        self.nonce = nonce
    }

    /// Begins to listen.
    ///
    /// - Parameters:
    ///   - bucketFolder: gets the module `maand` for scripts in Python.
    ///   - bucket: the bucket's id.
    ///   - leftBehind: what the run goes on without at that moment; lists leave it out.
    ///   - vault: the bucket's key; from it come the tokens.
    ///   - keepsPort: whether the port is that of earlier processes of the run, and stays so for later ones.
    ///   - living: hooks that an earlier process began and that may ask before they are admitted again. They know one port.
    ///   - report: gets a line about each request that was refused, without values.
    /// - Throws: `CatalogError`, `HookPortTaken` where hooks may live that know a port which is not to be had, or that no
    ///   port of 127.0.0.1 is, or `HookFileProblem`.
    public static func open(
        bucketFolder: String, bucket: String, facts: Facts,
        leftBehind: @escaping @Sendable () -> Set<AllocationID> = { [] }, catalog: Catalog, vault: Vault, run: Run,
        keepsPort: Bool = true, living: [HookIdentity] = [], now: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (String) -> Void
    ) async throws -> HookAPI {
        let module = PythonModule(bucketFolder: bucketFolder)
        try module.lay()
        let service = HookService(
            planned: facts, leftBehind: leftBehind, bucket: bucket, catalog: catalog, vault: vault, run: run.id,
            semaphores: Semaphores(catalog: catalog, held: try catalog.semaphoreSlots(of: run.id)), now: now,
            report: report)
        let hooks = living.map { (service.token(of: $0.attempt, nonce: run.nonce), $0) }
        let server = try await HookServer.start(
            port: keepsPort ? try catalog.hookPort(of: run.id) : nil, service,
            mayMove: living.isEmpty, hooks: Dictionary(hooks, uniquingKeysWith: { first, _ in first }))
        if keepsPort { try catalog.setHookPort(server.port, of: run.id) }
        return HookAPI(server: server, service: service, module: module, nonce: run.nonce)
    }

    /// Lets a hook in, and says what its environment needs for that. For a hook that lived on after an earlier process
    /// the values are those that it has.
    ///
    /// - Throws: `HookFileProblem` where the module is not there any more and cannot be written.
    public func admit(_ identity: HookIdentity) throws -> [String: String] {
        try module.lay()
        let token = service.token(of: identity.attempt, nonce: nonce)
        server.admit(identity, token: token)
        return [
            "MAAND_API_URL": "http://127.0.0.1:\(server.port)", "MAAND_API_TOKEN": token,
            "JOB_COMMAND_API_HOST": "127.0.0.1", "PYTHONPATH": module.folder,
            // Beside the scripts lies what was approved, and nothing that Python would take in its place.
            "PYTHONDONTWRITEBYTECODE": "1",
        ]
    }

    /// Secrets that hooks of the job have read or written while this process lived, beside what is stored now.
    public func secrets(seenBy job: JobName) -> [String] { service.seen.values(of: job) }

    /// Adds to what hooks of the job have seen.
    public func note(_ secrets: [String], seenBy job: JobName) { for text in secrets { service.seen.note(text, job) } }

    /// To be called when the outcome of an attempt is recorded: what its processes still ask is refused.
    public func ended(_ attempt: WritingAttempt) async {
        server.dismiss(attempt)
        await service.semaphores.ended(attempt)
    }

    /// Stops listening; requests under way are cut off, and their hooks ask again.
    public func close() async { await server.close() }
}
