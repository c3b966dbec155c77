import Foundation
import Model
import Plans
import Testing
import YAML

@testable import Review

/// What a reviewer sees of the code that a plan runs on the controller.
@Suite struct HookReviewTests {
    @Test func textTellsWhatRunsWhenAndForHowMany() throws {
        let text = TextReview.text(PlanFile(try Hooked.plan()), color: false)
        let short = Hooked.digest.short
        let start = try #require(text.range(of: "Stops, before"))
        let end = try #require(text.range(of: "\nAbout this plan"))
        #expect(
            String(text[start.lowerBound..<end.lowerBound]) == """
                Stops, before the first wave
                  - stop old 0.9.0 on w1, w2, w3  (removed; deployed files go, data and logs stay)
                  after stops of old, hooks on the controller, from _modules \(short), 60 s each at most
                    after_allocation_stopped, for 3 allocations
                      1. command_leave (command_leave.sh, \(short))

                Wave 1
                  api 2.0.0 -> 2.1.0: 3 to restart
                      gate first: the last one failed or never ran
                      demands db
                      order: as in workers.json, unless command_order or command_secrets sets another: then the \
                same actions, cut into batches again by it
                      gate: tcp :80 and `true` on the worker, 2 s each, then command_smoke on the controller; 3 \
                attempts, 1 s apart
                      ports: http 80
                      upgrade in 3 batches, a gate after each batch
                        1. ~ restart w1  (restart glob matched)
                             conf/*.yml matches conf/a.yml, conf/b.yml, conf/c.yml and 1 more
                        2. ~ restart w2  (restart glob matched)
                             conf/*.yml matches conf/a.yml, conf/b.yml, conf/c.yml and 1 more
                        3. ~ restart w3  (restart glob matched)
                             conf/*.yml matches conf/a.yml, conf/b.yml, conf/c.yml and 1 more
                      hooks on the controller, from _modules \(short), 600 s each at most
                        pre_deploy, before anything of the job is touched, for 3 active allocations
                          1. command_order (command_order.py, \(short))
                          2. command_secrets (command_secrets.py, \(short), may be repeated)
                        after_allocation_started, when the targets of a batch have ended, before promoting, for \
                3 allocations
                          1. command_join (command_join.sh, \(short))
                        health_check, at each gate after the probes, for 3 active allocations
                          1. command_smoke (command_smoke, \(short))
                        post_deploy, after all batches and gates, for 3 active allocations
                          1. command_tell (command_tell.ts, \(short))
                          2. command_note (command_note.js, \(short))
                      files
                        ~ conf/a.yml
                        - conf/old.yml
                        ~ run.sh  (type or mode)

                """)
    }

    @Test func everyFormatHasTheValuesForHooks() throws {
        var plan = try Hooked.plan()
        let (api, db) = (try #require(JobName("api")), try #require(JobName("db")))
        plan.facts = Facts(
            variables: ["zone": "a\u{1b}[2J"],
            jobs: [
                Facts.Job(
                    job: api, selectors: [], settings: ["memory": "512"], variables: ["level": "debug"],
                    demands: [
                        .init(
                            command: "command_user", upstream: db, upstreamCommand: "command_users", config: #"{"a":1}"#
                        )
                    ])
            ])
        let file = PlanFile(plan)
        let text = TextReview.text(file, color: false)
        #expect(
            text.contains(
                """

                Values for hooks
                  bucket.conf: zone = `a\\u{1b}[2J`
                  bucket.jobs.conf [api]: memory = `512`
                  vars.toml of api: level = `debug`
                  demand of api, command_user, for db, command_users: `{"a":1}`

                About this plan
                """), "\(text)")
        for page in [
            MarkdownReview.text(file, showsSteps: false), HTMLReview.page(file, showsSteps: false),
        ] {
            for value in ["a\\u{1b}[2J", "512", "debug", "command_users"] { #expect(page.contains(value)) }
        }
        plan.facts?.variables = Dictionary(uniqueKeysWithValues: (0..<200).map { ("k\($0)", "v") })
        #expect(
            TextReview.text(PlanFile(plan), color: false).contains("and 103 more values, which `show --format json`"))
        plan.facts = Facts()
        #expect(!TextReview.text(PlanFile(plan), color: false).contains("Values for hooks"))
    }

    @Test func jobControlStandsForTheTargets() throws {
        let text = TextReview.text(PlanFile(try Hooked.jobControl()), color: false)
        #expect(
            text.contains(
                """
                      rolled out by command_canary in place of Makefile targets, in 2 batches, a gate after each batch
                        1. + new w1  (first deploy)
                           ~ update w2  (content changed)
                        2. ~ update w3  (content changed)

                """.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n")), "\(text)")
        #expect(text.contains("job_control, in place of Makefile targets, batch by batch, for 3 allocations\n"))
        #expect(text.contains("order: as the job's rollout_order says\n"))
        #expect(text.contains("      gate: command_smoke on the controller; 3 attempts, 1 s apart\n"))
        #expect(text.contains("- stop canary 1.0.0 on w4  (disabled; by its Makefile where it has one)\n"))
        #expect(!text.contains("restart w"))
    }

    @Test func aJobThatIsOnlyCompletedHasNoGate() throws {
        var plan = try Hooked.plan()
        plan.work.body.waves[0].jobs[0].phases = []
        plan.work.body.waves[0].jobs[0].gateFirst = nil
        plan.work.body.waves[0].jobs[0].hooks?.commands[.preDeploy] = nil
        plan.work.body.waves[0].jobs[0].hooks?.commands[.afterAllocationStarted] = nil
        let text = TextReview.text(PlanFile(plan), color: false)
        #expect(text.contains("only completes the rollout that was not completed\n"))
        #expect(text.contains("health_check, at gates, of which this plan has none\n"))
        #expect(text.contains("post_deploy, after all batches"))
        #expect(!text.contains("      order:"))
    }

    @Test func aPlanOfACommandSaysThatItIsAll() throws {
        var plan = try Hooked.plan()
        var job = plan.waves[0].jobs[0]
        job.phases = []
        job.changes = []
        job.gateFirst = nil
        job.healthCheck = nil
        job.hooks = .init(modules: Hooked.digest, commands: [.cli: [Hooked.order]])
        plan.work = .jobCommand(JobCommand(job: job, sequence: 1))
        let file = PlanFile(plan)
        let text = TextReview.text(file, color: false)
        #expect(text.contains("job_command in bucket b-1"))
        #expect(text.contains("      runs a command, and rolls nothing out\n"))
        #expect(text.contains("cli, which is all that this plan does, for 3 active allocations\n"))
        #expect(text.hasSuffix("Plan: a command to run for 3 allocations, and nothing else.\n"))
        #expect(!text.contains("programs on the workers") && text.contains("programs on the controller"))
        #expect(MarkdownReview.text(file, showsSteps: true).contains("- runs a command, and rolls nothing out\n"))
        #expect(HTMLReview.page(file, showsSteps: true).contains("runs a command, and rolls nothing out"))
        #expect(StepList.rows(plan).map(\.id.text).first == "api/cli/w1/command_order")
    }

    @Test(arguments: [false, true]) func everyFormatNamesEveryHook(_ isJobControl: Bool) throws {
        let plan = try isJobControl ? Hooked.jobControl() : Hooked.plan()
        let file = PlanFile(plan)
        let texts = [
            TextReview.text(file, color: false), MarkdownReview.text(file, showsSteps: false),
            HTMLReview.page(file, showsSteps: false), JSONReview.json(file, showsSteps: false).text,
        ]
        let job = plan.work.body.waves[0].jobs[0]
        for text in texts {
            var rest = Substring(text)
            for event in HookEvent.allCases where !job.hooks(event).isEmpty {
                let words = [event.rawValue] + job.hooks(event).flatMap { [$0.command, $0.script] }
                for word in words {
                    let found = try #require(rest.range(of: word), "\(word)\n\(text)")
                    rest = rest[found.upperBound...]
                }
            }
            #expect(text.contains(Hooked.digest.short))
            #expect(text.lowercased().contains("programs on the controller"))
            for hook in plan.work.body.stopHooks.flatMap(\.commands) { #expect(text.contains(hook.script)) }
        }
    }

    @Test func aPageHasTheScriptsThatAreNotAmongTheChanges() throws {
        let plan = try Hooked.plan()
        let contents = FileContents(of: plan, whole: .all) { digest, _ in
            digest == Hooked.digest ? .bytes(Array("echo <b>joined\n".utf8)) : .missing
        }
        let page = HTMLReview.page(PlanFile(plan), contents: contents, showsSteps: false)
        // The samples have the same text for all scripts, which is told once.
        #expect(page.ranges(of: "+echo &lt;b&gt;joined").count == 1)
        let alone = HTMLReview.page(PlanFile(plan), showsSteps: false)
        #expect(!alone.contains("its text") && !alone.contains("not in the store"))
        var changed = plan
        changed.work.body.waves[0].jobs[0].changes[0].value.append(
            FileChange(path: "_modules/command_join.sh", kind: .added, from: nil, to: Hooked.digest))
        let other = HTMLReview.page(PlanFile(changed), contents: contents, showsSteps: false)
        #expect(other.ranges(of: "+echo &lt;b&gt;joined").count == 1 && !other.contains("<small>its text</small>"))
    }

    @Test func jsonSaysWhatThePlanSays() throws {
        let file = PlanFile(try Hooked.plan())
        let json = JSONReview.json(file, showsSteps: true).text
        let value = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        let waves = try #require(value["waves"] as? [[String: Any]])
        let job = try #require((waves.first?["jobs"] as? [[String: Any]])?.first)
        #expect(job["rollout_order_may_be_replaced_by"] as? [String] == ["command_order", "command_secrets"])
        let hooks = try #require(job["hooks"] as? [String: Any])
        #expect(hooks["modules"] as? String == Hooked.digest.description)
        let events = try #require(hooks["events"] as? [[String: Any]])
        #expect(
            events.map { "\($0["event"] ?? "") \($0["allocations"] ?? "")" } == [
                "pre_deploy 3", "after_allocation_started 3", "health_check 3", "post_deploy 3",
            ])
        let second = try #require((events[0]["commands"] as? [[String: Any]])?.last)
        #expect(second["command"] as? String == "command_secrets" && second["repeatable"] as? Bool == true)
        let stops = try #require((value["stop_hooks"] as? [[String: Any]])?.first)
        #expect(stops["job"] as? String == "old" && stops["allocations"] as? Int == 3)
        let steps = try #require(value["steps"] as? [[String: Any]])
        #expect(
            steps.filter { $0["event"] as? String == "after_allocation_started" }.compactMap { $0["id"] as? String }
                == [
                    "api/upgrade/1/w1/after_allocation_started/command_join",
                    "api/upgrade/2/w2/after_allocation_started/command_join",
                    "api/upgrade/3/w3/after_allocation_started/command_join",
                ])
        #expect(steps.contains { $0["id"] as? String == "api/rollout_order" })
    }

    @Test func stepsComeInTheOrderInWhichTheyRun() throws {
        let rows = StepList.rows(try Hooked.jobControl(jobs: ["canary"], stops: false))
        #expect(
            rows.map { "\($0.stage) \($0.id)" } == [
                "1 canary/job_control/1/w1/push", "1 canary/job_control/1/w2/push",
                "1 canary/job_control/1/w1/command_canary", "1 canary/job_control/1/w2/command_canary",
                "1 canary/job_control/1/w1/promote", "1 canary/job_control/1/w2/promote",
                "2 canary/job_control/1/gate", "3 canary/job_control/2/w3/push",
                "3 canary/job_control/2/w3/command_canary", "3 canary/job_control/2/w3/promote",
                "4 canary/job_control/2/gate", "5 canary/complete",
            ])
    }

    @Test func theDrawingMarksWhereHooksRun() throws {
        func lanes(_ plan: Plan) -> [Schedule.Lane] {
            Schedule(plan, ExpectedTimes(plan, .none)).bands.flatMap(\.lanes)
        }
        let hooked = lanes(try Hooked.plan())
        #expect(hooked[0].boxes.map(\.marks) == [[.hooks("hooks")]])
        #expect(hooked[1].before == [.gate, .hooks("2 hooks")] && hooked[1].after == [.hooks("2 hooks")])
        #expect(hooked[1].boxes.map(\.marks) == Array(repeating: [.hooks("hook"), .gate], count: 3))
        let canary = lanes(try Hooked.jobControl(stops: false))
        #expect(canary[0].boxes.map { $0.actions.map(\.text) } == [["new 1", "update 1"], ["update 1"]])
        let page = HTMLReview.page(PlanFile(try Hooked.plan()), showsSteps: false)
        // Each has a sign of its own, beside its color.
        for mark in [#"<span class="mark gate">◆ gate</span>"#, #"<span class="mark calls">ƒ 2 hooks</span>"#] {
            #expect(page.contains(mark))
        }
    }

    @Test func whatIsNotBoundIsToldWhereThereAreHooks() throws {
        let subjects = [
            "Values of variables and secrets", "Programs on the controller", "What hooks fetch and read",
            "Variables of the applying process", "Virtual environments",
        ]
        let plan = try Hooked.plan()
        let unpinned = plan.unpinned
        for subject in subjects { #expect(unpinned.contains { $0.subject == subject }, "\(subject)") }
        #expect(unpinned.first { $0.subject == "Virtual environments" }?.detail.contains("of api run") == true)
        #expect(
            unpinned.first { $0.subject == "Variables of the applying process" }?.detail.contains("hook_environment")
                == true)
        // None of its hooks is in Python.
        #expect(try !Hooked.jobControl().unpinned.contains { $0.subject == "Virtual environments" })
        let plain = try Samples.plan(workers: ["w1"], batch: 1).unpinned
        for subject in subjects { #expect(!plain.contains { $0.subject == subject }, "\(subject)") }
    }
}

/// Plans with hooks.
enum Hooked {
    static let digest = Digest.of("script".utf8)
    static let order = Plan.Hook(command: "command_order", script: "command_order.py", digest: digest)

    static var hooks: Plan.Hooks {
        .init(
            modules: digest,
            commands: [
                .preDeploy: [
                    order,
                    .init(
                        command: "command_secrets", script: "command_secrets.py", digest: digest, isRepeatable: true),
                ],
                .afterAllocationStarted: [.init(command: "command_join", script: "command_join.sh", digest: digest)],
                .healthCheck: [.init(command: "command_smoke", script: "command_smoke", digest: digest)],
                .postDeploy: [
                    .init(command: "command_tell", script: "command_tell.ts", digest: digest),
                    .init(command: "command_note", script: "command_note.js", digest: digest),
                ],
            ])
    }

    static func stopHooks() throws -> Plan.StopHooks {
        .init(
            job: try #require(JobName("old")), timeout: 60, modules: digest,
            commands: [.init(command: "command_leave", script: "command_leave.sh", digest: digest)])
    }

    /// A hook for every event but `job_control`.
    static func plan() throws -> Plan {
        var plan = try Samples.plan(workers: ["w1", "w2", "w3"], batch: 1)
        plan.work.body.waves[0].jobs[0].hooks = hooks
        plan.work.body.stopHooks = [try stopHooks()]
        plan.facts = Facts()
        return plan
    }

    /// A job whose own command rolls it out, and whose health only a hook knows.
    static func jobControl(jobs: [String] = ["canary"], stops: Bool = true) throws -> Plan {
        var plan = try Samples.plan(workers: ["w1", "w2", "w3", "w4"], batch: 2)
        var job = plan.work.body.waves[0].jobs[0]
        job.job = try #require(JobName("canary"))
        job.gateFirst = nil
        job.rolloutOrder = .keyValue
        job.active.removeLast()
        job.content[0].workers.removeLast()
        job.from.append(.init("new", FromState(version: "0.0.0", content: nil)))
        job.healthCheck?.checks = []
        job.hooks = .init(
            modules: digest,
            commands: [
                .jobControl: [.init(command: "command_canary", script: "command_canary", digest: digest)],
                .healthCheck: hooks[.healthCheck],
            ])
        let entries = job.active.map {
            Plan.Entry(worker: $0, action: .restart, reason: .contentChanged, from: "a")
        }
        job.phases = [
            .init(kind: .jobControl, batches: [[entries[0], entries[1]], [entries[2]]], gate: .afterEachBatch)
        ]
        job.phases[0].batches[0][0].action = .start
        job.phases[0].batches[0][0].reason = .firstDeploy
        job.phases[0].batches[0][0].from = "new"
        plan.work.body.waves[0].jobs = [job]
        plan.work.body.reconcile = stops ? [plan.work.body.reconcile[3]] : []
        if stops {
            plan.work.body.reconcile[0] = .init(
                allocation: AllocationID(job: job.job, worker: plan.work.body.reconcile[0].allocation.worker),
                reason: .disabled,
                from: FromState(version: "1.0.0", content: digest), timeout: 600)
            plan.work.body.reconcile[0].isMakefileOptional = true
        }
        plan.facts = Facts()
        plan.work.body.summary = .init(reconcile: plan.work.body.reconcile, waves: plan.work.body.waves, unchanged: 0)
        return plan
    }
}
