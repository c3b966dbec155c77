import Approvals
import Catalog
import Commands
import Model
import Plans
import Testing
import UseCases
import YAML

@Suite struct FailureTests {
    /// Scripts and timers depend on the numbers.
    @Test func exitCodesStay() {
        let codes: [Exit: Int32] = [
            .failed: 1, .changes: 2, .stale: 3, .decisionNeeded: 4, .unfinishedRun: 5, .usage: 64, .invalidInput: 65,
            .unreachable: 69, .tryLater: 75, .notApproved: 77,
        ]
        for (exit, code) in codes { #expect(exit.rawValue == code) }
    }

    @Test func errorsOfModulesHaveTheirCodes() throws {
        let input = #expect(throws: InputFailure.self) { try BucketConfiguration.read(Array("?".utf8), file: "f") }
        #expect(Failure(try #require(input))?.status == .invalidInput)
        #expect(Failure(CatalogError.otherBucket(path: "p", found: "a", expected: "b"))?.status == .invalidInput)
        let policy = #expect(throws: ApprovalProblem.self) {
            try EffectivePolicy.find(hostPath: "/none", operatorPath: "/none/policy", bucketFolder: "/none")
        }
        #expect(Failure(try #require(policy))?.status == .notApproved)
        let tree = Digest.of("x".utf8)
        let store = #expect(throws: StoreError.self) { try ContentStore(in: "/none").read(tree, limit: 1) }
        #expect(Failure(try #require(store))?.status == .failed)
        let failure = Failure(Failure(.tryLater, "what", "note"))
        #expect(failure?.status == .tryLater && failure?.message == "what" && failure?.note == "note")
        #expect(Failure(CancellationError()) == nil)
    }
}
