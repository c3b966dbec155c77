import Foundation
import Model
import Plans
import Testing
import Windows
import YAML

@testable import Review

/// What a report says of a run, from what is recorded of it.
@Suite struct RunReportTests {
    private static let start = Timestamp(milliseconds: 1_700_000_000_000)

    private static func at(_ second: Int) -> Timestamp { start.advanced(bySeconds: Int64(second)) }

    private static func attempt(
        _ from: Int, _ to: Int?, _ state: StepState = .succeeded, number: Int = 1, detail: String? = nil,
        output: RunStory.Output? = nil
    ) -> RunStory.Attempt {
        RunStory.Attempt(
            number: number, state: state, startedAt: at(from), endedAt: to.map(at), detail: detail, output: output)
    }

    /// A run of `Samples.plan` of which nothing is recorded.
    private static func story(workers: Int, batch: Int, state: String = "succeeded") throws -> RunStory {
        var story = RunStory(
            head: .init(
                run: RunID(7), state: state, code: nil, detail: nil, plan: Digest.of("plan".utf8), startedAt: at(0),
                startedBy: "ann@control", endedAt: state == "failed" ? nil : at(4000), readAt: at(4000)))
        let names = (1...workers).map { "w\(String(repeating: "0", count: 4 - "\($0)".count))\($0)" }
        let graph = StepGraph(try Samples.plan(workers: names, batch: batch))
        story.sections = [.init(graph: graph, isWayBack: false, states: graph.units.map { _ in "done" })]
        return story
    }

    /// Steps of the job api that have this verb, each with its number.
    private static func steps(_ story: RunStory, _ verb: String) -> [(Int, StepID)] {
        Array(
            story.sections[0].graph.steps.filter { $0.job?.text == "api" && $0.task.rules.verb == verb }.map(\.id)
                .enumerated())
    }

    @Test func aRetryIsABarOfItsOwnAndTimeWithoutWorkIsNarrow() throws {
        var story = try Self.story(workers: 2, batch: 1)
        let restarts = Self.steps(story, "restart")
        story.attempts[restarts[0].1] = [
            Self.attempt(0, 10, .failed, detail: "exit status 3"), Self.attempt(3600, 3630, number: 2),
        ]
        story.attempts[restarts[1].1] = [Self.attempt(3640, 3660)]
        let timeline = RunTimeline(story)
        #expect(timeline.rows.map(\.title) == ["w0001", "w0002"])
        #expect(timeline.bars.map(\.kind) == [.failed, .done, .done])
        #expect(timeline.gaps.count == 1)
        #expect(timeline.gaps[0].text == "nothing was under way for 59 min 50 s")
        #expect(timeline.bars[0].x < timeline.gaps[0].x && timeline.gaps[0].x < timeline.bars[1].x)
        #expect(timeline.bars.allSatisfy { $0.x + $0.width <= timeline.width })
    }

    @Test func whatTookLongerThanNineOfTenIsSlow() throws {
        var story = try Self.story(workers: 2, batch: 2)
        let api = try #require(JobName("api"))
        story.earlier = [api: ["restart": (1...10).map { $0 * 1000 }]]
        let restarts = Self.steps(story, "restart")
        story.attempts[restarts[0].1] = [Self.attempt(0, 9)]
        story.attempts[restarts[1].1] = [Self.attempt(0, 30)]
        let timeline = RunTimeline(story)
        #expect(timeline.bars.map(\.kind) == [.done, .slow])
        #expect(timeline.bars[0].title.contains("half of them within 5.0 s, nine of ten within 9.0 s"))
        #expect(RunOutline(story).jobs.first { $0.name == "api" }?.expected == 5000)
    }

    @Test func aThousandWorkersAreARowForEachBatchAndOneForEachFailure() throws {
        var story = try Self.story(workers: 1000, batch: 50, state: "failed")
        for (number, step) in Self.steps(story, "restart") {
            let begin = number / 50 * 60
            story.attempts[step] = [
                number == 777 ? Self.attempt(begin, begin + 9, .failed) : Self.attempt(begin, begin + 5 + number % 20)
            ]
        }
        let timeline = RunTimeline(story)
        #expect(timeline.rows.first?.title == "w0778")
        #expect(timeline.rows.count == 21)
        #expect(timeline.hiddenRows == 0)
        let page = RunHTML.page(story)
        #expect(page.utf8.count < 100_000)
        #expect(page.contains("w0778"))
    }

    @Test func failuresThatAreAlikeAreOneWithAllTheirWorkers() throws {
        var story = try Self.story(workers: 30, batch: 30, state: "failed")
        for (number, step) in Self.steps(story, "restart") {
            story.attempts[step] = [
                Self.attempt(
                    0, 5, .failed, detail: "exit status \(number == 3 ? 4 : 3)",
                    output: .init(stdout: "", stderr: "no space\n"))
            ]
        }
        let failures = RunOutline(story).failures
        #expect(failures.map(\.workers.count) == [29, 1])
        #expect(failures.allSatisfy { !$0.isOvercome })
        let text = RunMarkdown.text(story)
        #expect(text.contains("no space"))
        #expect(text.utf8.count < RunMarkdown.maximumSize)
    }

    @Test func timesBetweenProcessesSayWhy() throws {
        var story = try Self.story(workers: 1, batch: 1)
        story.parts = [
            .init(beganAt: Self.at(0), beganBy: "ann@control", endedAt: Self.at(60), state: "failed", detail: nil),
            .init(beganAt: Self.at(660), beganBy: "bob@control", endedAt: nil, state: nil, detail: nil),
            .init(
                beganAt: Self.at(900), beganBy: "bob@control", endedAt: Self.at(960), state: "succeeded", detail: nil),
        ]
        story.decisions = [
            .init(at: Self.at(120), by: "ann@control", what: "pause", step: nil, reason: "lunch")
        ]
        let rows = RunTables.parts(story).rows.map { $0.map(\.phrase.terminal) }
        #expect(
            rows == [
                ["2023-11-14T22:13:20Z", "1 min", "ann@control", "failed", ""],
                [
                    "2023-11-14T22:14:20Z", "10 min", "", "parked",
                    "paused by ann@control: lunch; until it was continued",
                ],
                ["2023-11-14T22:24:20Z", "", "bob@control", "interrupted", ""],
                ["2023-11-14T22:28:20Z", "1 min", "bob@control", "succeeded", ""],
            ])
    }

    @Test(arguments: [
        "</script><script>alert(1)</script>", "\u{1b}[2J\u{202e}evil", "| a | b |", "`x` ``` y", "\" onload='x' ",
    ])
    func nothingOfARunIsMarkup(_ evil: String) throws {
        var story = try Self.story(workers: 2, batch: 1, state: "failed")
        story.head.detail = evil
        story.head.startedBy = evil
        story.decisions = [.init(at: Self.at(1), by: evil, what: "pause", step: nil, reason: evil)]
        story.leftBehind = [.init(subject: .worker(try #require(WorkerName("w1"))), reason: evil)]
        story.parts = [.init(beganAt: Self.at(0), beganBy: evil, endedAt: Self.at(9), state: "failed", detail: evil)]
        for (_, step) in Self.steps(story, "restart") {
            story.attempts[step] = [
                Self.attempt(0, 5, .failed, detail: evil, output: .init(stdout: evil, stderr: "\(evil)\n\(evil)"))
            ]
        }
        let page = RunHTML.page(story)
        #expect(Hostile.isInert(page))
        #expect(!page.contains("<script"))
        #expect(!page.contains("onload='"))
        #expect(Hostile.isInert(RunMarkdown.text(story)))
        #expect(!RunJSON.document(story).text.contains("\u{1b}"))
    }
}
