import Executor
import Foundation
import Model
import Testing

/// A real sshd that shows this machine's own files, so that a worker behind it is the directory that a local one would
/// be. From `Tests/fleet/fleet`; it ends with the last reference.
final class SSHServer: Sendable {
    private let directory = NSTemporaryDirectory() + "sshd-\(UUID().uuidString.prefix(8))"
    private let port: Int
    private static let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "fleet/fleet").path

    static let isInstalled = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    init() throws {
        port = try Self.freePort()
        try fleet("up", "1")
    }

    deinit { try? fleet("down") }

    /// Reaches a worker of this name over ssh.
    func transport(to worker: String, bucket: String) async throws -> any Transport {
        let text = """
            bucket_id = "bucket-1"
            transport = "ssh"
            ssh_user = "\(NSUserName())"
            ssh_key = "\(directory)/id_ed25519"
            ssh_port = \(port)
            known_hosts = "\(directory)/known_hosts"
            use_sudo = false
            """
        let configuration = try BucketConfiguration.read(Array(text.utf8), file: "maand.conf")
        let plan = Plan(
            kind: .deploy, bucket: "bucket-1", transport: .ssh, workerRoot: "/opt/worker",
            base: .init(catalogRevision: 0), options: .init(), policy: .init(), summary: .init(),
            workers: [PlanWorker(worker: try #require(WorkerName(worker)), address: "127.0.1.1")], reconcile: [],
            waves: [])
        return try await TransportFactory(
            bucketFolder: bucket, configuration: configuration, acceptsNewHosts: false, passphrase: { _ in nil },
            report: { _ in }
        ).transport(for: plan)
    }

    private func fleet(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: Self.script)
        process.arguments = ["-d", directory, "-p", "\(port)"] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["FLEET_SHARED": "1"]) { $1 }
        // What lives on must not hold a pipe.
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        // A thread of a pool blocks most signals, and a server that inherits that never sees SIGTERM.
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "fleet \(arguments)")
    }

    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            return bind(descriptor, pointer, length) == 0 ? getsockname(descriptor, pointer, &length) : -1
        }
        try #require(result == 0)
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
