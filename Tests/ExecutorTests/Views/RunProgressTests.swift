import Catalog
import Executor
import Model
import Plans
import RunViews
import StepMachinery
import Testing

/// What is told while a run goes on, and what a terminal shows of it.
@Suite struct RunProgressTests {
    @Test func anAllocationIsOneLineAndBatchGateAndJobEndWithOneEach() throws {
        var story = try Story(PlanSample.twoWaves())
        #expect(story.take() == ["run 1 begins: deploy of plan \(story.plan), 3 allocations of 2 jobs, by me"])
        story.allocation("db/start/1/w1", target: "start")
        #expect(
            story.take() == [
                "allocation db on w1: start, promoted to 1.0.0 (3.0 s)", "batch db/start/1: 1 of 1 promoted (3.0 s)",
            ]
        )
        story.step("db/start/gate")
        story.end(job: "db", .succeeded)
        #expect(story.take() == ["gate db/start passed after 1 try (1.0 s)", "job db done: 1 of 1 promoted (5.0 s)"])
    }

    @Test func onATerminalWhatIsWellIsToldByTheBatch() throws {
        var story = try Story(PlanSample.twoWaves(), isLive: true)
        _ = story.take()
        story.allocation("db/start/1/w1", target: "start")
        #expect(story.take() == ["batch db/start/1: 1 of 1 promoted (3.0 s)"])
    }

    @Test func triesOfAGateThatDoNotPassAreOneLineThatCounts() throws {
        var story = try Story(PlanSample.twoWaves())
        story.allocation("db/start/1/w1", target: "start")
        _ = story.take()
        story.start("db/start/gate")
        for tries in 1...6 { story.gateWaits("db/start/gate", tries, "1 of 1 allocations do not pass: w1: no answer") }
        #expect(story.take().isEmpty)
        #expect(
            story.progress.waiting(at: story.now)?.text
                == "db/start/gate try 6 of 9: 1 of 1 allocations do not pass: w1: no answer")
        story.finish("db/start/gate")
        #expect(story.take() == ["gate db/start passed after 7 tries (1.0 s)"])
    }

    @Test(arguments: [Verbosity.quiet, .normal, .verbose]) func aFailureIsAlwaysTold(verbosity: Verbosity) throws {
        var story = try Story(PlanSample.twoWaves(), verbosity: verbosity)
        story.start("db/start/1/w1/push")
        _ = story.take()
        story.finish("db/start/1/w1/push", .failed, "no room\u{1b}[2J\nand more")
        #expect(story.take().contains("failed db/start/1/w1/push after 1.0 s: no room\\u{1b}[2J"))
        #expect(story.progress.pinned == ["db/start/1/w1/push: no room\\u{1b}[2J"])
    }

    @Test func quietTellsNothingOfWhatIsWell() throws {
        var story = try Story(PlanSample.twoWaves(), verbosity: .quiet)
        story.allocation("db/start/1/w1", target: "start")
        story.step("db/start/gate")
        story.end(job: "db", .succeeded)
        #expect(story.take().isEmpty)
    }

    @Test func verboseTellsEachStep() throws {
        var story = try Story(PlanSample.twoWaves(), verbosity: .verbose)
        _ = story.take()
        story.step("db/start/1/w1/push")
        #expect(story.take() == ["▸ db/start/1/w1/push", "✓ db/start/1/w1/push  1.0 s"])
    }

    @Test func workersThatAreCheckedAreCounted() throws {
        var story = try Story(PlanSample.twoWaves())
        let workers = try (0..<800).map { try #require(WorkerName("host-\($0)")) }
        story.tell(.asking(.readiness, workers))
        for worker in workers.prefix(212) { story.tell(.answered(.readiness, worker)) }
        #expect(story.progress.questionTexts == ["checking 800 workers: 212 ready"])
        for worker in workers.dropFirst(212).dropLast() { story.tell(.answered(.readiness, worker)) }
        #expect(story.progress.questionTexts == ["checking 800 workers: 799 ready; waiting for host-799"])
        story.tell(.answered(.readiness, workers[799]))
        #expect(story.progress.questionTexts.isEmpty)
    }

    @Test func hundredsOfBatchesAreNoHundredsOfLines() throws {
        let batches = (0..<400).map { ["w\($0)"] }
        var story = try Story(
            PlanSample.plan(waves: [[PlanSample.job("api", upgrades: batches)]]), isLive: true)
        for index in 0..<400 {
            story.allocation("api/upgrade/\(index + 1)/w\(index)", target: "restart")
            story.step("api/upgrade/\(index + 1)/gate")
        }
        story.end(job: "api", .succeeded)
        let lines = story.take()
        #expect(lines.count <= 110)
        #expect(lines.contains { $0.hasPrefix("batch api/upgrade/400 of 400: 1 of 1 promoted") })
        #expect(lines.last?.hasPrefix("job api done: 400 of 400 promoted") == true)
    }

    @Test func whatIsLeftBehindIsToldAndCountsAsEnded() throws {
        var story = try Story(PlanSample.plan(waves: [[PlanSample.job("api", upgrades: [["w1", "w2"]])]]))
        _ = story.take()
        let gone = AllocationID(job: try #require(JobName("api")), worker: try #require(WorkerName("w2")))
        story.tell(.leftBehind(.allocation(gone), reason: "no answer\nat all"))
        story.allocation("api/upgrade/1/w1", target: "restart")
        #expect(
            story.take() == [
                "left behind: api on w2: no answer", "allocation api on w1: restart, promoted to 1.0.0 (3.0 s)",
                "batch api/upgrade/1: 1 of 2 promoted, 1 left behind (3.0 s)",
            ])
    }

    // MARK: The view

    @Test(arguments: [(80, 24), (120, 30), (200, 50), (250, 60), (40, 10), (20, 4)])
    func theViewFitsTheTerminal(columns: Int, rows: Int) throws {
        let jobs = try (0..<12).map { job in
            try PlanSample.job("job-\(job)", upgrades: [(0..<40).map { "host-\(job)-\($0)" }])
        }
        var story = try Story(PlanSample.plan(waves: [jobs]))
        for job in 0..<12 {
            for host in 0..<40 { story.start("job-\(job)/upgrade/1/host-\(job)-\(host)/push") }
            story.finish(
                "job-\(job)/upgrade/1/host-\(job)-3/push", .failed, "磁盘已满: " + String(repeating: "満", count: 200))
        }
        let lines = LiveView(story.progress, columns: columns, rows: rows, now: story.now).lines
        #expect(lines.count < rows)
        #expect(lines.allSatisfy { $0.width <= columns })
        #expect(lines[0].text.hasPrefix("run 1 deploy"))
        if rows >= 24 {
            #expect(lines.contains { $0.text.hasPrefix("job-0") })
            #expect(lines.contains { $0.text.contains("▸ job-") && $0.text.contains("push") })
            #expect(lines.last?.text.hasPrefix("✗ job-11/upgrade/1/host-11-3/push") == true)
        }
    }

    @Test func theViewShowsWorkersGatesAndTheExpectedEnd() throws {
        var story = try Story(PlanSample.twoWaves())
        story.start("db/start/1/w1/push")
        story.pass(seconds: 12)
        let plain = LiveView(story.progress, columns: 100, rows: 30, now: story.now).lines.map(\.text)
        #expect(plain[1] == "for 12 s · expected end not known yet")
        #expect(plain[2].hasSuffix(" 0 of 3 promoted"))
        #expect(plain.contains { $0.contains("▸ db on w1 push 12 s") })
        #expect(plain.contains("jobs: wave 1 of 2, 1 waiting"))
        let db = try #require(JobName("db"))
        story.progress.forecast.note(db, ["push": [1000, 2000, 9000], "start": [4000], "gate": [500]])
        story.finish("db/start/1/w1/push")
        story.start("db/start/gate")
        story.gateWaits("db/start/gate", 2, "w1: no answer")
        let rest = story.progress.rest()
        let view = LiveView(story.progress, columns: 100, rows: 30, now: story.now, end: rest).lines.map(\.text)
        #expect(view[1].contains("UTC, or later"))
        #expect(view.contains { $0.contains("gate try 3 of 9") })
        #expect(view.contains("gate db/start try 2 of 9: w1: no answer"))
    }

    @Test func theExpectedEndIsThatOfTheMedianAndOfNineOfTen() throws {
        var story = try Story(
            PlanSample.plan(waves: [[PlanSample.job("api", upgrades: [["w1", "w2"], ["w3"]], hasGate: false)]]))
        let api = try #require(JobName("api"))
        let durations: [Int64] = [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000]
        story.progress.forecast.note(api, ["push": [0], "restart": durations])
        let found = story.progress.rest()
        let rest = try #require(found)
        #expect((rest.median, rest.ninth) == (10_000, 18_000))
        #expect(rest.isComplete)
    }
}

/// A run as it is told.
private struct Story {
    var progress: RunProgress
    private(set) var lines: [String] = []
    private(set) var now = Timestamp(milliseconds: 1_000_000)
    private let graph: StepGraph
    private let indices: [StepID: StepIndex]
    private let run: Run

    var plan: String { String(run.plan.hex.prefix(12)) }

    init(_ plan: Plan, verbosity: Verbosity = .normal, isLive: Bool = false) throws {
        graph = StepGraph(plan)
        indices = graph.indices
        progress = RunProgress(verbosity, isLive: isLive)
        run = Run(
            id: RunID(1), nonce: "x", plan: Digest.of("p".utf8), state: .running,
            startedAt: Timestamp(milliseconds: 0), startedBy: "me", baseRevision: 0)
        tell(.began(run, graph, []))
    }

    mutating func tell(_ event: RunEvent) {
        lines += progress.apply(event, at: now).map(\.line.text)
    }

    mutating func take() -> [String] {
        defer { lines = [] }
        return lines
    }

    mutating func pass(seconds: Int64) { now = Timestamp(milliseconds: now.milliseconds + seconds * 1000) }

    private func named(_ id: String) -> Step { graph.steps[indices[StepID(id)] ?? StepIndex(0)] }

    mutating func start(_ id: String) { tell(.stepStarted(named(id), attempt: 1)) }

    mutating func finish(_ id: String, _ outcome: StepMachine.Outcome = .succeeded, _ detail: String? = nil) {
        tell(.stepEnded(named(id), outcome: outcome, code: nil, detail: detail, milliseconds: 1000))
    }

    mutating func step(_ id: String) {
        start(id)
        pass(seconds: 1)
        finish(id)
    }

    mutating func gateWaits(_ id: String, _ tries: Int, _ problem: String) {
        tell(.gateWaiting(named(id), tries: tries, of: 9, problem: problem))
    }

    /// Three seconds.
    mutating func allocation(_ place: String, target: String) {
        step("\(place)/push")
        step("\(place)/\(target)")
        pass(seconds: 1)
        if let id = named("\(place)/push").allocation { tell(.promoted([id], version: "1.0.0")) }
    }

    mutating func end(job: String, _ result: StepMachine.Result) {
        pass(seconds: 1)
        for (index, unit) in graph.units.indexed where unit.name == job { tell(.jobEnded(job, index, result)) }
    }
}
