import Foundation
import SSH
import Synchronization
import Testing

@Suite struct ExecutionTests {
    /// One server and one connection for a test.
    private func withConnection(
        configuration: [String] = [], _ body: (SSHConnection, Fleet) async throws -> Void
    ) async throws {
        try await Fleet.with(configuration: configuration) { fleet in
            try await withReactor { reactor in try await body(try await fleet.connect(on: reactor), fleet) }
        }
    }

    @Test func streamsAndStatusArrive() async throws {
        try await withConnection { connection, fleet in
            let result = try await connection.execute(
                "cat; echo problem >&2; exit 7", input: .bytes(Array("hello".utf8)))
            #expect(result.outcome == .exited(7))
            #expect(result.standardOutput.tail == Array("hello".utf8))
            #expect(result.standardError.tail == Array("problem\n".utf8))
            #expect(!result.isSuccess)
            let counts = try await fleet.counts()
            #expect(counts == (1, 1))
        }
    }

    @Test func everyExitStatusIsTheCommands() async throws {
        try await withConnection { connection, _ in
            for status: Int32 in [0, 1, 2, 126, 127, 128, 255] {
                let result = try await connection.execute("exit \(status)")
                #expect(result.outcome == .exited(status))
            }
        }
    }

    @Test func aSignalIsNoExitStatus() async throws {
        try await withConnection { connection, _ in
            let killed = try await connection.execute("kill -KILL $$")
            guard case .signalled("KILL") = killed.outcome else {
                Issue.record("\(killed.outcome)")
                return
            }
            #expect(!killed.isSuccess)
        }
    }

    @Test func theStatusOfACommandThatClosedItsOutputFirstIsWaitedFor() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute("exec >&- 2>&-; sleep 0.2; exit 3")
            #expect(result.outcome == .exited(3))
        }
    }

    @Test(.timeLimit(.minutes(15))) func muchOutputOnBothStreamsDoesNotStall() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute(
                "head -c 10000000 /dev/zero >&2; head -c 100000000 /dev/zero; echo end", output: .tail(1000),
                timeout: .seconds(500))
            #expect(result.outcome == .exited(0))
            #expect(result.standardOutput.count == 100_000_004)
            #expect(result.standardOutput.tail.count == 1000)
            #expect(result.standardOutput.tail.suffix(4) == Array("end\n".utf8)[...])
            #expect(result.standardError.count == 10_000_000)
        }
    }

    @Test(.timeLimit(.minutes(15))) func rekeyingInTheMiddleIsNotSeen() async throws {
        try await withConnection(configuration: ["RekeyLimit 1M"]) { connection, _ in
            let result = try await connection.execute(
                "cat | wc -c; head -c 10000000 /dev/zero >&2", input: .bytes([UInt8](repeating: 7, count: 10_000_000)),
                timeout: .seconds(500))
            #expect(result.standardOutput.tail == Array("10000000\n".utf8))
            #expect(result.standardError.count == 10_000_000)
        }
    }

    @Test(.timeLimit(.minutes(15))) func inputIsStreamed() async throws {
        try await withConnection { connection, _ in
            let sent = Mutex(0)
            let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
            let result = try await connection.execute(
                "wc -c",
                input: .stream {
                    sent.withLock { sent in
                        guard sent < 200 else { return nil }
                        sent += 1
                        return chunk
                    }
                })
            #expect(result.standardOutput.tail == Array("20000000\n".utf8))
        }
    }

    @Test func aCommandThatDoesNotReadItsInputEnds() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute(
                "head -c 1", input: .bytes([UInt8](repeating: 65, count: 20_000_000)))
            #expect(result.outcome == .exited(0))
            #expect(result.standardOutput.tail == [65])
            let endless = try await connection.execute("exit 4", input: .stream { [1, 2, 3] })
            #expect(endless.outcome == .exited(4))
        }
    }

    @Test(.timeLimit(.minutes(15))) func outputIsHandedOnInOrderAndTheServerWaits() async throws {
        try await withConnection { connection, _ in
            let seen = Mutex((bytes: 0, isInOrder: true))
            let result = try await connection.execute(
                "seq 1000000 1999999",
                output: .stream { chunk in
                    try await Task.sleep(for: .milliseconds(1))
                    seen.withLock { seen in
                        for byte in chunk {
                            // Each line is seven digits and a line break; the first digit is always 1.
                            if (seen.bytes % 8 == 7) != (byte == 10) { seen.isInOrder = false }
                            seen.bytes += 1
                        }
                    }
                })
            #expect(result.standardOutput.count == 8_000_000)
            #expect(seen.withLock { $0.bytes } == 8_000_000)
            #expect(seen.withLock { $0.isInOrder })
        }
    }

    @Test func errorsOfTheCallersFunctionsEndTheCommand() async throws {
        struct Sorry: Error {}
        try await withConnection { connection, _ in
            let input = await refusal { _ = try await connection.execute("sleep 60", input: .stream { throw Sorry() }) }
            #expect(input == .caller(connection.endpoint, reason: "Sorry()"))
            let output = await refusal {
                _ = try await connection.execute("echo x; sleep 60", output: .stream { _ in throw Sorry() })
            }
            #expect(output == .caller(connection.endpoint, reason: "Sorry()"))
            let after = try await connection.execute("true")
            #expect(after.isSuccess)
        }
    }

    @Test(.timeLimit(.minutes(15))) func manyCommandsShareAConnection() async throws {
        // The server allows ten channels at a time, so most of these wait for their turn.
        try await withConnection { connection, fleet in
            let statuses = try await withThrowingTaskGroup(of: (Int32, SSHExecution).self) { group in
                for index: Int32 in 0..<60 {
                    group.addTask {
                        (index, try await connection.execute("cat; exit \(index)", input: .bytes([1, 2])))
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(statuses.count == 60)
            for (index, result) in statuses {
                #expect(result.outcome == .exited(index))
                #expect(result.standardOutput.tail == [1, 2])
            }
            let counts = try await fleet.counts()
            #expect(counts == (1, 60))
        }
    }

    @Test func noChannelAtAllIsSaid() async throws {
        try await withConnection(configuration: ["MaxSessions 0"]) { connection, _ in
            let error = await refusal { _ = try await connection.execute("true") }
            #expect(error == .tooManyChannels(connection.endpoint))
        }
    }

    @Test(.timeLimit(.minutes(15))) func cancellationEndsTheCallAndFreesTheChannel() async throws {
        try await withConnection { connection, _ in
            // More than the server's ten channels, so they have to be given back.
            for round in 0..<25 {
                let task = Task { try await connection.execute("read line", input: .stream { try await forever() }) }
                try await Task.sleep(for: .milliseconds(round * 2))
                task.cancel()
                let error = await refusal { _ = try await task.value }
                #expect(error == .cancelled(connection.endpoint))
            }
            let after = try await connection.execute("exit 3")
            #expect(after.outcome == .exited(3))
        }
    }

    @Test func theDeadlineEndsTheCallAlone() async throws {
        try await withConnection { connection, _ in
            let start = ContinuousClock.now
            let other = Task { try await connection.execute("sleep 1; echo late") }
            let error = await refusal { _ = try await connection.execute("sleep 300", timeout: .milliseconds(300)) }
            #expect(error == .timedOut(connection.endpoint, phase: .command, limit: .milliseconds(300)))
            #expect(ContinuousClock.now - start < .seconds(250), "the command takes 300")
            let result = try await other.value
            #expect(result.standardOutput.tail == Array("late\n".utf8))
        }
    }

    @Test func aCommandLineThatIsTooLongIsRefusedHere() async throws {
        try await withConnection { connection, _ in
            let longest = "exit 5 #" + String(repeating: "x", count: SSHConnection.commandLimit - 8)
            let result = try await connection.execute(longest)
            #expect(result.outcome == .exited(5))
            let error = await refusal { _ = try await connection.execute(longest + "x") }
            guard case .channel = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test func aClosedConnectionSaysSo() async throws {
        try await withConnection { connection, fleet in
            let running = Task { try await connection.execute("sleep 60") }
            let isRunning = try await eventually { try await fleet.counts().commands == 1 }
            #expect(isRunning)
            connection.close()
            let closed = SSHError.closed(connection.endpoint)
            let first = await refusal { _ = try await running.value }
            #expect(first == closed)
            let second = await refusal { _ = try await connection.execute("true") }
            #expect(second == closed)
        }
    }
}

/// Waits until it is cancelled.
private func forever() async throws -> [UInt8]? {
    try await Task.sleep(for: .seconds(3600))
    return nil
}
