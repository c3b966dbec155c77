import Model
import Plans
import Synchronization
import Testing
import ThisHost

@testable import Executor

@Suite struct GateTests {
    /// A gate over two workers; `answers` says for each try of a worker whether it passes, the last one for all others.
    private final class Service: Sendable {
        private let answers: [String: [Bool]]
        private let asked = Mutex<[String: Int]>([:])
        private let slept = Mutex<[Duration]>([])

        init(_ answers: [String: [Bool]]) { self.answers = answers }

        var pauses: [Duration] { slept.withLock { $0 } }
        var tries: Int { asked.withLock { $0.values.max() ?? 0 } }

        func pass(attempts: Int, delay: Int = 0, successes: Int = 1) async throws -> Gate.Failure? {
            let health = HealthCheck(
                timeoutSeconds: 1, attempts: attempts, intervalSeconds: 2, checks: [.ssh(command: "ask")],
                initialDelaySeconds: delay, successes: successes)
            let workers = answers.keys.sorted().compactMap { WorkerName($0) }
            let gate = Gate(
                health: health, targets: workers.map { ($0, $0.text) },
                command: { [self] worker, _, _ in
                    let number = asked.withLock { asked in
                        asked[worker.text, default: 0] += 1
                        return asked[worker.text] ?? 0
                    }
                    let own = answers[worker.text] ?? []
                    return own[min(number, own.count) - 1] ? nil : "down"
                }, hooks: { _ in nil })
            let clock = Clock(
                now: { Timestamp(milliseconds: 0) }, sleep: { [self] pause in slept.withLock { $0.append(pause) } })
            return try await gate.pass(clock: clock) { _, _ in }
        }
    }

    @Test func theFirstPassingTryEndsAnOrdinaryGate() async throws {
        let service = Service(["a": [false, true], "b": [true]])
        #expect(try await service.pass(attempts: 5) == nil)
        #expect(service.pauses == [.seconds(2)])
    }

    @Test func aServiceThatAnswersOnceAndThenFailsDoesNotPass() async throws {
        let service = Service(["a": [true, false], "b": [true]])
        let failure = try #require(try await service.pass(attempts: 4, successes: 3))
        #expect(failure.failing.map(\.text) == ["a"])
        #expect(service.tries == 4)
    }

    @Test func successesCountInARowOnEveryAllocation() async throws {
        let service = Service(["a": [true, true, false, true, true, true], "b": [true]])
        #expect(try await service.pass(attempts: 10, successes: 3) == nil)
        #expect(service.tries == 6)
    }

    @Test func theLastTryMayBeginTheRow() async throws {
        let service = Service(["a": [false, true]])
        #expect(try await service.pass(attempts: 2, successes: 3) == nil)
        #expect(service.tries == 4)
    }

    @Test func theFirstTryComesAfterTheDelay() async throws {
        let service = Service(["a": [true]])
        #expect(try await service.pass(attempts: 1, delay: 7) == nil)
        #expect(service.pauses == [.seconds(7)])
    }

    @Test func aFailureNamesAllThatFail() async throws {
        let failure = try #require(try await Service(["a": [false], "b": [true], "c": [false]]).pass(attempts: 1))
        #expect(failure.failing.map(\.text) == ["a", "c"])
        #expect(failure.problem.hasPrefix("2 of 3 allocations do not pass"))
    }
}
