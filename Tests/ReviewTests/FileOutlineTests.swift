import Model
import Plans
import Testing
import YAML

@testable import Review

/// What a reviewer sees of files that are not the same on all workers.
@Suite struct FileOutlineTests {
    /// A job whose `own.conf` is another one on each worker.
    ///
    /// - Parameters:
    ///   - old: the version that runs there now, for each worker; nil where none does.
    private func plan(_ old: [String?], batch: Int = 1) throws -> Plan {
        let names = old.indices.map { "w\($0 + 1)" }
        var plan = try Samples.plan(workers: names, batch: batch)
        var job = plan.work.body.waves[0].jobs[0]
        let entries = Array(job.phases[0].batches.joined())
        job.from = old.enumerated().map { index, version in
            .init(
                "s\(index)", FromState(version: version ?? "0.0.0", content: version.map { _ in digest("t\(index)") }))
        }
        job.changes = old.enumerated().map { index, version in
            let isNew = version == nil
            return .init(
                "s\(index)",
                [
                    FileChange(
                        path: "Makefile", kind: isNew ? .added : .modified, from: isNew ? nil : digest("m"),
                        to: digest("m2")),
                    FileChange(
                        path: "own.conf", kind: isNew ? .added : .modified, from: isNew ? nil : digest("o\(index)"),
                        to: digest("p\(index)")),
                    FileChange(path: "_modules/command_a.sh", kind: .added, from: nil, to: digest("script")),
                ])
        }
        job.phases[0].batches = job.batching.batches(
            of: entries.enumerated().map { index, entry in
                var entry = entry
                entry.from = "s\(index)"
                entry.reason = .contentChanged
                entry.matched = []
                return entry
            }, in: .upgrade)
        plan.work.body.waves[0].jobs = [job]
        return plan
    }

    private func digest(_ text: String) -> Digest { Digest.of(bytes(text)) }

    private func bytes(_ text: String) -> [UInt8] { Array("same\n\(text)\n".utf8) }

    private func contents(_ plan: Plan, whole: WholeFiles = .newCode) -> FileContents {
        let texts = ["m", "m2", "script"] + (0..<400).flatMap { ["o\($0)", "p\($0)"] }
        let objects = Dictionary(uniqueKeysWithValues: texts.map { (digest($0), bytes($0)) })
        return FileContents(of: plan, whole: whole) { digest, _ in objects[digest].map { .bytes($0) } ?? .missing }
    }

    private func text(_ plan: Plan) -> String {
        TextReview.text(PlanFile(plan), contents: contents(plan), color: false)
    }

    /// The lines of a job's files.
    private func files(_ plan: Plan) -> String {
        let lines = text(plan).split(separator: "\n").drop { !$0.hasPrefix("      files") }
        return lines.prefix { $0.hasPrefix("      ") }.map { $0.dropFirst(6) }.joined(separator: "\n")
    }

    @Test func whatAllShareIsToldOnceAndOneOfManyIsShown() throws {
        #expect(
            try files(plan(Array(repeating: "1.0.0", count: 300))) == """
                files
                  + _modules/command_a.sh
                      @@ -0,0 +1,2 @@
                      +same
                      +script
                  ~ Makefile
                      @@ -1,2 +1,2 @@
                       same
                      -m
                      +m2
                  ~ own.conf  (another content on each of 300 workers)
                    on w1:
                      @@ -1,2 +1,2 @@
                       same
                      -o0
                      +p0
                    likewise on 299 more workers, which --format json shows
                """)
    }

    @Test func aFewContentsAreAllShownWithTheirWorkers() throws {
        var plan = try plan(["1.0.0", "1.0.0", "1.0.0"])
        let second = plan.work.body.waves[0].jobs[0].changes[1].value[1]
        plan.work.body.waves[0].jobs[0].changes[2].value[1] = second
        #expect(
            files(plan).hasSuffix(
                """
                  ~ own.conf  (2 contents on 3 workers)
                    on w1:
                      @@ -1,2 +1,2 @@
                       same
                      -o0
                      +p0
                    on w2, w3:
                      @@ -1,2 +1,2 @@
                       same
                      -o1
                      +p1
                """))
    }

    @Test func groupsSayWhereTheyAre() throws {
        let text = try files(plan(["1.1.0", nil, "1.0.0", "1.1.0"]))
        let titles = text.split(separator: "\n").filter { $0.hasPrefix("files") }
        #expect(
            titles == [
                "files, on all 4 workers", "files (from 1.1.0; from 1.0.0), on w1, w3, w4",
                "files (from 1.1.0), on w1, w4",
                "files (new), on w2", "files (from 1.0.0), on w3",
            ])
        #expect(text.ranges(of: "~ Makefile").count == 1 && text.ranges(of: "+ Makefile").count == 1)
        #expect(text.ranges(of: "own.conf").count == 3)
    }

    @Test func whatChangesOnSomeWorkersIsNotHiddenAmongTheOthers() throws {
        var plan = try plan(Array(repeating: "1.0.0", count: 5))
        plan.work.body.waves[0].jobs[0].changes[3].value[1] = FileChange(
            path: "own.conf", kind: .removed, from: digest("o3"), to: nil)
        plan.work.body.waves[0].jobs[0].changes[4].value.append(
            FileChange(path: "odd.sh", kind: .added, from: nil, to: digest("m")))
        let text = files(plan)
        #expect(text.contains("  + odd.sh  (on w5)"))
        #expect(text.contains("  - own.conf  (on w4)"))
        #expect(text.contains("  ~ own.conf  (on w1, w2, w3, w5)  (another content on each of 4 workers)"))
    }

    @Test func anUnfinishedRolloutIsTold() throws {
        var plan = try plan(["1.0.0", "1.0.0"])
        plan.work.body.waves[0].jobs[0].from[1].value.unfinished = digest("m")
        let text = files(plan)
        #expect(text.contains("files (from 1.0.0), on w1\n"))
        #expect(text.contains("files (from 1.0.0, with an unfinished rollout on top), on w2\n"))
    }

    @Test func everyFormatShowsANewScript() throws {
        let plan = try plan(Array(repeating: "1.0.0", count: 300))
        let file = PlanFile(plan)
        let markdown = MarkdownReview.text(file, contents: contents(plan), showsSteps: false)
        #expect(markdown.contains("`_modules/command_a.sh`\n\n```diff\n@@ -0,0 +1,2 @@\n+same\n+script\n```\n"))
        #expect(
            markdown.contains("`own.conf` on `w1`, likewise on 299 more workers, which --format json shows\n\n```diff"))
        #expect(markdown.utf8.count < 6000)
        let page = HTMLReview.page(file, contents: contents(plan, whole: .all), showsSteps: false)
        #expect(page.ranges(of: "+script").count == 1 && page.ranges(of: "-o0").count == 1)
        #expect(page.contains("likewise on 299 more workers") && !page.contains("-o1\n"))
        let json = JSONReview.json(file, contents: contents(plan, whole: .all), showsSteps: false).text
        #expect(json.contains("-o0") && json.contains("-o299"))
    }

    @Test func batchesAreNotSplitByStates() throws {
        let rows = text(try plan(Array(repeating: "1.0.0", count: 30) + ["1.1.0"], batch: 10)).split(separator: "\n")
            .drop { !$0.contains("upgrade in") }.prefix { !$0.hasPrefix("      files") }.dropFirst()
            .map { $0.drop { $0 == " " } }
        #expect(
            rows == [
                "1. ~ restart w[1-10] (10)  (content changed, from 1.0.0)",
                "2. ~ restart w[11-20] (10)  (content changed, from 1.0.0)",
                "3. ~ restart w[21-30] (10)  (content changed, from 1.0.0)",
                "4. ~ restart w31  (content changed, from 1.1.0)",
            ])
        let alike = text(try plan(Array(repeating: "1.0.0", count: 60), batch: 10))
        #expect(alike.contains("1–6. ~ restart w[1-60] (60), 10 at a time  (content changed)\n"))
    }

    @Test func aJobWithManyStatesLeavesRoomForTheOthers() throws {
        var plan = try plan(Array(repeating: "1.0.0", count: 300))
        var other = plan.work.body.waves[0].jobs[0]
        other.job = try #require(JobName("zzz"))
        other.changes[0].value = [FileChange(path: "a", kind: .modified, from: digest("m"), to: digest("script"))]
        plan.work.body.waves[0].jobs.append(other)
        var asked: [Digest] = []
        _ = FileContents(of: plan, whole: .newCode) { digest, _ in
            asked.append(digest)
            return .bytes([])
        }
        #expect(asked.prefix(5).contains(digest("script")) && asked.count > 500)
    }
}
