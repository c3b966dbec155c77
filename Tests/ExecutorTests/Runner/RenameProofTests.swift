import Model
import Plans
import Testing

@testable import Executor
@testable import Workers

@Suite struct RenameProofTests {
    private func report(_ generation: String) -> PreflightReport {
        PreflightReport(faults: [], otherOwner: nil, generation: generation, bootID: "p", clock: 0, freeKiB: nil)
    }

    @Test func aMachineIsKnownByItsReceiptsAlone() throws {
        let (old, new) = (try #require(WorkerName("a")), try #require(WorkerName("b")))
        let renames = [Plan.Rename(from: old, to: new, generation: "x.1")]
        #expect(RenameProof.strangers(renames, [new: report("x.1")]).isEmpty)
        // A copy of the folder, another folder, and none.
        for other in ["x.2", "y.1", "absent"] {
            #expect(RenameProof.strangers(renames, [new: report(other), old: report("x.1")]) == renames)
        }
        // Who does not answer is no stranger; it keeps the run from beginning all the same.
        #expect(RenameProof.strangers(renames, [:]).isEmpty)
    }
}
