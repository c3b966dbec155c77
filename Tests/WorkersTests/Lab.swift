import Foundation
import Testing
import Workers

/// Workers for one test: a bucket in a temporary directory, with a local transport of one shell, or over ssh.
final class Lab: Sendable {
    /// The shells under which a worker must behave the same.
    enum Shell: String, CaseIterable, CustomTestStringConvertible {
        case dash, bash, busybox
        /// busybox, with its own tools as well.
        case applets
        /// The shell that this machine has, behind a real sshd.
        case ssh

        var command: [String] {
            switch self {
            case .dash, .bash: [rawValue]
            case .ssh: ["sh"]
            case .busybox, .applets: ["busybox", "sh"]
            }
        }
        var testDescription: String { rawValue }

        static var installed: [Shell] {
            allCases.filter { shell in
                if shell == .ssh { return SSHServer.isInstalled }
                return ["/usr/bin/", "/bin/"].contains {
                    FileManager.default.isExecutableFile(atPath: $0 + shell.command[0])
                }
            }
        }
    }

    static let worker = "10.0.0.1"
    let bucket: String
    let transport: any Transport
    let session: WorkerSession
    private let server: SSHServer?
    private let workerRoot: String

    init(_ shell: Shell = .dash) async throws {
        // A name that a careless script would break on.
        bucket = NSTemporaryDirectory() + "maand it's a $(lab) \(UUID().uuidString)"
        server = shell == .ssh ? try SSHServer() : nil
        let transport: any Transport =
            try await server?.transport(to: Self.worker, bucket: bucket)
            ?? LocalTransport(bucket: bucket, shell: shell.command)
        self.transport = PatientTransport(base: transport)
        // Over ssh a path is what it is; a local transport puts the worker's folder before it.
        workerRoot = (server == nil ? "" : "\(bucket)/workers/\(Self.worker)") + "/opt/worker"
        var session = Self.session("run1", 1, "controller", self.transport, workerRoot)
        let preflight = try await session.preflight()
        #expect(preflight.faults == [])
        #expect(preflight.otherOwner == nil)
        session.generation = preflight.generation
        self.session = session
        if shell == .applets { try useApplets() }
    }

    /// Gives the worker script a `PATH` on which busybox comes first.
    private func useApplets() throws {
        let files = FileManager.default
        let folder = path(".applets")
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let busybox = files.isExecutableFile(atPath: "/bin/busybox") ? "/bin/busybox" : "/usr/bin/busybox"
        for tool in [
            "tar", "sha256sum", "setsid", "stat", "sync", "xargs", "mkdir", "mv", "rm", "rmdir", "tail", "head", "wc",
            "env", "id", "date", "sleep", "find", "grep", "sed", "tr", "sort", "readlink", "cmp", "df", "cat",
        ] {
            try files.createSymbolicLink(atPath: folder + "/" + tool, withDestinationPath: busybox)
        }
        try patchScript { $0.replacingOccurrences(of: "\nPATH=", with: "\nPATH=${0%/.bin/*}/.applets:") }
    }

    /// Changes the script as it lies on the worker.
    func patchScript(_ change: (String) -> String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path(".bin")) {
            let script = path(".bin/" + name)
            try write(change(read(script) ?? ""), script)
        }
    }

    /// The folder of the bucket, as a transport is told it.
    var rootAsTold: String { "\(workerRoot)/bucket-1" }

    func session(of run: String, sequence: Int, controller: String = "controller") -> WorkerSession {
        Self.session(run, sequence, controller, transport, workerRoot)
    }

    private static func session(
        _ run: String, _ sequence: Int, _ controller: String, _ transport: any Transport, _ workerRoot: String
    ) -> WorkerSession {
        WorkerSession(
            worker: worker, bucket: "bucket-1", workerRoot: workerRoot,
            owner: Owner(controller: controller, sequence: sequence, run: run), transport: transport)
    }

    deinit { try? FileManager.default.removeItem(atPath: bucket) }

    var root: String { "\(bucket)/workers/\(Self.worker)/opt/worker/bucket-1" }
    func path(_ path: String) -> String { "\(root)/\(path)" }
    func job(_ path: String) -> String { "\(root)/jobs/api/\(path)" }

    func exists(_ path: String) -> Bool { (try? FileManager.default.attributesOfItem(atPath: path)) != nil }
    func read(_ path: String) -> String? {
        (try? Data(contentsOf: URL(fileURLWithPath: path))).map { String(decoding: $0, as: UTF8.self) }
    }
    func write(_ text: String, _ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// Attempts' targets, each of which first adds its name to `ran`.
    func makefile(_ rules: String) throws { try write(rules, job("Makefile")) }

    func lines(_ path: String) -> [String] { read(path)?.split(separator: "\n").map(String.init) ?? [] }

    func receipts(of id: String) -> String { path("receipts/\(id.prefix { $0 != "-" })/\(id)") }

    /// The runner's process id.
    func runner(of id: String) -> Int32? {
        read(receipts(of: id) + ".run").flatMap { text in
            let words = text.split(separator: " ")
            return words.count > 1 ? Int32(words[1]) : nil
        }
    }
}

/// Any transport, for machines that are busy: no answer comes too late.
private struct PatientTransport: Transport {
    let base: any Transport

    var endsSessions: Bool { base.endsSessions }
    var reconnectWindow: Duration? { base.reconnectWindow }
    var answerLimit: Duration { .seconds(1200) }

    func path(_ path: String, on worker: String) -> String { base.path(path, on: worker) }
    func close() async { await base.close() }
    func run(_ command: WorkerCommand, on worker: String) async throws(TransportError) -> CommandResult {
        try await base.run(command, on: worker)
    }
}

/// Waits until something has come about; five minutes are for machines that are busy.
func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(300)
    while try !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record(what, sourceLocation: sourceLocation)
            return
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

func isAlive(_ pid: Int32) -> Bool {
    guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
    return !(stat.split(separator: ")").last ?? "").hasPrefix(" Z")
}

extension AttemptReport {
    var result: AttemptResult? {
        if case .finished(let result) = self { return result }
        return nil
    }

    /// Processes of an interrupted attempt that were still there.
    var remaining: Set<Int>? {
        if case .interrupted(let interruption) = self { return Set(interruption.orphans) }
        return nil
    }
}

extension Tail {
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension AttemptRequest {
    static func make(
        _ target: String, id: String = "run1-step-1", timeout: Duration = .seconds(60), grace: Duration = .seconds(5),
        environment: [String: String] = [:], latestStart: Int? = nil
    ) -> AttemptRequest {
        AttemptRequest(
            id: id, action: .target(target), job: "api", environment: environment, latestStart: latestStart,
            timeout: timeout, grace: grace)
    }

    static func shell(
        _ text: String, id: String = "run1-step-1", job: String? = nil, isExclusive: Bool = false,
        timeout: Duration? = .seconds(60), grace: Duration = .seconds(5), tailLimit: Int = 1 << 16
    ) -> AttemptRequest {
        AttemptRequest(
            id: id, action: .shell(text), job: job, lock: isExclusive ? .job : .none, timeout: timeout, grace: grace,
            tailLimit: tailLimit)
    }
}
