import Testing

@testable import ControllerHooks

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
}
