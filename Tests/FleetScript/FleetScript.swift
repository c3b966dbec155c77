public import Foundation

/// `Tests/fleet/fleet` for the servers of one test, in a folder and on a port of their own.
public struct FleetScript: Sendable {
    public let directory: String
    public let port: UInt16
    private static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "fleet/fleet").path

    public init() throws {
        directory = NSTemporaryDirectory() + "sshd-\(UUID().uuidString.prefix(8))"
        port = try Self.freePort()
    }

    /// The program and arguments of one of the script's commands.
    public func command(_ arguments: [String]) -> [String] {
        [Self.path, "-d", directory, "-p", "\(port)"] + arguments
    }

    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            return bind(descriptor, pointer, length) == 0 ? getsockname(descriptor, pointer, &length) : -1
        }
        guard result == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return UInt16(bigEndian: address.sin_port)
    }
}

extension Process {
    /// Runs with no signal blocked. The threads of a pool block most of them, and a child inherits that: a server started
    /// so, and every command on it, would never see SIGTERM.
    public func runWithoutBlockedSignals() throws {
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}
