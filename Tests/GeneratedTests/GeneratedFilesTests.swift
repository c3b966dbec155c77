import Approvals
import Foundation
import Planner
import Plans
import Review
import Testing

/// What is made from the tables of the code and kept in files. `make generated` writes them.
@Suite struct GeneratedFilesTests {
    private static let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let isWriting = ProcessInfo.processInfo.environment["MAAND_WRITE_GENERATED"] != nil
    private static let schemas = WorkspaceFormat.schemas.merging(
        [
            "plan": PlanFormat.schema, "review": JSONReview.schema, "approvals": ApprovalsOutput.schema,
            "drift": DriftReport.schema, "event": EventFormat.schema,
        ]
    ) { _, other in other }

    @Test(arguments: schemas.keys.sorted()) func aSchemaIsThatOfTheTables(_ name: String) throws {
        let schema = try #require(Self.schemas[name])
        try Self.compare("plans/schema/\(name).schema.json") { _ in schema }
    }

    @Test func everySchemaIsMadeFromTables() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.top.appending(path: "plans/schema").path)
        #expect(names.sorted() == Self.schemas.keys.map { "\($0).schema.json" }.sorted())
    }

    @Test(arguments: [
        ("docs/plan-format.md", "\n## Fields\n\n", PlanFormat.reference),
        ("docs/events.md", "\n## All events\n\n", EventFormat.reference),
    ]) func aReferenceIsThatOfTheTables(_ file: String, _ heading: String, _ reference: String) throws {
        try Self.compare(file) { page in
            let parts = page.components(separatedBy: heading)
            try #require(parts.count == 2)
            return parts[0] + heading + parts[1].components(separatedBy: "\n### ")[0] + "\n" + reference
        }
    }

    /// After the comment `<!-- fields of: NAME -->` comes the table of an object.
    @Test func theFieldsOfWorkspacesAreThoseOfTheTables() throws {
        let tables = WorkspaceFormat.tables
        try Self.compare("docs/workspace.md") { page in
            let mark = "<!-- fields of: "
            let parts = page.components(separatedBy: mark)
            var shown: Set<String> = []
            let sections = try parts.dropFirst().map { part in
                let name = String(part.prefix { $0 != " " })
                shown.insert(name)
                let rest = part.components(separatedBy: "\n").dropFirst().drop { $0.hasPrefix("|") }
                return try "\(mark)\(name) -->\n\(#require(tables[name]))" + rest.joined(separator: "\n")
            }
            #expect(shown == Set(tables.keys), "all objects are in the page")
            return parts[0] + sections.joined()
        }
    }

    /// Fails if a file is not what is made from code, or writes it.
    private static func compare(_ path: String, _ make: (String) throws -> String) throws {
        let file = top.appending(path: path)
        let page = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        let expected = try make(page)
        if isWriting { try expected.write(to: file, atomically: true, encoding: .utf8) }
        #expect(isWriting || page == expected, "\(path) is not that of the code: run `make generated`")
    }
}
