import Foundation
import SSH
import Testing

@Suite struct ConnectionTests {
    @Test func nothingListensThere() async throws {
        try await withReactor { reactor in
            let endpoint = SSHEndpoint(host: "127.0.1.77", port: 9, user: "nobody")
            let error = await refusal {
                _ = try await SSHConnection.connect(
                    to: endpoint, credentials: [], hostKeys: .known(KnownHosts()), on: reactor)
            }
            #expect(error == .refused(endpoint))
        }
    }

    @Test func anUnknownNameIsUnreachable() async throws {
        try await withReactor { reactor in
            let endpoint = SSHEndpoint(host: "no-such-host.invalid", user: "nobody")
            let error = await refusal {
                _ = try await SSHConnection.connect(
                    to: endpoint, credentials: [], hostKeys: .known(KnownHosts()), on: reactor)
            }
            guard case .unreachable(endpoint, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test func namesAreLookedUp() async throws {
        try await Fleet.with(configuration: ["Port PORT", "ListenAddress 127.0.0.1"]) { fleet in
            try await withReactor { reactor in
                let key = try String(contentsOfFile: fleet.key("worker-1/host_key.pub"), encoding: .utf8)
                var hosts = KnownHosts()
                hosts.add(text: "[localhost]:\(fleet.port) \(key)", file: "test")
                let connection = try await SSHConnection.connect(
                    to: SSHEndpoint(host: "localhost", port: fleet.port, user: NSUserName()),
                    credentials: [.key(SSHPrivateKey.load(path: fleet.key()))], hostKeys: .known(hosts), on: reactor)
                #expect(try await connection.execute("true").isSuccess)
            }
        }
    }

    @Test func somethingElseListensThere() async throws {
        try await withReactor { reactor in
            let listener = try Listener(greeting: "HTTP/1.1 400 Bad Request\r\n\r\n")
            let error = await refusal {
                _ = try await SSHConnection.connect(
                    to: listener.endpoint, credentials: [], hostKeys: .known(KnownHosts()), timeout: .seconds(2),
                    on: reactor)
            }
            switch error {
            case .handshake: break
            default: Issue.record("\(String(describing: error))")
            }
        }
    }

    @Test func aSilentServerRunsIntoTheTimeout() async throws {
        try await withReactor { reactor in
            let listener = try Listener(greeting: "")
            let error = await refusal {
                _ = try await SSHConnection.connect(
                    to: listener.endpoint, credentials: [], hostKeys: .known(KnownHosts()), timeout: .milliseconds(400),
                    on: reactor)
            }
            #expect(error == .timedOut(listener.endpoint, phase: .greeting, limit: .milliseconds(400)))
        }
    }

    @Test func aKilledSessionIsALostConnection() async throws {
        try await Fleet.with { fleet in
            try await withReactor { reactor in
                let connection = try await fleet.connect(on: reactor)
                let running = Task { try await connection.execute("echo started; sleep 30", output: .tail(100)) }
                #expect(try await eventually { try await fleet.counts().commands == 1 })
                try await fleet.run(["cut", "1"])
                let error = await refusal { _ = try await running.value }
                guard case .connectionLost = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                let first = await refusal { _ = try await connection.execute("true") }
                #expect(first == .closed(connection.endpoint))
                // The listener is still there.
                #expect(try await fleet.connect(on: reactor).execute("true").isSuccess)
            }
        }
    }

    @Test func aFrozenServerRunsIntoTheTimeout() async throws {
        try await Fleet.with { fleet in
            try await withReactor { reactor in
                let connection = try await fleet.connect(on: reactor)
                try await fleet.run(["freeze", "1"])
                let error = await refusal { _ = try await connection.execute("true", timeout: .milliseconds(500)) }
                #expect(error == .timedOut(connection.endpoint, phase: .channel, limit: .milliseconds(500)))
                let another = await refusal { _ = try await fleet.connect(on: reactor, timeout: .milliseconds(500)) }
                #expect(another == .timedOut(connection.endpoint, phase: .greeting, limit: .milliseconds(500)))
                try await fleet.run(["thaw", "1"])
                #expect(try await connection.execute("true").isSuccess)
            }
        }
    }

    @Test func aServerThatIsSilentForTooLongIsGivenUp() async throws {
        var options = SSHReactor.Options()
        options.keepaliveInterval = .seconds(2)
        options.silenceLimit = .seconds(1)
        try await Fleet.with { fleet in
            try await withReactor(options: options) { reactor in
                let connection = try await fleet.connect(on: reactor)
                let running = Task { try await connection.execute("sleep 60") }
                #expect(try await eventually { try await fleet.counts().commands == 1 })
                try await fleet.run(["freeze", "1"])
                let error = await refusal { _ = try await running.value }
                guard case .connectionLost = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }
        }
    }

    @Test func anIdleConnectionAnswersTheServersKeepalives() async throws {
        let configuration = ["ClientAliveInterval 1", "ClientAliveCountMax 3"]
        try await Fleet.with(configuration: configuration) { fleet in
            try await withReactor { reactor in
                let connection = try await fleet.connect(on: reactor)
                // Longer than the server waits for a client that does not answer.
                try await Task.sleep(for: .seconds(6))
                #expect(try await connection.execute("true").isSuccess)
                #expect(try await fleet.counts().logins == 1)
            }
        }
    }

    @Test(.timeLimit(.minutes(15))) func manyConnectionsAtOnce() async throws {
        try await Fleet.with(8) { fleet in
            try await withReactor { reactor in
                let connections = try await withThrowingTaskGroup(of: SSHConnection.self) { group in
                    for index in 0..<64 {
                        group.addTask { try await fleet.connect(index % 8 + 1, on: reactor, timeout: .seconds(240)) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                try await withThrowingTaskGroup(of: SSHExecution.self) { group in
                    for connection in connections { group.addTask { try await connection.execute("exit 9") } }
                    for try await result in group { #expect(result.outcome == .exited(9)) }
                }
                let counts = try await fleet.counts()
                #expect(counts == (64, 64))
            }
        }
    }

    @Test func cancellationEndsAConnectAtAnyPoint() async throws {
        try await Fleet.with { fleet in
            try await withReactor { reactor in
                for delay in [0, 1, 3, 10, 20, 40] {
                    let task = Task { try await fleet.connect(on: reactor) }
                    try await Task.sleep(for: .milliseconds(delay))
                    task.cancel()
                    let error = await refusal { _ = try await task.value }
                    #expect(error == nil || error == .cancelled(fleet.endpoint()))
                }
                #expect(try await fleet.connect(on: reactor).execute("true").isSuccess)
            }
        }
    }

    @Test func shutdownAnswersEverybody() async throws {
        try await Fleet.with { fleet in
            let reactor = try SSHReactor()
            let connection = try await fleet.connect(on: reactor)
            let running = Task { try await connection.execute("sleep 60") }
            #expect(try await eventually { try await fleet.counts().commands == 1 })
            await reactor.shutdown()
            let closed = SSHError.closed(connection.endpoint)
            let second = await refusal { _ = try await running.value }
            #expect(second == closed)
            let third = await refusal { _ = try await connection.execute("true") }
            #expect(third == closed)
            let fourth = await refusal { _ = try await fleet.connect(on: reactor) }
            #expect(fourth == closed)
            await reactor.shutdown()
        }
    }

    @Test func aJumpHostIsPassedThrough() async throws {
        try await Fleet.with(3) { fleet in
            try await withReactor { reactor in
                let jump = try await fleet.connect(1, on: reactor)
                let behind = try await fleet.connect(2, on: reactor, through: jump)
                let farther = try await fleet.connect(3, on: reactor, through: behind)
                #expect(farther.hostKey != behind.hostKey)
                let result = try await farther.execute(
                    "cat; head -c 3000000 /dev/zero >&2; exit 6",
                    input: .bytes([UInt8](repeating: 1, count: 3_000_000)), timeout: .seconds(300))
                #expect(result.outcome == .exited(6))
                #expect(result.standardOutput.count == 3_000_000)
                #expect(result.standardError.count == 3_000_000)
                let log = try String(contentsOfFile: fleet.key("worker-3/log"), encoding: .utf8)
                #expect(log.contains("Accepted publickey"))
                try await fleet.run(["cut", "1"])
                let error = await refusal { _ = try await farther.execute("sleep 60") }
                guard case .connectionLost = error else {
                    // The break may be known before the command is asked for.
                    #expect(error == .closed(farther.endpoint))
                    return
                }
            }
        }
    }

    @Test func whatIsBehindAJumpHostMayBeDown() async throws {
        try await Fleet.with(2) { fleet in
            try await withReactor { reactor in
                let jump = try await fleet.connect(1, on: reactor)
                try await fleet.run(["stop", "2"])
                let error = await refusal { _ = try await fleet.connect(2, on: reactor, through: jump) }
                guard case .unreachable(let endpoint, let reason) = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(endpoint == fleet.endpoint(2))
                #expect(reason.contains("jump host"))
                #expect(try await jump.execute("true").isSuccess)
            }
        }
    }
}

/// A TCP server that greets and then says nothing.
private final class Listener: Sendable {
    let endpoint: SSHEndpoint
    private let descriptor: Int32

    init(greeting: String) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            return bind(descriptor, pointer, length) == 0 && listen(descriptor, 8) == 0
                ? getsockname(descriptor, pointer, &length) : -1
        }
        try #require(result == 0)
        self.descriptor = descriptor
        endpoint = SSHEndpoint(host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port), user: "nobody")
        guard !greeting.isEmpty else { return }
        DispatchQueue.global().async {
            let client = accept(descriptor, nil, nil)
            _ = write(client, Array(greeting.utf8), greeting.utf8.count)
            close(client)
        }
    }

    deinit { close(descriptor) }
}
