public import Foundation

/// `Tests/fleet/fleet` for the servers of one test, in a folder and on a port of their own.
public struct FleetScript: Sendable {
    public let directory: String
    public let port: UInt16
    private let place: Place
    private static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "fleet/fleet").path

    public init() throws {
        directory = NSTemporaryDirectory() + "sshd-\(UUID().uuidString.prefix(8))"
        place = try Place()
        port = place.port
    }

    /// The program and arguments of one of the script's commands.
    public func command(_ arguments: [String]) -> [String] {
        [Self.path, "-d", directory, "-p", "\(port)"] + arguments
    }

    /// A port that no other fleet is given as long as this lives: it is bound at 127.255.255.254. The servers have other
    /// addresses, so that it is free for them.
    private final class Place: Sendable {
        let port: UInt16
        private let descriptor: CInt

        init() throws {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            self.descriptor = descriptor
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7FFF_FFFE).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutableBytes(of: &address) { bytes in
                let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
                return bind(descriptor, pointer, length) == 0 ? getsockname(descriptor, pointer, &length) : -1
            }
            let failure = errno
            port = UInt16(bigEndian: address.sin_port)
            if result != 0 { throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .EIO) }
        }

        deinit { close(descriptor) }
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
