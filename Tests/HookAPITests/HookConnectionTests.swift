import Foundation
import HookAPI
import Testing

/// Connections that come while the server closes.
@Suite(.timeLimit(.minutes(3))) struct HookConnectionTests {
    /// Opens connections without end, on threads of its own, and closes the oldest.
    private final class Flood: @unchecked Sendable {
        // Guarded by the lock.
        private var opened = 0
        private var isOver = false
        private let lock = NSLock()

        /// - Parameter open: a descriptor; negative where there is no connection.
        init(threads: Int, _ open: @escaping @Sendable () -> Int32) {
            for _ in 0..<threads {
                Thread.detachNewThread {
                    var descriptors: [Int32] = []
                    while !self.lock.withLock({ self.isOver }) {
                        let descriptor = open()
                        if descriptor < 0 { continue }
                        self.lock.withLock { self.opened += 1 }
                        descriptors.append(descriptor)
                        if descriptors.count > 100 { close(descriptors.removeFirst()) }
                    }
                    for descriptor in descriptors { close(descriptor) }
                }
            }
        }

        var count: Int { lock.withLock { opened } }
        func end() { lock.withLock { isOver = true } }
    }

    private static func connect<Address>(_ family: Int32, _ address: Address) -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let isConnected = withUnsafeBytes(of: address) {
            Foundation.connect(
                descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress,
                socklen_t(MemoryLayout<Address>.size)) == 0
        }
        if isConnected { return descriptor }
        close(descriptor)
        return -1
    }

    @Test(arguments: [true, false]) func aServerClosesWhileConnectionsCome(_ isPort: Bool) async throws {
        var hooks = try await Hooks(port: isPort ? 0 : nil)
        let environment = try hooks.environment(try hooks.identity())
        let flood: Flood
        if isPort {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            let port = try #require(environment["MAAND_API_URL"]?.split(separator: ":").last.flatMap { UInt16($0) })
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            flood = Flood(threads: 2) { [address] in Self.connect(AF_INET, address) }
        } else {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let path = try #require(environment["MAAND_API_SOCKET"])
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            flood = Flood(threads: 2) { [address] in Self.connect(AF_UNIX, address) }
        }
        defer { flood.end() }
        for _ in 0..<20 {
            let before = flood.count
            while flood.count < before + 20 { await Task.yield() }
            await hooks.api.close()
            hooks = try await Hooks(in: hooks.folder, continuing: true, port: isPort ? 0 : nil)
        }
        #expect(try hooks.environment(try hooks.identity()) == environment)
        await hooks.api.close()
    }
}
