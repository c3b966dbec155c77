import Foundation
import Model
import Plans
import Testing

/// What is made from the tables of the plan's records and kept in files. `make generated` writes them.
@Suite struct PlanFormatTests {
    private static let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let isWriting = ProcessInfo.processInfo.environment["MAAND_WRITE_GENERATED"] != nil

    @Test func theSchemaIsThatOfThePlan() throws {
        let file = Self.top.appending(path: "plans/schema/plan.schema.json")
        if Self.isWriting { try PlanFormat.schema.write(to: file, atomically: true, encoding: .utf8) }
        #expect(try String(contentsOf: file, encoding: .utf8) == PlanFormat.schema, "make generated")
    }

    @Test func theSchemaOfReportsOfDriftIsTheirs() throws {
        let file = Self.top.appending(path: "plans/schema/drift.schema.json")
        if Self.isWriting { try DriftReport.schema.write(to: file, atomically: true, encoding: .utf8) }
        #expect(try String(contentsOf: file, encoding: .utf8) == DriftReport.schema, "make generated")
    }

    @Test func theReferenceIsThatOfThePlan() throws {
        let file = Self.top.appending(path: "docs/plan-format.md")
        let heading = "\n## Fields\n\n"
        let page = try String(contentsOf: file, encoding: .utf8)
        let parts = page.components(separatedBy: heading)
        try #require(parts.count == 2)
        let intro = parts[1].prefix { $0 != "#" }
        let expected = parts[0] + heading + intro + PlanFormat.reference
        if Self.isWriting { try expected.write(to: file, atomically: true, encoding: .utf8) }
        #expect(try String(contentsOf: file, encoding: .utf8) == expected, "make generated")
    }
}
