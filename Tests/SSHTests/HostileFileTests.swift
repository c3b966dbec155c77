import Foundation
import Testing

@testable import SSH

/// What lies where a key or a list of hosts should be is refused at once, with the reason.
@Suite struct HostileFileTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    private func make(_ kind: String) throws -> String {
        let path = "\(folder)/\(kind)"
        switch kind {
        case "pipe": try #require(mkfifo(path, 0o600) == 0)
        case "folder": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        case "device": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/zero")
        default:
            try #require(FileManager.default.createFile(atPath: path, contents: nil))
            try #require(truncate(path, 10 << 30) == 0)
        }
        return path
    }

    @Test(arguments: [
        ("pipe", "not a regular file"), ("folder", "is a directory"), ("device", "not a regular file"),
        ("huge", "larger than"),
    ])
    func isRefused(_ kind: String, _ reason: String) async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = try make(kind)
        let hosts = #expect(throws: SSHError.self) { try KnownHosts(paths: [path]) }
        #expect(hosts.map { "\($0)".contains(reason) } == true, "\(String(describing: hosts))")
        let key = await #expect(throws: SSHError.self) { try await SSHPrivateKey.load(path: path) }
        #expect(key.map { "\($0)".contains(reason) } == true, "\(String(describing: key))")
        #expect(SSHPublicKeyFile(path: path) == nil)
    }
}
