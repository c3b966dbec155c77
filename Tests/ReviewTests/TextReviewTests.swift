import Foundation
import Model
import Plans
import Testing
import Windows
import YAML

@testable import Review

@Suite struct TextReviewTests {
    @Test func tellsEverythingOfASmallPlan() throws {
        let file = PlanFile(try Samples.plan(workers: ["w1", "w2", "w3"], batch: 1))
        #expect(
            TextReview.text(file, color: false) == """
                Plan \(file.id)

                Look here first
                  ! Removes 3 allocations: they stop, their deployed files go, data and logs stay: old 0.9.0 on \
                w1, w2, w3 (removed)
                  ! The last gate failed or never ran, and must pass before anything else: api
                  Not in this plan: stops, forced actions, jobs that run nowhere yet, jobs without a gate, \
                max_unreachable, secrets, excluded allocations.

                What happens
                  when                   job  action           from -> to      hosts  batches  largest batch  \
                gate                         bake  expected time
                  before the first wave  old  stop and remove  0.9.0 -> –      3      1        3              – \
                                           –     not known
                  wave 1                 api  restart 3        2.0.0 -> 2.1.0  3      3        1 of 3         \
                first, and after each batch  –     not known

                Order: 3 stops, then wave 1 (api); in a job batch after batch, and the hosts of a batch at the same time
                After a failure: no further batch starts; steps that run come to their end, and nothing is taken back
                When: at any time: it has no maintenance window
                Expected time: not known
                How to stop it: `maand-apply pause RUN --reason TEXT`, or Ctrl-C where it runs: steps that run \
                come to their end, nothing new begins, and the same command of `maand-apply` continues. \
                `maand-apply abandon RUN --reason TEXT` ends it for good, and what was changed until then stays changed until `maand-plan rollback RUN` \
                or the next deploy

                Stops, before the first wave
                  - stop old 0.9.0 on w1, w2, w3  (removed; deployed files go, data and logs stay)

                Wave 1
                  api 2.0.0 -> 2.1.0: 3 to restart
                      gate first: the last one failed or never ran
                      demands db
                      gate: tcp :80 and `true` on the worker; 3 attempts, 1 s apart, 2 s each
                      ports: http 80
                      upgrade in 3 batches, a gate after each batch
                        1. ~ restart w1  (restart glob matched)
                             conf/*.yml matches conf/a.yml, conf/b.yml, conf/c.yml and 1 more
                        2. ~ restart w2  (restart glob matched)
                             conf/*.yml matches conf/a.yml, conf/b.yml, conf/c.yml and 1 more
                        3. ~ restart w3  (restart glob matched)
                             conf/*.yml matches conf/a.yml, conf/b.yml, conf/c.yml and 1 more
                      files
                        ~ conf/a.yml
                        - conf/old.yml
                        ~ run.sh  (type or mode)

                About this plan
                  deploy in bucket b-1, made at catalog revision 3
                  planned with --jobs api
                  3 workers over ssh as agent, port 22, below /opt/worker
                    w1 at 10.0.0.1

                Not pinned by this plan
                  programs on the workers; what targets fetch; values of secrets; data/ and logs/ of each job; \
                freezes of the bucket; host keys of 3 workers; name resolution
                  (`--format markdown` and `--format html` explain each of them)

                Plan: 3 to restart, 3 to stop; 2 unchanged.

                """)
    }

    @Test func staysShortForThreeThousandWorkers() throws {
        let plan = try Samples.plan(workers: (1...3001).map { "w\($0)" }, batch: 10)
        let text = TextReview.text(PlanFile(plan), color: false)
        #expect(text.split(separator: "\n").count < 55)
        #expect(text.contains("1–301. ~ restart w[1-3001] (3001), 10 at a time"), "\(text)")
        #expect(text.contains("- stop old 0.9.0 on w[1-3001] (3001)"))
    }

    @Test func coloursOnlyWhenAsked() throws {
        let file = PlanFile(try Samples.plan(workers: ["w1"], batch: 1))
        #expect(TextReview.text(file, color: true).contains("\u{1b}[33m~ restart\u{1b}[0m"))
        #expect(!TextReview.text(file, color: false).contains("\u{1b}"))
    }

    @Test func nothingInAPlanCanForgeALine() throws {
        let evil = "x\u{1b}[2J\n  Wave 9\u{202e}\u{2028}\u{9b}m"
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        plan.fleet.workers[0].address = evil
        plan.fleet.workers[0].ssh?.user = evil
        plan.fleet.workerRoot = "/" + evil
        plan.fleet.bucket = evil
        plan.work.body.waves[0].jobs[0].version = evil
        plan.work.body.waves[0].jobs[0].healthCheck?.checks = [
            .ssh(command: evil), .http(port: 1, path: evil, expectStatus: 200),
        ]
        plan.work.body.waves[0].jobs[0].changes[0].value = [
            FileChange(path: evil, kind: .added, from: nil, to: Digest.of([]))
        ]
        plan.work.body.waves[0].jobs[0].phases[0].batches[0][0].matched = [.init(evil, [evil])]
        plan.work.body.reconcile[0].from.version = evil
        let text = TextReview.text(PlanFile(plan), color: false)
        #expect(
            text.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && $0.value != 0x7f && $0.value != 0x9b })
        #expect(!text.contains("\u{202e}") && !text.contains("\u{2028}"))
        #expect(!text.contains("\n  Wave 9"))
    }

    @Test func anEmptyPlanSaysSo() throws {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        plan.work.body.waves = []
        plan.work.body.reconcile = []
        plan.fleet.workers = []
        plan.work.body.summary = .init(reconcile: [], waves: [], unchanged: 5)
        #expect(plan.summaryLine == "Plan: nothing to do; 5 unchanged.")
        plan.fleet.transport = .local
        let text = TextReview.text(PlanFile(plan), color: false)
        #expect(text.hasSuffix("Plan: nothing to do; 5 unchanged.\n"))
        #expect(!text.contains("0 workers"))
    }

    @Test func limitsThatAreNotUsualAreTold() throws {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        plan.work.body.waves[0].jobs[0].repeatable = [.reload, .start]
        plan.work.body.waves[0].jobs[0].timeouts = .init(action: 20, push: 60)
        plan.work.body.reconcile[0].timeout = 20
        let file = PlanFile(plan)
        for text in [
            TextReview.text(file, color: false), MarkdownReview.text(file, showsSteps: false),
            HTMLReview.page(file, showsSteps: false),
        ] {
            #expect(text.contains("runs again if the outcome is unknown: reload, start"))
            #expect(text.contains("at most 20 s for an action, 60 s for a push of files"))
            #expect(text.contains("data and logs stay; 20 s at most"))
        }
        #expect(
            !TextReview.text(PlanFile(try Samples.plan(workers: ["w1"], batch: 1)), color: false).contains("at most"))
    }

    @Test func addressesBelongToTheWorkersAndOpeningsToTheWindow() throws {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        let database = ZoneDatabase.system
        let freeze = try Outlook.freeze("2026-05-01T22:00:00Z", "2026-05-02T22:00:00Z")
        plan.window = try WindowText.parse("daily 22:00 for 4h in Europe/Berlin", database: database)
        let outlook = WindowOutlook(
            plan, at: try Outlook.instant("2026-05-02T00:00:00Z"), freezes: [freeze], freezeZone: "UTC",
            database: database)
        let lines = TextReview.text(PlanFile(plan), color: false, .init(outlook: outlook)).split(separator: "\n")
        let window = try #require(lines.firstIndex { $0.hasPrefix("When: runs only in its window") })
        #expect(lines[window + 1] == "  frozen now, until Sun 2026-05-03 00:00:00 +02:00: a fair")
        #expect(lines[window + 2].hasPrefix("  next opening: Sun 2026-05-03 00:00:00 +02:00"))
        #expect(lines.contains("  1 worker over ssh as agent, port 22, below /opt/worker"))
        #expect(lines.contains("    w1 at 10.0.0.1"))
        let markdown = MarkdownReview.text(PlanFile(plan), showsSteps: false, .init(outlook: outlook))
        #expect(markdown.contains("\n  - next opening: Sun") && markdown.contains("`/opt/worker`\n  - `w1` at"))
    }

    @Test func freezesWithoutAWindowAreToldInTheirZone() throws {
        let plan = try Samples.plan(workers: ["w1"], batch: 1)
        func lines(_ now: String, until: String?) throws -> [Substring] {
            let outlook = WindowOutlook(
                plan, at: try Outlook.instant(now), freezes: [try Outlook.freeze("2026-05-01T22:00:00Z", until)],
                freezeZone: "Europe/Berlin", database: .system)
            let lines = TextReview.text(PlanFile(plan), color: false, .init(outlook: outlook)).split(separator: "\n")
            guard let first = lines.firstIndex(where: { $0.hasPrefix("When: has no window, but") }) else { return [] }
            return Array(lines[(first + 1)...].prefix { $0.hasPrefix("  ") })
        }
        let again = "  may run again from Sun 2026-05-03 00:00:00 +02:00 (2026-05-02T22:00:00Z)"
        #expect(
            try lines("2026-05-02T00:00:00Z", until: "2026-05-02T22:00:00Z") == [
                "  frozen now, until Sun 2026-05-03 00:00:00 +02:00: a fair", Substring(again),
            ])
        #expect(
            try lines("2026-04-02T00:00:00Z", until: "2026-05-02T22:00:00Z") == [
                "  may run until Sat 2026-05-02 00:00:00 +02:00 (2026-05-01T22:00:00Z), ended by a freeze",
                Substring(again),
            ])
        #expect(
            try lines("2026-05-02T00:00:00Z", until: nil) == ["  frozen now, until somebody takes it out: a fair"])
        #expect(try lines("2026-06-02T00:00:00Z", until: "2026-05-02T22:00:00Z") == [])
    }

    @Test func versionsOfAJobAscend() throws {
        var plan = try Samples.plan(workers: ["w1"], batch: 1)
        plan.work.body.waves[0].jobs[0].from = ["other", "1.10.0", "v1.2", "1.9.0", "1.10.0"].enumerated().map {
            index, version in
            .init("s\(index)", FromState(version: version, content: Digest.of("\(index)".utf8)))
        }
        #expect(plan.work.body.waves[0].jobs[0].versionsPhrase.terminal == "v1.2, 1.9.0, 1.10.0, other -> 2.1.0")
    }
}

@Suite struct OutputTests {
    @Test func jsonIsReadBackByAnother() throws {
        let evil = "\"\\\n\u{1b}\u{202e}😀</script>"
        let json = JSON.object([("a", .array([.int(-1), .bool(true), .null, .string(evil)])), ("b", .object([]))])
        let value = try #require(
            JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any])
        #expect((value["a"] as? [Any])?.last as? String == evil)
        #expect(json.text.utf8.allSatisfy { $0 == 0x0a || (0x20...0x7e).contains($0) })
    }

    @Test func tablesAlign() {
        var table = TextTable(["job", "n"])
        table.add(["a\u{1b}", "1"])
        table.add(["long name", ""])
        #expect(table.text == "job        n\na\\u{1b}    1\nlong name\n")
    }
}

enum Outlook {
    static func instant(_ text: String) throws -> Timestamp { try #require(Timestamp(utcText: text)) }

    /// - Parameter until: nil for a freeze without an end.
    static func freeze(_ from: String, _ until: String?) throws -> Freeze {
        Freeze(
            FixedInterval(from: try instant(from), until: try until.map(instant) ?? .distantFuture), reason: "a fair")
    }
}

enum Samples {
    /// One job that upgrades every worker in batches of `batch`, and one that is removed from each.
    static func plan(workers names: [String], batch: Int) throws -> Plan {
        let workers = try names.map { try #require(WorkerName($0)) }
        let api = try #require(JobName("api"))
        let old = try #require(JobName("old"))
        let before = Digest.of("old".utf8)
        let after = Digest.of("new".utf8)
        let entries = workers.map {
            Plan.Entry(
                worker: $0, action: .restart, reason: .globMatched, from: "a",
                matched: [.init("conf/*.yml", ["conf/a.yml", "conf/b.yml", "conf/c.yml", "conf/d.yml"])])
        }
        let batching = Plan.Batching(starts: 0, upgrades: batch)
        let job = Plan.Job(
            job: api, version: "2.1.0", demands: [try #require(JobName("db"))], active: workers,
            from: [.init("a", FromState(version: "2.0.0", content: before))],
            content: [.init(tree: after, workers: workers)],
            changes: [
                .init(
                    "a",
                    [
                        FileChange(path: "conf/a.yml", kind: .modified, from: before, to: after),
                        FileChange(path: "conf/old.yml", kind: .removed, from: before, to: nil),
                        FileChange(path: "run.sh", kind: .mode, from: before, to: before),
                    ])
            ],
            rolloutOrder: .workers, batching: batching, repeatable: [], timeouts: .init(), gateFirst: .unfinished,
            phases: [
                .init(
                    kind: .upgrade, batches: batching.batches(of: entries, in: .upgrade), gate: .afterEachBatch)
            ], ports: [.init("http", 80)],
            healthCheck: HealthCheck(
                timeoutSeconds: 2, attempts: 3, intervalSeconds: 1, checks: [.tcp(port: 80), .ssh(command: "true")]))
        let stops = workers.map {
            Plan.Stop(
                allocation: AllocationID(job: old, worker: $0), reason: .removed,
                from: FromState(version: "0.9.0", content: before), timeout: 600)
        }
        let waves = [Plan.Wave(deploymentSequence: 1, jobs: [job])]
        return Plan(
            fleet: Fleet(
                bucket: "b-1", transport: .ssh, workerRoot: "/opt/worker",
                workers: workers.enumerated().map { index, worker in
                    PlanWorker(
                        worker: worker, address: index == 0 ? "10.0.0.1" : worker.text,
                        ssh: .init(port: 22, user: "agent", hostKeys: []))
                }),
            base: .init(catalogRevision: 3), policy: .init(),
            work: .deploy(Deploy(options: .init(jobs: [api]), unchanged: 2, reconcile: stops, waves: waves)))
    }
}
