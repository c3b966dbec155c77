import Model
import Plans
import Testing
import Windows

@testable import Review

@Suite struct PlanDifferenceTests {
    private func text(_ change: (inout Plan) throws -> Void) throws -> String {
        let old = try Samples.plan(workers: ["w1", "w2", "w3"], batch: 1)
        var new = old
        try change(&new)
        let difference = PlanDifference(old, new)
        #expect(difference.isEmpty == difference.sections.isEmpty)
        return difference.text(color: false)
    }

    @Test func theBaseAndTheSummaryAreNotCompared() throws {
        #expect(try text { _ in } == "The plans do the same.\n")
        #expect(
            try text {
                $0.base.catalogRevision = 9
                $0.work.body.summary.unchanged = 40
            } == "The plans do the same. They were made at the catalog revisions 3 and 9.\n")
    }

    @Test func policyAndOptions() throws {
        #expect(
            try text {
                $0.policy = .init(onFailure: .continue, jobParallelism: 2)
                $0.work.body.options.jobs = []
                $0.work.body.options.force = true
            } == """
                Plan
                  ~ changed: options.jobs: [api] -> []
                  ~ changed: options.force: false -> true
                  ~ changed: policy.on_failure: stop -> continue
                  ~ changed: policy.job_parallelism: 4 -> 2

                """)
    }

    @Test func workersTogether() throws {
        #expect(
            try text {
                for index in $0.fleet.workers.indices { $0.fleet.workers[index].ssh?.user = "root" }
                $0.fleet.workers[0].address = "10.9.9.9"
            } == """
                Workers
                  ~ changed: address: 10.0.0.1 -> 10.9.9.9 of w1
                  ~ changed: user: agent -> root of w1, w2, w3

                """)
    }

    @Test func stops() throws {
        #expect(
            try text {
                $0.work.body.reconcile.removeFirst()
                $0.work.body.reconcile[0].reason = .disabled
            } == """
                Stops
                  - gone: stop old (removed) on w1
                  ~ changed: stop old: reason: removed -> disabled on w2

                """)
    }

    @Test func batchesActionsAndReasons() throws {
        #expect(
            try text {
                let entries = Array($0.work.body.waves[0].jobs[0].phases[0].batches.joined())
                $0.work.body.waves[0].jobs[0].batching.upgrades = 2
                $0.work.body.waves[0].jobs[0].phases[0].batches = [Array(entries[0...1]), [entries[2]]]
                $0.work.body.waves[0].jobs[0].phases[0].batches[0][0].action = .reload
                $0.work.body.waves[0].jobs[0].phases[0].batches[0][0].reason = .contentChanged
                $0.work.body.waves[0].jobs[0].phases[0].batches[0][0].matched = []
            } == """
                api
                  ~ changed: batching.upgrades: 1 -> 2
                  ~ changed: action: restart -> reload on w1
                  ~ changed: reason: glob_matched -> content_changed on w1
                  ~ changed: matched: conf/*.yml -> none on w1
                  ~ changed: batch: upgrade 2 -> upgrade 1 on w2
                  ~ changed: batch: upgrade 3 -> upgrade 2 on w3

                """)
    }

    @Test func filesByPath() throws {
        let other = Digest.of("other".utf8)
        let text = try text {
            let changes = $0.work.body.waves[0].jobs[0].changes[0].value
            $0.work.body.waves[0].jobs[0].changes[0].value = [
                FileChange(path: "conf/a.yml", kind: .modified, from: changes[0].from, to: other), changes[2],
                FileChange(path: "new.txt", kind: .added, from: nil, to: other),
            ]
            $0.work.body.waves[0].jobs[0].content[0].tree = other
        }
        #expect(text.hasPrefix("api\n  ~ changed: conf/a.yml: other content, sha256:"))
        #expect(text.contains("\n  - gone: removes conf/old.yml\n  + new: adds new.txt\n"))
        #expect(text.contains("  ~ changed: content: sha256:") && text.hasSuffix(" on w1, w2, w3\n"))
    }

    @Test func theSignsAreExplained() {
        #expect(
            PlanDifference.legend("A", "B")
                == "+ new: only in B. - gone: only in A. ~ changed: from A to B.")
    }

    @Test func statesAreComparedByWhatTheySay() throws {
        // Another name for the same state is not a difference of meaning, but the files are not the same either.
        let text = try text {
            $0.work.body.waves[0].jobs[0].from[0].name = "b"
            $0.work.body.waves[0].jobs[0].changes[0].name = "b"
            for batch in 0..<3 { $0.work.body.waves[0].jobs[0].phases[0].batches[batch][0].from = "b" }
        }
        #expect(text == "Order\n  ~ changed: the same, listed in another order or under other names of states\n")
    }

    @Test func gatesAndHealthChecks() throws {
        #expect(
            try text {
                $0.work.body.waves[0].jobs[0].gateFirst = nil
                $0.work.body.waves[0].jobs[0].healthCheck?.attempts = 9
                $0.work.body.waves[0].jobs[0].phases[0].gate = .afterPhase
                $0.work.body.waves[0].jobs[0].active.removeLast()
            } == """
                api
                  ~ changed: gate_first: unfinished -> null
                  ~ changed: health_check.attempts: 3 -> 9
                  ~ changed: gate of the upgrade phase: after each batch -> after phase
                  - gone: gates cover w3

                """)
    }

    @Test func hooks() throws {
        let old = try Hooked.plan()
        var new = old
        let other = Digest.of("other".utf8)
        new.work.body.waves[0].jobs[0].hooks?.modules = other
        new.work.body.waves[0].jobs[0].hooks?.commands[.preDeploy]?[0].digest = other
        new.work.body.waves[0].jobs[0].hooks?.commands[.preDeploy]?[1].isRepeatable = false
        new.work.body.waves[0].jobs[0].hooks?.commands[.healthCheck] = nil
        new.work.body.waves[0].jobs[0].hooks?.commands[.postDeploy]?.reverse()
        new.work.body.waves[0].jobs[0].hooks?.commands[.afterAllocationStarted]?.append(
            .init(command: "command_more", script: "command_more", digest: other))
        new.work.body.stopHooks[0].modules = other
        new.work.body.stopHooks[0].commands[0].script = "command_leave.py"
        let (plain, changed) = (Hooked.digest.short, other.short)
        #expect(
            PlanDifference(old, new).text(color: false) == """
                Stops
                  ~ changed: after_allocation_stopped of old: command_leave (command_leave.sh, \(plain)) -> \
                command_leave (command_leave.py, \(plain))
                  ~ changed: after_allocation_stopped of old: _modules: \(plain) -> \(changed)
                api
                  ~ changed: pre_deploy: command_order (command_order.py, \(plain)) -> command_order (command_order.py, \(changed))
                  ~ changed: pre_deploy: command_secrets (command_secrets.py, \(plain), may be repeated) -> \
                command_secrets (command_secrets.py, \(plain))
                  + new: after_allocation_started: command_more (command_more, \(changed))
                  - gone: health_check: command_smoke (command_smoke, \(plain))
                  ~ changed: post_deploy: order: command_tell, command_note -> command_note, command_tell
                  ~ changed: _modules of the hooks: \(plain) -> \(changed)

                """)
        #expect(!PlanDifference(old, new).onlyAddsJobs)
    }

    @Test func hooksThatOnlyOnePlanHas() throws {
        let old = try Samples.plan(workers: ["w1"], batch: 1)
        var new = old
        new.work.body.waves[0].jobs[0].hooks = .init(modules: Hooked.digest, commands: [.preDeploy: [Hooked.order]])
        new.work.body.stopHooks = [try Hooked.stopHooks()]
        let plain = Hooked.digest.short
        #expect(
            PlanDifference(old, new).text(color: false) == """
                Stops
                  + new: after_allocation_stopped of old: command_leave (command_leave.sh, \(plain))
                api
                  ~ changed: rollout_order.may_be_replaced_by: none -> [command_order]
                  + new: pre_deploy: command_order (command_order.py, \(plain))

                """)
        #expect(PlanDifference(new, old).text(color: false).contains("  - gone: pre_deploy: command_order"))
        var without = new
        without.work.body.waves = []
        #expect(
            PlanDifference(without, new).text(color: false)
                == "api\n  + new: in wave 1, 2.0.0 -> 2.1.0: 1 to restart; hooks pre_deploy command_order\n")
    }

    @Test func wholeJobs() throws {
        let old = try Samples.plan(workers: ["w1"], batch: 1)
        var new = old
        new.work.body.waves[0].deploymentSequence = 2
        var job = new.work.body.waves[0].jobs[0]
        job.job = try #require(JobName("web"))
        new.work.body.waves[0].jobs.append(job)
        #expect(
            PlanDifference(old, new).text(color: false) == """
                api
                  ~ changed: wave: 1 -> 2
                web
                  + new: in wave 2, 2.0.0 -> 2.1.0: 1 to restart

                """)
        #expect(!PlanDifference(old, new).onlyAddsJobs)
        new.work.body.waves[0].deploymentSequence = 1
        #expect(PlanDifference(old, new).onlyAddsJobs)
        #expect(!PlanDifference(new, old).onlyAddsJobs)
        #expect(
            PlanDifference(new, old).text(color: false) == "web\n  - gone: in wave 1, 2.0.0 -> 2.1.0: 1 to restart\n")
    }

    @Test func everyOtherFieldIsSeen() throws {
        let stopHooks = try Hooked.stopHooks()
        let changes: [(inout Plan) -> Void] = [
            { $0.fleet.bucket = "c" }, { $0.fleet.transport = .local }, { $0.fleet.workerRoot = "/x" },
            { $0.work.body.options.syncOnly = true },
            { $0.window = MaintenanceWindow(zone: "UTC", openings: []) }, { $0.policy.startBefore = .distantPast },
            { $0.fleet.workers[0].zone = "z" }, { $0.fleet.workers[0].ssh?.port = 23 },
            { $0.fleet.workers[0].ssh?.hostKeys = ["k"] },
            { $0.fleet.workers[0].isRemoved = true }, { $0.work.body.waves[0].jobs[0].batching.first = [1] },
            { $0.work.body.waves[0].jobs[0].batching.spread = "zone" },
            { $0.work.body.waves[0].jobs[0].batching.bakeSeconds = 5 },
            { $0.work.body.waves[0].jobs[0].batching.maxFailures = 5 },
            { $0.fleet.workers.swapAt(0, 1) },
            { $0.work.body.reconcile[0].timeout = 1 }, { $0.work.body.reconcile[0].from.version = "9" },
            { $0.work.body.reconcile.swapAt(0, 1) }, { $0.work.body.waves[0].jobs[0].version = "9" },
            { $0.work.body.waves[0].jobs[0].demands = [] }, { $0.work.body.waves[0].jobs[0].active.swapAt(0, 1) },
            { $0.work.body.waves[0].jobs[0].from[0].value.stopped = true },
            { $0.work.body.waves[0].jobs[0].rolloutOrder = .keyValue },
            { $0.work.body.waves[0].jobs[0].batching.starts = 7 },
            { $0.work.body.waves[0].jobs[0].repeatable = [.reload] },
            { $0.work.body.waves[0].jobs[0].timeouts.action = 1 }, { $0.work.body.waves[0].jobs[0].timeouts.hook = 1 },
            { $0.work.body.waves[0].jobs[0].timeouts.push = 1 }, { $0.work.body.waves[0].jobs[0].ports = [] },
            { $0.work.body.waves[0].jobs[0].healthCheck = nil },
            { $0.work.body.waves[0].jobs[0].phases[0].batches[0][0].matched[0].value = ["x"] },
            { $0.work.body.waves[0].jobs[0].content[0].workers.swapAt(0, 1) },
            { $0.work.body.reconcile[0].isMakefileOptional = true },
            { $0.work.body.waves[0].jobs[0].hooks = Hooked.hooks },
            { $0.work.body.stopHooks = [stopHooks] },
            {
                $0.work.body.stopHooks = [stopHooks]
                $0.work.body.stopHooks[0].timeout = 9
            },
            { $0.facts = Facts() }, { $0.facts = Facts(variables: ["a": "b"]) },
        ]
        let old = try Samples.plan(workers: ["w1", "w2", "w3"], batch: 1)
        for (index, change) in changes.enumerated() {
            var new = old
            change(&new)
            #expect(!PlanDifference(old, new).isEmpty, "\(index)")
        }
    }
}
