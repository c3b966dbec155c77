import Foundation
import Model
import Plans
import Testing

@testable import Review

/// What a review begins with.
@Suite struct VerdictTests {
    private func outline(_ plan: Plan, _ context: ReviewContext = .init()) -> ReviewOutline {
        ReviewOutline(
            PlanFile(plan), .none, DiffReader(.none, whole: .newCode, perFile: 0, total: 0), context)
    }

    private func titles(_ plan: Plan) -> [String] { outline(plan).verdict.concerns.map(\.title) }

    private func concern(_ plan: Plan, _ title: String) throws -> [String] {
        let concerns = outline(plan).verdict.concerns
        let found = try #require(concerns.first { $0.title.hasPrefix(title) }, "\(concerns.map(\.title))")
        return found.details.map(\.terminal)
    }

    /// Nothing of it is out of the ordinary.
    private func calm(_ workers: Int = 8) throws -> Plan {
        var plan = try Samples.plan(workers: (1...workers).map { "w\($0)" }, batch: 1)
        plan.work.body.reconcile = []
        plan.work.body.options.jobs = []
        plan.work.body.waves[0].jobs[0].gateFirst = nil
        return plan
    }

    private func change(_ plan: Plan, _ body: (inout Plan.Job) -> Void) -> Plan {
        var plan = plan
        body(&plan.work.body.waves[0].jobs[0])
        return plan
    }

    private func entries(_ plan: Plan, _ body: (inout Plan.Entry) -> Void) -> Plan {
        change(plan) { job in
            for phase in job.phases.indices {
                for batch in job.phases[phase].batches.indices {
                    for entry in job.phases[phase].batches[batch].indices {
                        body(&job.phases[phase].batches[batch][entry])
                    }
                }
            }
        }
    }

    @Test func aPlanWithoutDangersSaysWhatItDoesNotHave() throws {
        let outline = outline(try calm())
        #expect(outline.verdict.concerns.isEmpty, "\(outline.verdict.concerns.map(\.title))")
        #expect(
            outline.verdict.absent
                == "Not in this plan: stops, removals, forced actions, jobs that run nowhere yet, jobs without a gate, "
                + "max_unreachable, secrets, excluded allocations.")
        let text = TextReview.text(PlanFile(try calm()), color: false)
        #expect(!text.contains("Look here first") && text.contains("Not in this plan: stops"))
    }

    @Test func theTableHasARowForEachJobAndForStops() throws {
        var plan = try Samples.plan(workers: ["w1", "w2", "w3"], batch: 2)
        plan.work.body.waves[0].jobs[0].batching.bakeSeconds = 600
        let rows = outline(plan).verdict.rows.map { $0.cells.map(\.terminal) }
        #expect(
            rows == [
                [
                    "before the first wave", "old", "stop and remove", "0.9.0 -> –", "3", "1", "3", "–", "–",
                    "not known",
                ],
                [
                    "wave 1", "api", "restart 3", "2.0.0 -> 2.1.0", "3", "2", "2 of 3", "first, and after each batch",
                    "10 min", "at least 20 min",
                ],
            ])
    }

    @Test func recordedRunsGiveTheExpectedTime() throws {
        let api = try #require(JobName("api"))
        let history = StepHistory([
            api: ["push": [1000, 2000, 1000], "restart": [9000, 10_000, 30_000], "gate": [1000]]
        ])
        let outline = outline(try calm(3), .init(history: history))
        #expect(outline.verdict.rows[0].time == "about 36 s, up to 1 min 39 s")
        #expect(outline.rules.first { $0.title == "Expected time" }?.phrase.terminal == "about 36 s, up to 1 min 39 s")
    }

    @Test func stopsAndRemovalsComeFirst() throws {
        var plan = try Samples.plan(workers: ["w1", "w2", "w3"], batch: 1)
        plan.work.body.reconcile[0].reason = .disabled
        let titles = titles(plan)
        #expect(titles[0].hasPrefix("Removes 2 allocations") && titles[1].hasPrefix("Stops 1 allocation"))
        #expect(try concern(plan, "Removes") == ["old 0.9.0 on w2, w3 (removed)"])
    }

    @Test func dangersOfAJobAreNamed() throws {
        let calm = try calm()
        let forced = change(entries(calm) { $0.reason = .forced }) { job in
            job.version = "2.0.0"
            job.changes[0].value = []
        }
        #expect(try concern(forced, "Forced") == ["restart api on w[1-8] (8)"])
        // What changes would act without force, too.
        #expect(!titles(entries(calm) { $0.reason = .forced }).contains { $0.hasPrefix("Forced") })
        #expect(try concern(change(calm) { $0.phases[0].gate = .none }, "Without a gate") == ["api"])
        #expect(
            try concern(
                change(calm) { $0.phases[0].batches = [Array($0.phases[0].batches.joined())] },
                "Many hosts at the same time") == ["api: all 8 active allocations, in its only batch"])
        #expect(
            try concern(change(calm) { $0.batching.maxUnreachable = 2 }, "max_unreachable") == ["api: up to 2 of 8"])
        #expect(try concern(change(calm) { $0.batching.maxFailures = 1 }, "max_failures") == ["api: up to 1 of 8"])
        #expect(
            try concern(change(calm) { $0.version = "1.0.0" }, "To an older version") == ["api 2.0.0 -> 1.0.0"])
        let first = entries(calm) {
            $0.reason = .firstDeploy
            $0.action = .start
        }
        #expect(try concern(first, "First deployments") == ["api 2.1.0 on w[1-8] (8)"])
    }

    @Test func whatIsLeftOutIsNamed() throws {
        var plan = try calm()
        let some = try ["a", "b"].map { try #require(WorkerName($0)) }
        plan.work.body.excluded = [.init("api", some)]
        plan.work.body.stoppedByHand = [.init("db", some)]
        plan.work.body.failedBefore = [.init("api", some)]
        plan.policy = .init(onFailure: .continue)
        #expect(
            try concern(plan, "Excluded by the options, and not brought up to date: 2 allocations") == ["api on a, b"])
        #expect(try concern(plan, "Stopped by a person, and left stopped (`--include-stopped`") == ["db on a, b"])
        #expect(try concern(plan, "Leads back to what failed") == ["api on a, b"])
        #expect(titles(plan).contains { $0.hasPrefix("After a failure") })
    }

    @Test func aPlanThatDoesNothingSaysWhatItLeavesOut() throws {
        var plan = try calm()
        plan.work.body.waves = []
        plan.work.body.stoppedByHand = [.init("db", [try #require(WorkerName("a"))])]
        #expect(titles(plan) == ["Stopped by a person, and left stopped (`--include-stopped` starts it): 1 allocation"])
        #expect(outline(plan).verdict.absent == nil)
    }

    @Test func newHostsBeforeTheCanaryAreAWarningAndAfterItTheyAreNone() throws {
        func plan(last: Bool) throws -> Plan {
            change(try calm()) { job in
                var new = Array(job.phases[0].batches.prefix(2).joined())
                for index in new.indices {
                    new[index].action = .start
                    new[index].reason = .firstDeploy
                }
                let rest = Plan.Phase(
                    kind: .upgrade, batches: Array(job.phases[0].batches.dropFirst(2)), gate: .afterEachBatch)
                let start = Plan.Phase(kind: .start, batches: [new], gate: .afterPhase)
                job.phases = last ? [rest, start] : [start, rest]
            }
        }
        #expect(
            try concern(try plan(last: false), "New hosts get the release before its canary") == [
                "api: 2.1.0 on w1, w2 before it is tried on w3; `rollout.new_hosts` of the manifest can be `with` or `last`"
            ])
        #expect(!titles(try plan(last: true)).contains { $0.hasPrefix("New hosts") })
        // It runs somewhere already, on a host that needs nothing.
        let known = change(try plan(last: false)) { $0.phases[1].batches.removeLast() }
        #expect(!titles(known).contains { $0.hasPrefix("New hosts") })
    }

    @Test func sharesOfBatchesAreOfTheActiveAllocations() throws {
        let plan = change(try calm()) { job in
            job.batching.first = [1, 4]
            job.batching.upgrades = 8
            job.phases[0].batches = [[job.entries[0]], [job.entries[1], job.entries[2]]]
        }
        for text in [
            TextReview.text(PlanFile(plan), color: false), MarkdownReview.text(PlanFile(plan), showsSteps: false),
        ] {
            #expect(text.contains("are of the 8 active allocations, and 3 of them act here"), "\(text)")
        }
    }

    @Test func everyFormatSaysHowToStopIt() throws {
        let file = PlanFile(try calm())
        for text in [
            TextReview.text(file, color: false), MarkdownReview.text(file, showsSteps: false),
            HTMLReview.page(file, showsSteps: false),
        ] {
            let title = try #require(text.range(of: "How to stop it"))
            #expect(text[title.upperBound...].prefix(200).contains("maand-apply pause RUN --reason TEXT"))
            // It stands before all parts, and what holds for every plan behind them.
            let wave = try #require(text.range(of: "upgrade in 8 batches", options: .caseInsensitive))
            #expect(title.upperBound < wave.lowerBound)
            #expect(try #require(text.range(of: "Not pinned", options: .backwards)).lowerBound > wave.upperBound)
        }
    }

    // MARK: Since

    private func two() throws -> (old: Plan, new: Plan) {
        var old = try Samples.plan(workers: ["w1", "w2"], batch: 1)
        var web = old.work.body.waves[0].jobs[0]
        web.job = try #require(JobName("web"))
        old.work.body.waves[0].jobs.append(web)
        var new = old
        new.work.body.waves[0].jobs[0].phases[0].gate = .none
        return (old, new)
    }

    @Test func sinceAnApprovedPlanOnlyWhatIsDifferentIsShown() throws {
        let (old, new) = try two()
        let context = ReviewContext(since: PlanFile(old))
        let file = PlanFile(new)
        for text in [
            TextReview.text(file, color: false, context), MarkdownReview.text(file, showsSteps: false, context),
            HTMLReview.page(file, showsSteps: false, context),
        ] {
            #expect(text.contains("gate of the upgrade phase"))
            #expect(text.contains("Without a gate"))
            #expect(text.contains("unchanged since then, and not shown: 1 job ("))
            #expect(text.contains(PlanFile(old).id.description))
            // Stops and the other job are as they were.
            #expect(!text.contains("Removes 2 allocations"), "\(text)")
            #expect(text.ranges(of: try Regex("(?i)upgrade in 2 batches")).count == 1)
        }
    }

    @Test func sinceTheSamePlanNothingIsDifferent() throws {
        let (old, _) = try two()
        let text = TextReview.text(PlanFile(old), color: false, .init(since: PlanFile(old)))
        #expect(text.contains("nothing: both plans do the same"))
        #expect(!text.contains("\nWave 1"))
    }
}
