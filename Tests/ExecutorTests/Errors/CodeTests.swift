import Catalog
import Foundation
import Model
import Testing
import UseCases

@testable import Executor

/// Programs rely on codes, so each is documented, and none is renamed by accident.
struct CodeTests {
    /// The codes in the first columns of the tables of `docs/troubleshooting.md`, section "Codes", table by table.
    private static func documented() throws -> [[String]] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/troubleshooting.md"), encoding: .utf8)
        let section = try #require(text.components(separatedBy: "\n## Codes\n").last)
        return section.components(separatedBy: "\n|---").dropFirst().map { table in
            table.split(separator: "\n").dropFirst().prefix { $0.hasPrefix("| `") }.compactMap { line in
                line.split(separator: "`").dropFirst().first.map(String.init)
            }
        }
    }

    @Test func everyCodeIsDocumentedAndNoOther() throws {
        let tables = try Self.documented()
        #expect(tables.count == 4)
        let codes = [
            ErrorCode.allCases.map(\.rawValue), RunReason.allCases.map(\.rawValue),
            StepFault.Code.allCases.map(\.rawValue),
            RunWarning.Code.allCases.map(\.rawValue),
        ]
        for (table, codes) in zip(tables, codes) {
            #expect(table.sorted() == codes.sorted())
        }
    }

    @Test func codesAreInSnakeCase() {
        for code in ErrorCode.allCases.map(\.rawValue) + StepFault.Code.allCases.map(\.rawValue) {
            #expect(code.allSatisfy { $0 == "_" || ("a"..."z").contains($0) }, "\(code)")
        }
    }

    @Test func aHeldRunHasACodeForItsCause() {
        func code(_ cause: WindowHold.Cause) -> ErrorCode { WindowHold(cause: cause, reason: "x").code }
        #expect(code(.closed) == .windowClosed)
        #expect(code(.frozen) == .frozen)
        #expect(code(.unapproved) == .approvalLapsed)
    }

    @Test func aPauseIsNotUrgentAndASignalIs() {
        let pause = ParkRequest(.pause(by: "me@here", reason: "lunch"))
        #expect(!pause.isUrgent && pause.code == .paused && pause.reason == "pause by me@here: lunch")
        let signal = ParkRequest(.signal("SIGINT"))
        #expect(signal.isUrgent && signal.code == .signal && signal.reason == "SIGINT")
    }

    @Test func theSentenceOfAnErrorHasItsContext() throws {
        let error = RolloutError.notUnknown(RunID(7), StepID("api/upgrade/1/w1/restart"), .succeeded)
        #expect(error.code == .stepNotUnknown)
        #expect(error.description.contains("run 7, step api/upgrade/1/w1/restart"))
        #expect(StepFault.exit(status: 137).description == "exit status 137, as of signal 9")
        #expect(StepFault.takenOver(.controlHost, by: nil).description == "this host was taken over")
    }
}
