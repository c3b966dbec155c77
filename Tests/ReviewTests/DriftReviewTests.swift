import Foundation
import Model
import Plans
import Testing

@testable import Review

/// A report of drift, as people read it.
@Suite struct DriftReviewTests {
    private func names(_ names: String...) throws -> [WorkerName] { try names.map { try #require(WorkerName($0)) } }

    private func report() throws -> DriftReport {
        var report = DriftReport(bucket: "b-1", comparedAt: Timestamp(milliseconds: 1_700_000_000_000))
        let job = try #require(JobName("api"))
        let workers = try names("w1", "w2", "w3", "w4")
        (report.workers, report.allocations) = (6, 5)
        for worker in workers {
            var difference = DriftReport.Difference(AllocationID(job: job, worker: worker))
            (difference.kinds, difference.promoted, difference.paths) = ([.files], "1.0.0", 1)
            report.differing.append(difference)
        }
        report.differing[3].kinds = [.unfinished]
        report.differing[3].unfinished = "2.0.0"
        var file = DriftReport.File(job, path: "conf/<a>.conf", .changed)
        (file.thing, file.workers) = (.file, Array(workers.prefix(3)))
        file.contents = .init(expected: Array("a\nb\n".utf8), found: Array("a\n\u{1b}[1m`c`\n".utf8))
        report.files = [file]
        var service = DriftReport.Service(job, version: "1.0.0", allocations: 4)
        (service.state, service.failing) = (.unhealthy, [.init(workers[3], "status 503")])
        report.services = [service]
        report.silent = try names("w5", "w6").map { .init($0, "unreachable: no route") }
        report.underWay = .init(run: RunID(7), state: .parked, isAtWork: false)
        report.addDiffs()
        return report
    }

    @Test func aTerminalGetsGroupsAndDiffs() throws {
        #expect(
            DriftReview.text(try report(), color: false) == """
                Run 7 has not ended (parked): what it has begun is listed as unfinished.
                Health checks of jobs: 1 unhealthy.

                Job api
                  ! version 2.0.0 was begun on w4 and neither promoted nor stopped (its files are not compared)
                  ~ conf/<a>.conf has other content on w1, w2, w3
                      @@ -1,2 +1,2 @@
                       a
                      -b
                      +\\u{1b}[1m`c`
                  ✗ the health check does not pass: w4: status 503

                Workers that do not answer
                  ✗ w5, w6: unreachable: no route

                5 allocations on 4 workers compared: 4 differ, 1 does not pass the health check, 2 workers do not answer.

                """)
    }

    @Test func aPageHoldsNothingOfAWorkerAsMarkup() throws {
        let page = DriftReview.page(try report())
        #expect(page.contains("<code>conf/&lt;a&gt;.conf</code> has other content on <code>w1</code>"))
        #expect(page.contains("<span class=\"added\">+\\u{1b}[1m`c`\n</span>"))
        #expect(!page.contains("<script"))
    }

    @Test func markdownStaysWithinItsSize() throws {
        var report = try report()
        let file = report.files[0]
        report.files = (0..<20_000).map { number in
            var file = file
            file.workers = [file.workers[0]]
            file.diff = ["+\(number)"]
            return file
        }
        let text = DriftReview.markdown(report)
        #expect(text.utf8.count <= MarkdownReview.maximumSize)
        #expect(text.contains("Cut here"))
    }

    @Test func diffsAreBounded() throws {
        var report = try report()
        let text = (0..<200).map { "line \($0)\n" }.joined()
        report.files = (0..<300).map { number in
            var file = report.files[0]
            file.diff = []
            file.contents = .init(expected: Array("old \(number)\n".utf8), found: Array(text.utf8))
            return file
        }
        report.addDiffs()
        #expect(report.files.allSatisfy { $0.contents == nil })
        #expect(report.files.reduce(0) { $0 + $1.diff.count } <= 10_000)
        #expect(report.files.last?.note == "not shown: there is enough to show")
        let shown = DriftReview.text(report, color: false).split(separator: "\n").count
        #expect(shown < 1000)
    }

    @Test func nothingDiffersIsOneLine() {
        var report = DriftReport(bucket: "b-1", comparedAt: Timestamp(milliseconds: 0))
        (report.workers, report.allocations) = (2, 4)
        #expect(DriftReview.text(report, color: false) == "4 allocations on 2 workers compared: nothing differs.\n")
        #expect(!report.differs)
    }
}
