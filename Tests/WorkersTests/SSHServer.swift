import FleetScript
import Foundation
import Model
import Plans
import Testing
import Workers

/// A real sshd that shows this machine's own files, so that a worker behind it is the directory that a local one would
/// be. From `Tests/fleet/fleet`; it ends with the last reference.
final class SSHServer: Sendable {
    private let script: FleetScript

    static let isInstalled = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    init() throws {
        script = try FleetScript()
        try fleet("up", "1")
    }

    deinit { try? fleet("down") }

    /// Reaches a worker of this name over ssh.
    func transport(to worker: String, bucket: String) async throws -> any Transport {
        let text = """
            bucket_id = "bucket-1"
            transport = "ssh"
            ssh_user = "\(NSUserName())"
            ssh_key = "\(script.directory)/id_ed25519"
            ssh_port = \(script.port)
            known_hosts = "\(script.directory)/known_hosts"
            use_sudo = false
            """
        let configuration = try BucketConfiguration.read(Array(text.utf8), file: "maand.conf")
        let fleet = configuration.fleet([
            PlanWorker(worker: try #require(WorkerName(worker)), address: "127.0.1.1")
        ])
        return try await TransportFactory(
            bucketFolder: bucket, configuration: configuration, acceptsNewHosts: false, passphrase: { _ in nil },
            report: { _ in }
        ).transport(for: fleet)
    }

    private func fleet(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = script.command(arguments)
        process.environment = ProcessInfo.processInfo.environment.merging(["FLEET_SHARED": "1"]) { $1 }
        // What lives on must not hold a pipe.
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.runWithoutBlockedSignals()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "fleet \(arguments)")
    }
}
