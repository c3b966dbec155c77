import Foundation
import Model
import Plans
import Testing
import YAML

@testable import Review

@Suite struct FormatTests {
    /// A plan of many jobs on many workers.
    private func large(jobs: Int, workers: Int, batch: Int) throws -> PlanFile {
        var plan = try Samples.plan(workers: (0..<workers).map { "w\($0)" }, batch: batch)
        let job = plan.work.body.waves[0].jobs[0]
        plan.work.body.waves[0].jobs = try (0..<jobs).map {
            var copy = job
            copy.job = try #require(JobName("job-\($0)"))
            return copy
        }
        plan.work.body.summary = .init(reconcile: plan.work.body.reconcile, waves: plan.work.body.waves, unchanged: 0)
        return PlanFile(plan)
    }

    @Test func markdownFitsIntoAComment() throws {
        for (jobs, workers) in [(1, 3), (40, 20), (800, 10), (3000, 1)] {
            let file = try large(jobs: jobs, workers: workers, batch: 1)
            for steps in [false, true] {
                let text = MarkdownReview.text(file, showsSteps: steps)
                #expect(text.utf8.count <= MarkdownReview.maximumSize)
                #expect(text.hasPrefix("### \(file.plan.summaryLine)\n"))
                #expect(text.contains("**Look here first**") && text.contains("| when | job |"))
                let opened = text.ranges(of: "<details>").count
                #expect(opened == text.ranges(of: "</details>").count)
                #expect(text.contains("Cut here") == (jobs >= 800 || steps && jobs == 40), "\(jobs) \(steps)")
            }
        }
    }

    @Test func aWaveIsOneFoldedPart() throws {
        let text = MarkdownReview.text(PlanFile(try Samples.plan(workers: ["w1"], batch: 1)), showsSteps: false)
        #expect(text.contains("<details><summary>Stops, before the first wave: 1 allocation</summary>"))
        #expect(text.contains("<details><summary>Wave 1: <code>api</code></summary>"))
        #expect(text.contains("| wave 1 | `api` | restart 1 | `2.0.0` -> `2.1.0` | 1 | 1 | 1 of 1 |"))
    }

    @Test(arguments: ["1|2", "1\\|@team", "1\u{1b}"]) func aTableHasNoTextThatCouldLeaveItsCell(_ version: String)
        throws
    {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        plan.work.body.waves[0].jobs[0].version = version
        let text = MarkdownReview.text(PlanFile(plan), showsSteps: false)
        #expect(text.contains("| wave 1 | `api` | restart 1 | see below | 1 |"))
    }

    private func schedule(_ plan: Plan) -> Schedule { Schedule(plan, ExpectedTimes(plan, .none)) }

    @Test func theScheduleIsBounded() throws {
        for (jobs, workers, batch) in [(1, 3000, 1), (1, 3000, 100), (400, 100, 3), (30, 100, 10)] {
            let schedule = schedule(try large(jobs: jobs, workers: workers, batch: batch).plan)
            #expect(schedule.bands.map(\.lanes.count) == [1, min(jobs, Schedule.maximumJobs - 1)])
            #expect(schedule.hiddenJobs == max(0, jobs - Schedule.maximumJobs + 1))
            #expect(schedule.columns.count <= Schedule.maximumColumns)
            #expect(schedule.rows.count <= 40)
            #expect(schedule.rows.reduce(0) { $0 + $1.count } + schedule.hiddenHosts == workers)
        }
    }

    @Test func hostsToWhichTheSameHappensShareARow() throws {
        let plan = try Samples.plan(workers: (1...9).map { "w\($0)" }, batch: 3)
        let schedule = schedule(plan)
        #expect(schedule.columns.map { "\($0.band) \($0.title)" } == ["Stops old", "Wave 1 api"])
        #expect(
            schedule.rows.map { "\($0.hosts.terminal): \($0.cells.map { $0 ?? "–" })" } == [
                #"w1, w2, w3: ["stop and remove", "restart, batch 1"]"#,
                #"w4, w5, w6: ["stop and remove", "restart, batch 2"]"#,
                #"w7, w8, w9: ["stop and remove", "restart, batch 3"]"#,
            ])
        let boxes = schedule.bands[1].lanes[0].boxes
        #expect(boxes.map(\.title) == ["batch 1", "batch 2", "batch 3"])
        #expect(boxes.map(\.marks) == [[.gate], [.gate], [.gate]])
    }

    @Test func aPageHasEverythingItNeeds() throws {
        let page = HTMLReview.page(PlanFile(try Samples.plan(workers: ["w1", "w2"], batch: 1)), showsSteps: true)
        #expect(page.hasPrefix("<!doctype html>"))
        #expect(page.contains("default-src 'none'"))
        #expect(page.contains("prefers-color-scheme: dark"))
        #expect(page.contains("<td>restart, batch 2</td>"))
        for link in page.matches(of: /href="#([a-z0-9-]*)"/) { #expect(page.contains("id=\"\(link.1)\"")) }
        #expect(page.contains("api/upgrade/2/w2/restart"))
        #expect(page.contains("Not pinned by this plan"))
        for tag in ["details", "section", "ul", "ol", "li", "svg", "pre", "div", "span", "g", "code", "p", "dl"] {
            let opened = page.matches(of: try Regex("<\(tag)[ >]")).count
            #expect(opened == page.ranges(of: "</\(tag)>").count, "\(tag)")
        }
    }

    @Test func jsonSaysWhatThePlanSays() throws {
        let file = PlanFile(try Samples.plan(workers: ["w1", "w2"], batch: 1))
        let json = JSONReview.json(file, showsSteps: true).text
        let value = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(value["review_format"] as? Int == 1)
        #expect(value["plan"] as? String == file.id.description)
        #expect((value["summary"] as? [String: Any])?["restart"] as? Int == 2)
        let steps = try #require(value["steps"] as? [[String: Any]])
        #expect(steps.compactMap { $0["id"] as? String } == StepList.rows(file.plan).map(\.id.text))
        #expect((value["not_bound"] as? [[String: Any]])?.count == file.plan.unpinned.count)
    }

    @Test func stepsAreThoseOfTheGraph() throws {
        let plan = try Samples.plan(workers: ["w1", "w2"], batch: 2)
        let rows = StepList.rows(plan)
        #expect(Set(rows.map(\.id)) == Set(StepGraph(plan).steps.map(\.id)))
        #expect(
            rows.map { "\($0.stage) \($0.id)" } == [
                "1 old/stop/1/w1/stop", "1 old/stop/1/w1/remove", "1 old/stop/1/w2/stop", "1 old/stop/1/w2/remove",
                "2 api/gate", "3 api/upgrade/1/w1/push", "3 api/upgrade/1/w1/restart", "3 api/upgrade/1/w2/push",
                "3 api/upgrade/1/w2/restart", "3 api/upgrade/1/w1/promote", "3 api/upgrade/1/w2/promote",
                "4 api/upgrade/1/gate", "5 api/complete",
            ])
    }

    @Test func nothingIsUnboundInAPlanThatDoesNothing() throws {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        plan.work.body.reconcile = []
        plan.work.body.waves = []
        #expect(plan.unpinned.isEmpty)
    }
}
