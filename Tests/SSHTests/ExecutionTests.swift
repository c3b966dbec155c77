import Foundation
import SSH
import Testing

@Suite struct ExecutionTests {
    @Test func streamsAndStatus() async throws {
        try await Fleet.with { fleet in
            try await withReactor { reactor in
                let connection = try await fleet.connect(on: reactor)
                let result = try await connection.execute(
                    "cat; echo problem >&2; exit 7", input: .bytes(Array("hello".utf8)))
                #expect(result.outcome == .exited(7))
                #expect(result.standardOutput.tail == Array("hello".utf8))
                #expect(result.standardError.tail == Array("problem\n".utf8))
                #expect(!result.isSuccess)
                let counts = try await fleet.counts()
                #expect(counts.logins == 1)
                #expect(counts.commands == 1)
            }
        }
    }
}
