public import Catalog
public import KeyValues
public import Model
public import Plans

/// What hooks of one run can ask of the process that runs them: variables, secrets, demands and semaphores, over HTTP on a
/// Unix socket that only this user can reach, with a token for each attempt.
///
/// What a hook writes is on disk when it hears so, and takes effect in the transaction that records its success; see
/// `Catalog.keep`. Tokens and the socket's path are the same after a restart, so a hook that outlives this process can go
/// on with the next one; of a hook that has ended, no process of the run takes the token. All methods may be called from
/// any task.
public final class HookAPI: Sendable {
    private let server: HookServer
    private let service: HookService
    private let module: PythonModule
    private let nonce: String
    /// Whether hooks are told of the port: one that lives on may know a port that is not asked for any more.
    private let tellsPort: Bool

    private init(
        server: HookServer, service: HookService, module: PythonModule, nonce: String, tellsPort: Bool
    ) {
        self.server = server
        self.service = service
        self.module = module
        self.nonce = nonce
        self.tellsPort = tellsPort
    }

    /// Begins to listen.
    ///
    /// - Parameters:
    ///   - bucketFolder: gets the socket, and the module `maand` for scripts in Python.
    ///   - bucket: the bucket's id.
    ///   - leftBehind: what the run goes on without at that moment; lists leave it out.
    ///   - vault: the bucket's key; from it come the tokens.
    ///   - keepsAddress: whether earlier and later processes of the run answer at the same place.
    ///   - port: a port of 127.0.0.1 at which hooks can ask besides, 0 for any; nil for none.
    ///   - living: hooks that an earlier process began and that run now. They know one socket and one port.
    ///   - workers: runs what hooks ask to run on workers.
    ///   - named: the worker that a hook means by a name or an address; nil if there is none.
    ///   - report: gets a line about each request that was refused, without values.
    /// - Throws: `CatalogError`, `HookPortTaken` where the port, or that which living hooks know, is not to be had, or
    ///   `HookFileProblem`.
    public static func open(
        bucketFolder: String, bucket: String, facts: Facts,
        leftBehind: @escaping @Sendable () -> Set<AllocationID> = { [] }, catalog: Catalog, vault: Vault, run: Run,
        keepsAddress: Bool = true, port: Int? = nil, living: [HookIdentity] = [],
        workers: @escaping HookWorkerCommands, named: @escaping @Sendable (String) -> WorkerName? = { _ in nil },
        now: @escaping @Sendable () -> Timestamp,
        report: @escaping @Sendable (String) -> Void
    ) async throws -> HookAPI {
        let module = PythonModule(bucketFolder: bucketFolder)
        try module.lay()
        let service = HookService(
            planned: facts, leftBehind: leftBehind, bucket: bucket, catalog: catalog, vault: vault, run: run.id,
            semaphores: Semaphores(catalog: catalog, held: try catalog.semaphoreSlots(of: run.id)),
            workers: workers, named: named, now: now, report: report)
        let hooks = living.map { (service.token(of: $0.attempt, nonce: run.nonce), $0) }
        let name = keepsAddress ? run.nonce : UInt64.random(in: .min ... .max).description
        let wanted = wanted(
            port, known: keepsAddress ? try catalog.hookPort(of: run.id) : nil, isKnown: !living.isEmpty,
            keepsAddress: keepsAddress)
        let server = try await HookServer.start(
            HookSocket(bucketFolder: bucketFolder, name: name), port: wanted, service,
            hooks: Dictionary(hooks, uniquingKeysWith: { first, _ in first }))
        if keepsAddress, let port = server.port { try catalog.setHookPort(port, of: run.id) }
        return HookAPI(server: server, service: service, module: module, nonce: run.nonce, tellsPort: port != nil)
    }

    /// - Parameters:
    ///   - port: what is asked for now.
    ///   - known: what an earlier process had, which may have been of another release or configuration.
    ///   - isKnown: whether a hook lives that may ask there.
    private static func wanted(_ port: Int?, known: Int?, isKnown: Bool, keepsAddress: Bool) -> HookServer.Port? {
        if isKnown, let known { return .init(number: known, mayMove: false) }
        guard let port else { return nil }
        return port == 0 ? .init(number: known ?? 0, mayMove: true) : .init(number: port, mayMove: !keepsAddress)
    }

    /// Lets a hook in, and says what its environment needs for that.
    ///
    /// - Throws: `HookFileProblem` where the module is not there any more and cannot be written.
    public func admit(_ identity: HookIdentity) throws -> [String: String] {
        try module.lay()
        let token = service.token(of: identity.attempt, nonce: nonce)
        server.admit(identity, token: token)
        var variables = [
            "MAAND_API_SOCKET": server.socket.path, "MAAND_API_TOKEN": token, "PYTHONPATH": module.folder,
            // Beside the scripts lies what was approved, and nothing that Python would take in its place.
            "PYTHONDONTWRITEBYTECODE": "1",
        ]
        if tellsPort, let port = server.port {
            variables["MAAND_API_URL"] = "http://127.0.0.1:\(port)"
            // In both of Maand's generations of names.
            variables["HOOK_API_HOST"] = "127.0.0.1"
            variables["JOB_COMMAND_API_HOST"] = "127.0.0.1"
        }
        return variables
    }

    /// The attempt's process has ended: what others show its token for is refused from now on.
    public func dismiss(_ attempt: WritingAttempt) { server.dismiss(attempt) }

    /// Secrets that hooks of the job have read or written while this process lived, beside what is stored now.
    public func secrets(seenBy job: JobName) -> StruckSecrets { service.seen.values(of: job) }

    /// Adds to what hooks of the job have seen.
    public func note(_ secrets: StruckSecrets, seenBy job: JobName) { service.seen.note(secrets, job) }

    /// To be called when the outcome of an attempt is recorded: what its processes still ask is refused.
    public func ended(_ attempt: WritingAttempt) async {
        server.dismiss(attempt)
        await service.semaphores.ended(attempt)
    }

    /// Stops listening; requests under way are cut off, and their hooks ask again.
    public func close() async { await server.close() }
}
