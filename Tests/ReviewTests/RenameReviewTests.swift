import Model
import Plans
import Testing
import YAML

@testable import Review

@Suite struct RenameReviewTests {
    private func plan(_ renames: [(String, String)]) throws -> Plan {
        var plan = try Samples.plan(workers: ["w1", "w2"], batch: 1)
        plan.work.body.renames = try renames.map {
            Plan.Rename(from: try #require(WorkerName($0)), to: try #require(WorkerName($1)), generation: "g.1")
        }
        return plan
    }

    @Test func everyFormNamesThemAtItsHead() throws {
        let file = PlanFile(try plan([("a", "w1")]))
        let text = TextReview.text(file, color: false)
        #expect(
            text.contains(
                """
                1 worker renamed, each once its machine has shown the receipts that are recorded of it; nothing is stopped or started for \
                that: renamed a -> w1

                """))
        #expect(text.contains("Plan: 1 worker renamed, 2 to restart, 2 to stop; 2 unchanged."))
        #expect(MarkdownReview.text(file, showsSteps: false).contains(":** renamed `a` -> `w1`\n"))
        #expect(
            HTMLReview.page(file, showsSteps: false).contains(
                "</strong> renamed <code>a</code> -&gt; <code>w1</code></li>"))
        let json = JSONReview.json(file, showsSteps: true).text
        #expect(json.contains(#""renames""#) && json.contains(#""generation": "g.1""#))
    }

    @Test func theStepComesFirst() throws {
        let lines = StepList.text(PlanFile(try plan([("a", "w1")]))).split(separator: "\n")
        #expect(lines[2] == "    1  renames")
        #expect(lines[3].hasPrefix("    2  old/stop/1/"))
    }

    @Test func manyAreCounted() throws {
        let file = PlanFile(try plan((0..<150).map { ("a\($0)", "b\($0)") }))
        let text = TextReview.text(file, color: false)
        #expect(text.contains("renamed a19 -> b19") && !text.contains("renamed a20 ->"))
        #expect(text.contains("and 130 more"))
    }

    @Test func aDifferenceTellsThem() throws {
        let difference = PlanDifference(try plan([("a", "w1"), ("b", "w2")]), try plan([("a", "w1"), ("c", "w2")]))
        #expect(
            difference.text(color: false) == """
                Renames
                  - gone: renamed b -> w2, with the receipts g.1
                  + new: renamed c -> w2, with the receipts g.1

                """)
        #expect(!difference.onlyAddsJobs)
    }
}
