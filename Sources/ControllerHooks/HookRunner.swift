package import Catalog
internal import Foundation
internal import Glibc
internal import HookAPI
internal import KeyValues
package import Model
package import Plans
internal import ThisHost
package import Workers

/// Runs hooks on the controller, each under a receipt there like that of a remote step on its worker: a
/// process that continues a killed run knows whether a hook ran.
package struct HookRunner: Sendable {
    /// Hooks that run at the same time; the others of a large batch wait. Hooks may wait for each other, so there are many.
    static let width = 64

    /// Keeps the receipts.
    package let session: WorkerSession
    package let services: RunHookServices
    private let modules: HookModules
    private let bucketFolder: String
    /// For `ALLOCATION_INDEX`.
    private let indices: [AllocationID: Int]
    /// For `ALLOCATION_IP`.
    private let addresses: [WorkerName: String]
    /// Variables of this process that hooks get, by the bucket's configuration.
    private let inherited: [String: String]
    /// Of jobs with a virtual environment.
    private let interpreters: [JobName: String]
    private let slots = Slots(Self.width)

    /// In the bucket: receipts, environments, modules. `HookAPI` has its own file there.
    static let folder = ".hooks"
    /// Stands for this host among the names of workers, none of which begins so.
    package static let host = "@control"

    /// The receipts of hooks of a run.
    package static func session(_ bucketFolder: String, bucket: String, owner: Owner) -> WorkerSession {
        let local = LocalTransport(folder: "\(bucketFolder)/\(folder)/")
        #if TestHooks
            let transport: any Transport = FaultTransport(base: local)
        #else
            let transport: any Transport = local
        #endif
        return WorkerSession(worker: "control", bucket: bucket, workerRoot: "", owner: owner, transport: transport)
    }

    /// - Parameter session: ready for the run.
    package init(
        session: WorkerSession, services: RunHookServices, store: ContentStore, bucketFolder: String, facts: Facts,
        fleet: Fleet, jobs: Set<JobName>, inherited: [String: String], interpreters: [JobName: String]
    ) {
        self.session = session
        self.services = services
        self.bucketFolder = bucketFolder
        self.inherited = inherited
        self.interpreters = interpreters
        modules = HookModules(store: store, folder: "\(bucketFolder)/\(Self.folder)/modules")
        addresses = Dictionary(fleet.workers.map { ($0.worker, $0.address) }, uniquingKeysWith: { first, _ in first })
        var indices: [AllocationID: Int] = [:]
        for job in facts.jobs where jobs.contains(job.job) {
            for (index, worker) in facts.allocations(of: job).enumerated() {
                indices[AllocationID(job: job.job, worker: worker)] = index
            }
        }
        self.indices = indices
    }

    /// Removes the modules of earlier plans.
    package func removeOldModules(but plan: Plan) async { await modules.removeOld(but: Set(plan.modules.map(\.tree))) }

    /// Waits until there is room for one hook more.
    package func inSlot<T: Sendable>(_ body: @Sendable () async throws -> T) async rethrows -> T {
        try await slots.with(body)
    }

    /// Makes everything ready that the attempt needs, and says what is to be run.
    ///
    /// The hook's input is part of the attempt's identity. The token, and what comes from the environment of this
    /// process, are in a file that the hook's shell reads and removes, since a later process may have others.
    ///
    /// - Parameter mayHaveRun: an earlier process has begun it, so it is only asked about: where it has ended, so has its
    ///   token.
    /// - Throws: `StoreError`, `HookFileProblem`, `TooLong`.
    package func request(_ call: HookCall, tailLimit: Int, mayHaveRun: Bool = false) async throws -> AttemptRequest {
        let input = environment(of: call)
        if let flaw = TooLong(input) { throw flaw }
        let folder = try await modules.folder(of: call.modules)
        let file = environmentFile(call)
        if mayHaveRun {
            services.noteSecrets(of: call)
        } else {
            let environment = try inherited.merging(surroundings(of: call)) { _, own in own }
                .merging(services.admit(call)) { _, own in own }
            try HookFileProblem.explaining(file) { try writeEnvironment(environment, to: file) }
        }
        let path = ShellText.quoted("\(folder)/\(call.hook.path)")
        let lines = """
            . \(ShellText.quoted(file)) || exit 126
            rm -f \(ShellText.quoted(file))
            cd \(ShellText.quoted(bucketFolder)) || exit 126
            \(command(call, folder, path))
            """
        return AttemptRequest(
            id: call.id, action: .shell(lines), job: nil, lock: lock(call), environment: input,
            timeout: .seconds(call.timeout), tailLimit: tailLimit)
    }

    /// One hook of an allocation runs at a time, also where one lived on after its run was given up; those that only look
    /// may run beside it.
    private func lock(_ call: HookCall) -> AttemptRequest.Lock {
        call.event == .healthCheck
            ? .none : .named("hook-\(Digest.of(call.allocation.description.utf8).hex.prefix(16))")
    }

    /// Bytes that one variable may have: less than the 128 KiB that Linux lets a program be started with, name included.
    static let variableLimit = 127 << 10

    /// No program can be started with a variable.
    struct TooLong: Error, CustomStringConvertible {
        let variable: String
        let bytes: Int

        /// Nil where there is none such.
        init?(_ variables: [String: String]) {
            let long = variables.filter { $0.value.utf8.count > HookRunner.variableLimit }
            guard let (name, value) = long.min(by: { $0.key < $1.key }) else { return nil }
            variable = name
            bytes = value.utf8.count
        }

        var description: String {
            "its \(variable) would have \(bytes) bytes, and no program can be started with more than "
                + "\(HookRunner.variableLimit) in one variable: make batches smaller, or split the job"
        }
    }

    /// The attempt has an outcome, and it is recorded.
    package func ended(_ call: HookCall) async {
        await services.ended(call)
        unlink(environmentFile(call))
        let receipt = "\(session.bucketRoot)/receipts/\(call.id.prefix { $0 != "-" })/\(call.id)"
        // What is kept of the output is in the catalog, without secrets.
        let removes = services.mayShowSecrets(call)
        for kind in [".out", ".err"] { Self.bound(receipt + kind, removing: removes) }
    }

    /// Does what `ended` does to the output of hooks, where an earlier process ended between the outcome and that, and of
    /// runs that were given up.
    ///
    /// - Parameters:
    ///   - open: attempts that have no outcome yet.
    ///   - removing: whether there may be secrets in it.
    package func boundOutputs(but open: Set<String>, removing: Bool) {
        let files = FileManager.default
        let receipts = "\(session.bucketRoot)/receipts"
        for run in (try? files.contentsOfDirectory(atPath: receipts)) ?? [] {
            for file in (try? files.contentsOfDirectory(atPath: "\(receipts)/\(run)")) ?? [] {
                guard file.hasSuffix(".out") || file.hasSuffix(".err") else { continue }
                if !open.contains(String(file.dropLast(4))) {
                    Self.bound("\(receipts)/\(run)/\(file)", removing: removing)
                }
            }
        }
    }

    /// Removes a file of output, or leaves of it as much as the catalog keeps. What still writes there goes on behind it.
    private static func bound(_ file: String, removing: Bool) {
        let descriptor = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
        if removing {
            ftruncate(descriptor, 0)
            // A file that is removed while a process has it open would grow unseen.
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(file) }
            return
        }
        guard status.st_size > off_t(StepOutput.limit) else { return }
        var tail = [UInt8](repeating: 0, count: StepOutput.limit)
        let count = pread(descriptor, &tail, tail.count, status.st_size - off_t(tail.count))
        // Where there is no room for it, room is what is wanted.
        let kept = pwrite(descriptor, &tail, max(0, count), 0)
        ftruncate(descriptor, off_t(max(0, kept)))
    }

    /// Runs a hook that only looks.
    ///
    /// - Returns: what is wrong, without secrets; nil where it succeeds.
    package func probe(_ call: HookCall) async -> String? {
        let problem = await inSlot { () -> String? in
            do {
                var report = try await session.run(try await request(call, tailLimit: Self.probeLimit))
                if case .finished(var result) = report {
                    // Before anything of it is cut off, since of half a secret nobody knows that it is one.
                    let secrets = services.secrets(visibleTo: call)
                    result.output.bytes = Redaction.strike(secrets, from: result.output.bytes)
                    result.errorOutput.bytes = Redaction.strike(secrets, from: result.errorOutput.bytes)
                    report = .finished(result)
                }
                return report.problem(of: call.hook.command, timeout: call.timeout)
            } catch {
                return "\(call.hook.command) was not run: \(error)"
            }
        }
        await ended(call)
        return problem
    }

    /// Bytes of what a hook that only looks prints: enough for a last line with the longest secret in it.
    private static let probeLimit = 1 << 16

    /// The output with the job's secrets struck out, as far as the run knows them.
    package func redacted(_ output: StepOutput, _ call: HookCall) -> StepOutput {
        let secrets = services.secrets(visibleTo: call)
        return output.mapped { Redaction.strike(secrets, from: $0) }
    }

    // MARK: The input of a hook

    private func environment(of call: HookCall) -> [String: String] {
        var values = call.input
        values["ALLOCATION_ID"] = Facts.allocationID(call.allocation)
        // The name of the worker is part of the attempt's identity under this key; what the hook sees is below.
        values["ALLOCATION_IP"] = call.worker.text
        // An allocation that left the workspace has no place among the others any more.
        values["ALLOCATION_INDEX"] = String(indices[call.allocation] ?? -1)
        values["JOB"] = call.job.text
        values["EVENT"] = call.event.rawValue
        values["COMMAND"] = call.hook.command
        return values
    }

    /// What the hook is told beside its input. A list that is too long for a variable is left out: nothing needs it to run.
    private func surroundings(of call: HookCall) -> [String: String] {
        var values = call.batch.filter { $0.value.utf8.count <= Self.variableLimit }
        values["BUCKET_ROOT"] = bucketFolder
        values["ALLOCATION_IP"] = addresses[call.worker] ?? call.worker.text
        return values
    }

    /// The last lines of what the shell runs. Nothing that is executed is taken from the workspace.
    private func command(_ call: HookCall, _ folder: String, _ path: String) -> String {
        switch call.hook.script {
        case _ where call.hook.isPython:
            let python = interpreters[call.job].map(ShellText.quoted) ?? "python3"
            return "export PYTHONDONTWRITEBYTECODE=1\nexec \(python) \(path)"
        case let script where script.hasSuffix(".ts") || script.hasSuffix(".js"):
            // In the bucket's folder, and in those above the script, anybody's may lie: they name files to run before it, and
            // others in the place of what it imports. That beside the script is bound.
            let types = ShellText.quoted("\(folder)/\(call.hook.folder)/tsconfig.json")
            return """
                types=\(types)
                [ -f "$types" ] || types=/dev/null
                exec bun --config=/dev/null --env-file=/dev/null --tsconfig-override="$types" run \(path)
                """
        // One that is executable says by its first line which shell it wants.
        case let script where script.hasSuffix(".sh"): return "[ ! -x \(path) ] || exec \(path)\nexec sh \(path)"
        case _: return "exec \(path)"
        }
    }

    private var environments: String { "\(bucketFolder)/\(Self.folder)/environments" }

    /// Removes the environments of hooks that were never begun.
    ///
    /// - Parameter open: attempts that have no outcome yet.
    package func removeEnvironments(but open: Set<String>) {
        for file in (try? FileManager.default.contentsOfDirectory(atPath: environments)) ?? []
        where !open.contains(file) { unlink("\(environments)/\(file)") }
    }

    private func environmentFile(_ call: HookCall) -> String {
        "\(environments)/\(call.id)"
    }

    private func writeEnvironment(_ values: [String: String], to file: String) throws {
        try PrivateFolder.make(PrivateFolder.hooks(of: bucketFolder))
        try PrivateFolder.make(environments)
        // A hook makes its files as any other command of the user who applies does.
        let text =
            ["umask \(String(Umask.ofUser, radix: 8))\n"]
            + values.sorted { $0.key < $1.key }.map { "export \($0.key)=\(ShellText.quoted($0.value))\n" }
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).write(contentsOf: Data(text.joined().utf8))
    }
}
