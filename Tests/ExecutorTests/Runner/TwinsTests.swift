import Model
import Testing

@testable import Executor
@testable import Workers

@Suite struct TwinsTests {
    private func report(_ generation: String, boot: String) -> PreflightReport {
        PreflightReport(
            faults: [], otherOwner: nil, generation: generation, bootID: boot, clock: 0, freeKiB: nil)
    }

    private func faults(_ reports: [String: PreflightReport]) -> [String: String] {
        let named = reports.compactMap { name, report in WorkerName(name).map { ($0, report) } }
        return Dictionary(
            uniqueKeysWithValues: Twins.faults(Dictionary(uniqueKeysWithValues: named)).map { ($0.text, $1) })
    }

    @Test func machinesOfTheirOwnAreNone() {
        #expect(faults(["a": report("x.1.2", boot: "p"), "b": report("y.1.2", boot: "p")]).isEmpty)
    }

    @Test func oneMachineUnderTwoNamesIsNamedTwice() {
        let one = report("x.1.2", boot: "p")
        let found = faults(["a": one, "b": one, "c": report("y.1.2", boot: "p")])
        #expect(found.keys.sorted() == ["a", "b"])
        #expect(found["a"]?.hasPrefix("it is the same machine as b.") == true)
        #expect(found["b"]?.hasPrefix("it is the same machine as a.") == true)
    }

    @Test(arguments: [("x.1.2", "q"), ("x.9.2", "p")])
    func aCopyIsNoSecondNameOfTheMachine(_ generation: String, _ boot: String) {
        let found = faults(["a": report("x.1.2", boot: "p"), "b": report(generation, boot: boot)])
        #expect(found.keys.sorted() == ["a", "b"])
        #expect(found.values.allSatisfy { $0.contains("is a copy of that on") })
    }
}
