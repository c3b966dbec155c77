import Testing

@testable import Executor

@Suite struct HookRunnerTests {
    @Test func aVariableThatNoProgramCanBeStartedWith() {
        let workers = (0..<9000).map { "worker-\($0).example" }.joined(separator: ",")
        let told = ["BATCH_ALLOCATIONS": workers, "ROLLOUT_ORDER": workers, "JOB": "api"]
        let message = HookRunner.TooLong(told).map { "\($0)" } ?? ""
        #expect(message.hasPrefix("its BATCH_ALLOCATIONS would have \(workers.utf8.count) bytes"))
        #expect(message.contains("make batches smaller"))
        // With name and end it is what Linux allows: 32 pages.
        let longest = String(repeating: "w", count: HookRunner.variableLimit)
        #expect(HookRunner.TooLong(["BATCH_ALLOCATIONS": longest]) == nil)
        #expect("BATCH_ALLOCATIONS=\(longest)".utf8.count < 128 << 10)
    }

    @Test func whatIsStruckOut() {
        func struck(_ text: String, _ secrets: String...) -> String {
            String(decoding: Redaction.strike(secrets, from: Array(text.utf8)), as: UTF8.self)
        }
        #expect(struck("a hunter2, a hunter22", "hunter2", "hunter22") == "a ***, a ***")
        // The beginning may have been cut off with a part of it.
        #expect(struck("unter2 it was", "hunter2") == "*** it was")
        #expect(struck("many lines\nof\nkey", "lines\nof") == "many ***\nkey")
        #expect(struck("yes", "yes") == "yes")
        #expect(struck("nothing", "") == "nothing")
    }
}
