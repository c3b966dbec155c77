import Foundation
import Model
import Planner
import Plans
import Testing
import YAML

/// What a plan says of the code that a job runs on the controller.
@Suite struct HookPlanTests {
    /// A job with a script for each command; `commands` is `name: event, event`.
    private func job(
        _ bucket: TestWorkspace, _ commands: [(String, [String])], version: String = "1.0.0", _ fields: String = "",
        ending: String = ".py"
    ) throws {
        let list = commands.map { command, events in
            #""command_\#(command)": {"executed_on": [\#(events.map { "\"\($0)\"" }.joined(separator: ", "))]}"#
        }
        let more = fields.isEmpty ? "" : ", " + fields
        try bucket.job("api", version: version, #""commands": {\#(list.joined(separator: ", "))}\#(more)"#)
        for (command, _) in commands {
            try bucket.write("jobs/api/_modules/command_\(command)\(ending)", "print('\(command)')\n")
        }
    }

    private func bucket(_ workers: Int = 2) throws -> TestWorkspace {
        let bucket = try TestWorkspace()
        try bucket.workers(workers)
        return bucket
    }

    private func api(_ plan: Plan) throws -> Plan.Job {
        try #require(plan.waves.flatMap(\.jobs).first { $0.job.text == "api" })
    }

    /// `pre_deploy command_a`, in the order in which they run.
    private func hooks(_ plan: Plan) throws -> [String] {
        let job = try api(plan)
        return HookEvent.allCases.flatMap { event in job.hooks(event).map { "\(event.rawValue) \($0.command)" } }
    }

    private func complete(_ bucket: TestWorkspace, incomplete: Bool, gatePending: Bool = false) throws {
        try bucket.deploy()
        let name = try #require(JobName("api"))
        bucket.catalog.jobs[name, default: .init()].incomplete = incomplete
        bucket.catalog.jobs[name, default: .init()].gatePending = gatePending
    }

    // MARK: What is in a plan

    @Test func commandsRunInTheOrderOfTheManifest() throws {
        let bucket = try bucket()
        try job(
            bucket,
            [
                ("z", ["pre_deploy", "post_deploy"]), ("a", ["post_deploy", "pre_deploy"]), ("cli", ["cli"]),
                ("m", ["after_allocation_started", "after_allocation_stopped", "health_check"]),
            ], #""repeatable": ["command_a", "stop"]"#)
        let plan = try bucket.plan().plan
        #expect(
            try hooks(plan) == [
                "pre_deploy command_z", "pre_deploy command_a", "after_allocation_started command_m",
                "health_check command_m", "post_deploy command_z", "post_deploy command_a",
            ])
        let job = try api(plan)
        #expect(job.hooks(.preDeploy).map(\.isRepeatable) == [false, true])
        #expect(job.hooks(.preDeploy).map(\.script) == ["command_z.py", "command_a.py"])
        #expect(job.hooks(.preDeploy).first?.digest == Digest.of("print('z')\n".utf8))
        #expect(job.repeatable == [.stop])
        #expect(job.orderingCommands == ["command_z", "command_a"])
        #expect(plan.stopHooks.isEmpty)
        #expect(plan.facts != nil)
        #expect(HookEvent.allCases.map(job.allocations) == [2, 2, 2, 0, 2, 2, 2, 0, 2, 2, 2, 2])
    }

    @Test(arguments: [".py", ".ts", ".js", ".sh", ""]) func anEndingSaysHowAScriptRuns(_ ending: String) throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["pre_deploy"])], ending: ending)
        try bucket.write("jobs/api/_modules/command_a\(ending)", "#!/bin/sh\n", mode: ending.isEmpty ? 0o755 : 0o644)
        #expect(try api(bucket.plan().plan).hooks(.preDeploy).map(\.script) == ["command_a\(ending)"])
    }

    @Test func theWholeFolderIsBound() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["post_deploy"])])
        try bucket.write("jobs/api/_modules/lib/helper.py", "a\n")
        try complete(bucket, incomplete: true)
        let before = try api(bucket.plan().plan)
        let result = try bucket.plan()
        let modules = try #require(before.hooks?.modules)
        #expect(result.trees.contains { $0.digest == modules })
        #expect(
            result.trees.first { $0.digest == modules }?.entries.map(\.path) == [
                "_modules/command_a.py", "_modules/lib/helper.py",
            ])
        try bucket.write("jobs/api/_modules/.venv/bin/python3", "not part of it\n", mode: 0o755)
        let refusal = bucket.errors()
        #expect(
            refusal.contains("WS/jobs/api/_modules/.venv: error: job api: hooks never run with a virtual environment"))
        #expect(refusal.contains("hook_venvs = {api = \"/opt/maand/venvs/api\"}"))
        bucket.configuration.hookVenvs[try #require(JobName("api"))] = "/opt/maand/venvs/api"
        #expect(try api(bucket.plan().plan).hooks?.modules == modules)
        try bucket.write("jobs/api/_modules/lib/helper.py", "b\n")
        let after = try api(bucket.plan().plan)
        #expect(after.hooks?.modules != modules)
        #expect(after.hooks(.postDeploy) == before.hooks(.postDeploy))
    }

    @Test func aCommandHasAPlanOfItsOwn() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["cli", "pre_deploy"]), ("b", ["cli"]), ("c", ["post_deploy"])])
        try bucket.write("disabled.json", #"{"workers": ["w2"]}"#)
        let workspace = try Workspace.read(bucket.folder, bucket.configuration)
        let name = try #require(JobName("api"))
        func plan(_ command: String, _ job: JobName) throws -> Plan {
            try Planner.planJobCommand(command, of: job, workspace, bucket.configuration, bucket.catalog).plan
        }
        let made = try plan("command_b", name)
        #expect(try hooks(made) == ["cli command_b"])
        #expect(try PlanFile.read(PlanFile(made).bytes, file: "p").plan == made)
        #expect(StepGraph(made).steps.map(\.id.text) == ["api/cli/w1/command_b", "api/cli/w2/command_b"])
        #expect(try api(made).active.map(\.text) == ["w1"] && api(made).disabled.map(\.text) == ["w2"])
        // It is the same command of a rollout, and another plan.
        #expect(try hooks(bucket.plan().plan) == ["pre_deploy command_a", "post_deploy command_c"])
        for (command, expected) in [
            ("other", "its commands of that event are command_a, command_b"), ("command_bb", "did you mean command_b?"),
        ] {
            let error = #expect(throws: PlanningError.self) { try plan(command, name) }
            #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
        }
        var rollout = try bucket.plan().plan
        rollout.work.body.waves[0].jobs[0].hooks?.commands[.cli] = try api(made).hooks(.cli)
        let failure = #expect(throws: InputFailure.self) { try PlanFile.read(PlanFile(rollout).bytes, file: "p") }
        #expect(failure?.description.contains("a rollout runs no hooks of the event `cli`") == true)
    }

    @Test func aPlanWithoutHooksHasNoFacts() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["cli", "post_build"])])
        let plan = try bucket.plan().plan
        #expect(plan.facts == nil)
        #expect(!plan.hasHooks)
        #expect(try api(plan).hooks == nil)
    }

    @Test func aJobThatIsOnlyCompletedHasTheHookThatCompletesIt() throws {
        let bucket = try bucket()
        try job(
            bucket,
            [("a", ["pre_deploy", "after_allocation_started", "after_allocation_stopped"]), ("b", ["post_deploy"])])
        try complete(bucket, incomplete: true)
        let plan = try bucket.plan().plan
        #expect(try hooks(plan) == ["post_deploy command_b"])
        #expect(try api(plan).phases.isEmpty)
        #expect(try api(plan).orderingCommands.isEmpty)
        #expect(
            StepGraph(plan).steps.map(\.id.text) == [
                "api/post_deploy/w1/command_b", "api/post_deploy/w2/command_b", "api/complete",
            ])
    }

    @Test func aGateThatIsOnlyAHookIsAGate() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["health_check"])])
        let job = try api(bucket.plan().plan)
        #expect(job.healthCheck == HealthCheck(timeoutSeconds: 5, attempts: 30, intervalSeconds: 1, checks: []))
        #expect(job.phases.map(\.gate) == [.afterPhase])
        try complete(bucket, incomplete: false, gatePending: true)
        let plan = try bucket.plan().plan
        #expect(try api(plan).gateFirst == .unfinished)
        #expect(try hooks(plan) == ["health_check command_a"])
    }

    // MARK: Stops

    @Test func stopsOfAJobThatIsThereHaveItsHooks() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["after_allocation_stopped"])], #""timeouts": {"hook": 7}"#)
        try bucket.job("old", #""commands": {"command_b": {"executed_on": ["after_allocation_stopped"]}}"#)
        try bucket.write("jobs/old/_modules/command_b.py", "")
        try bucket.deploy()
        try bucket.write("disabled.json", #"{"jobs": {"api": {}}}"#)
        // A job that is gone has taken its hooks with it.
        try bucket.remove("jobs/old")
        let result = try bucket.plan()
        #expect(result.plan.stopHooks.map(\.job.text) == ["api"])
        #expect(result.plan.stopHooks.map(\.timeout) == [7])
        #expect(result.plan.stopHooks.flatMap(\.commands).map(\.command) == ["command_a"])
        #expect(result.trees.contains { $0.digest == result.plan.stopHooks[0].modules })
        #expect(result.plan.facts?.jobs.map(\.job.text) == ["api"])
        #expect(result.plan.waves.isEmpty)
    }

    // MARK: job_control

    private func jobControl(_ workers: Int, makefile: Bool = false) throws -> TestWorkspace {
        let bucket = try bucket(workers)
        try job(
            bucket, [("canary", ["job_control"]), ("done", ["post_deploy"])],
            #""max_concurrent_upgrades": 2, "health_check": {"checks": [{"type": "tcp", "port": 80}]}"#)
        if !makefile { try bucket.remove("jobs/api/Makefile") }
        return bucket
    }

    @Test func jobControlIsOnePhaseInBatchesOfUpgrades() throws {
        let bucket = try jobControl(3)
        #expect(try bucket.plan().plan.batches(of: "api") == ["job_control w1 w2 | w3 (after_each_batch)"])
        try bucket.deploy()
        try bucket.workers(4)
        try bucket.write("jobs/api/app.conf", "b\n")
        try bucket.write("jobs/api/vars.toml", #"rollout_order = "w4,w3,w2,w1""#)
        let plan = try bucket.plan().plan
        #expect(plan.batches(of: "api") == ["job_control w4 w3 | w2 w1 (after_each_batch)"])
        #expect(plan.actions == ["api": ["w1": "restart", "w2": "restart", "w3": "restart", "w4": "start"]])
        #expect(try api(plan).allocations(of: .jobControl) == 4)
    }

    @Test func aStopOfAJobWithoutMakefileMayHaveNone() throws {
        let bucket = try jobControl(1)
        try bucket.deploy()
        try bucket.write("disabled.json", #"{"workers": ["w1"]}"#)
        #expect(try bucket.plan().plan.reconcile.map(\.isMakefileOptional) == [true])
    }

    @Test func syncOnlyMovesFilesAndRunsNoCommandInPlaceOfTargets() throws {
        let bucket = try jobControl(2)
        #expect(bucket.errors(syncOnly: true).contains("api on w1"), "\(bucket.errors(syncOnly: true))")
        try bucket.deploy()
        try bucket.write("jobs/api/app.conf", "b\n")
        let plan = try bucket.plan(syncOnly: true).plan
        #expect(plan.actions == ["api": ["w1": "sync", "w2": "sync"]])
        #expect(plan.batches(of: "api") == ["upgrade w1 w2 (none)"])
        #expect(try hooks(plan) == ["post_deploy command_done"])
    }

    @Test func aHookThatNeverRunsIsAWarning() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["job_control"]), ("b", ["after_allocation_started"])])
        #expect(
            try bucket.plan().warnings.map(\.message) == [
                "job api: command_b never runs after allocations are started, since the job has a command for "
                    + "job_control"
            ])
        #expect(try hooks(try bucket.plan().plan) == ["job_control command_a"])
    }

    // MARK: Bad input

    @Test func aScriptHasToBeThereAndToBeOne() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["pre_deploy"])])
        let place = "WS/jobs/api/manifest.json:1:60: error: job api: "
        #expect(bucket.errors() == "")
        try bucket.write("jobs/api/_modules/command_a.sh", "")
        #expect(
            bucket.errors().contains(
                place + "command_a has several scripts: _modules/command_a.py, _modules/command_a.sh"),
            "\(bucket.errors())")
        try bucket.remove("jobs/api/_modules/command_a.sh")
        try bucket.remove("jobs/api/_modules/command_a.py")
        #expect(bucket.errors().contains(place + "command_a has no script"), "\(bucket.errors())")
        try bucket.write("jobs/api/_modules/command_a.rb", "", mode: 0o755)
        #expect(bucket.errors().contains("command_a has no script"))
        try bucket.write("jobs/api/_modules/command_a", "#!/bin/sh\n")
        #expect(bucket.errors().contains(place + "_modules/command_a is not executable"), "\(bucket.errors())")
        #expect(bucket.errors().contains("`chmod +x` it"))
        try bucket.write("jobs/api/_modules/command_a", "#!/bin/sh\n", mode: 0o755)
        #expect(bucket.errors() == "")
    }

    @Test func aScriptIsARegularFile() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["pre_deploy"])])
        try bucket.remove("jobs/api/_modules/command_a.py")
        try bucket.write("jobs/api/_modules/real.py", "")
        try FileManager.default.createSymbolicLink(
            atPath: bucket.folder + "/jobs/api/_modules/command_a.py", withDestinationPath: "real.py")
        #expect(
            bucket.errors().contains("job api: _modules/command_a.py is not a regular file"), "\(bucket.errors())")
        try bucket.remove("jobs/api/_modules/command_a.py")
        try FileManager.default.createDirectory(
            atPath: bucket.folder + "/jobs/api/_modules/command_a.py", withIntermediateDirectories: true)
        #expect(
            bucket.errors().contains("job api: _modules/command_a.py is not a regular file"), "\(bucket.errors())")
    }

    @Test func aMakefileIsNeededWhereTargetsRun() throws {
        let bucket = try bucket()
        try job(bucket, [("a", ["pre_deploy"])])
        try bucket.remove("jobs/api/Makefile")
        #expect(bucket.errors().contains("WS/jobs/api: error: job api has no Makefile"))
        try job(bucket, [("a", ["job_control"])])
        try bucket.remove("jobs/api/Makefile")
        #expect(bucket.errors() == "")
    }

    // MARK: The file

    private func planFile() throws -> PlanFile {
        let bucket = try bucket(3)
        try job(
            bucket,
            HookEvent.allCases.filter { $0 != .jobControl && $0 != .postBuild && !$0.isAround }.map {
                ($0.rawValue, [$0.rawValue])
            }
                + [("second", ["pre_deploy", "post_deploy"])],
            #""repeatable": ["command_second"], "timeouts": {"hook": 60}"#)
        try bucket.job("canary", #""commands": {"command_canary": {"executed_on": ["job_control"]}}"#)
        try bucket.write("jobs/canary/_modules/command_canary", "#!/bin/sh\n", mode: 0o755)
        try bucket.deploy()
        try bucket.write("disabled.json", #"{"workers": ["w3"]}"#)
        for name in ["api", "canary"] { try bucket.write("jobs/\(name)/app.conf", "b\n") }
        return PlanFile(try bucket.plan().plan)
    }

    @Test func hooksAroundAllocationsAreInPlansInWhichSomethingRuns() throws {
        let bucket = try bucket(3)
        let events = HookEvent.around.map(\.rawValue)
        try job(bucket, events.map { ($0, [$0]) })
        try bucket.deploy()
        try bucket.write("disabled.json", #"{"jobs": {"api": {"allocations": ["w3"]}}}"#)
        try bucket.write("jobs/api/app.conf", "b\n")
        let file = PlanFile(try bucket.plan().plan)
        #expect(try hooks(file.plan) == events.map { "\($0) command_\($0)" })
        #expect(
            file.plan.stopHooks.first?.all.map(\.command) == [
                "command_before_batch", "command_before_allocation", "command_after_allocation",
            ])
        let again = try PlanFile.read(file.bytes, file: "plan")
        #expect(again.plan == file.plan)
        #expect(again.bytes == file.bytes)
        let steps = StepGraph(file.plan).steps.map(\.id.text)
        #expect(
            steps.prefix(5) == [
                "api/stop/1/before_batch/command_before_batch",
                "api/stop/1/w3/before_allocation/command_before_allocation",
                "api/stop/1/w3/stop", "api/stop/1/w3/after_allocation/command_after_allocation",
                "api/upgrade/1/before_batch/command_before_batch",
            ])
        // Files alone need nothing around them.
        try bucket.write("disabled.json", "{}")
        let files = try bucket.plan(syncOnly: true).plan
        #expect(try api(files).hooks == nil)
    }

    @Test func whatIsDrainedAndNotPutBackIsNamed() throws {
        let bucket = try bucket(2)
        try job(bucket, [("a", ["before_allocation"]), ("b", ["after_allocation_healthy"])])
        try bucket.deploy()
        let id = AllocationID(job: try #require(JobName("api")), worker: try #require(WorkerName("w2")))
        bucket.catalog.allocations[id]?.isDrained = true
        let idle = PlanFile(try bucket.plan().plan)
        #expect(idle.plan.isEmpty)
        #expect(idle.plan.work.body.drained == [.init("api", [id.worker])])
        #expect(try PlanFile.read(idle.bytes, file: "plan").plan == idle.plan)
        try bucket.write("jobs/api/app.conf", "b\n")
        #expect(try bucket.plan().plan.work.body.drained.isEmpty, "the plan puts it back")
    }

    @Test func aPlanWithEveryEventIsAsItWas() throws {
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "golden-hooks.plan.yaml")
        let file = try planFile()
        if ProcessInfo.processInfo.environment["RECORD_GOLDEN"] != nil {
            try Data(file.bytes).write(to: golden)
            Issue.record("recorded; run again without RECORD_GOLDEN")
        }
        #expect(try String(contentsOf: golden, encoding: .utf8) == String(decoding: file.bytes, as: UTF8.self))
        let again = try PlanFile.read(file.bytes, file: "plan")
        #expect(again.plan == file.plan)
        #expect(again.bytes == file.bytes)
    }

    @Test(arguments: [
        ("command: command_pre_deploy,", "command: pre_deploy,", "a command is called command_<name>"),
        ("command: command_pre_deploy,", "command: \"command_pre deploy\",", "a command is called command_<name>"),
        ("script: command_pre_deploy.py", "script: ../command_pre_deploy.py", "`script` is the command's name"),
        ("script: command_pre_deploy.py", "script: command_pre_deploy.rb", "`script` is the command's name"),
        (
            "command: command_second, script: command_second.py",
            "command: command_pre_deploy, script: command_pre_deploy.py", "a command is listed twice"
        ),
        (
            "may_be_replaced_by: [command_pre_deploy, command_second]", "may_be_replaced_by: [command_second]",
            "the file is not in the form that the program writes"
        ),
        (
            ", may_be_replaced_by: [command_pre_deploy, command_second]", "",
            "the file is not in the form that the program writes"
        ),
        ("repeatable: true", "repeatable: false", "error:"),
        ("pre_deploy:\n", "before_deploy:\n", "unknown field \"before_deploy\""),
        (
            "          after_allocation_started:\n", "          after_allocation_stopped:\n",
            "unknown field \"after_allocation_stopped\""
        ),
        ("makefile: optional", "makefile: needed", "the only value here is `optional`"),
        ("phase: job_control", "phase: upgrade", "error:"),
        (
            "  - job: api\n    timeout: 60\n", "  - job: web\n    timeout: 60\n",
            "`stop_hooks` names web, and nothing of it is stopped"
        ),
        ("    timeout: 60\n", "    timeout: 0\n", "from 1 to 86400"),
        ("\n          modules: sha256:", "\n          modules: sha512:", "error:"),
    ])
    func aDamagedSectionHasAPlace(_ old: String, _ new: String, _ expected: String) throws {
        let text = String(decoding: try planFile().bytes, as: UTF8.self)
        let edited = text.replacing(old, with: new, maxReplacements: 1)
        #expect(edited != text, "\(old)")
        let failure = #expect(throws: InputFailure.self) { try PlanFile.read(Array(edited.utf8), file: "p.yaml") }
        let message = failure?.description ?? ""
        #expect(message.contains(expected), "\(message)")
        #expect(message.contains(/p\.yaml:\d+:\d+: error/), "\(message)")
    }

    @Test func tagsAreTheSameForApprovalsAndForHooks() throws {
        let plan = try planFile().plan
        _ = try PlanFile.read(PlanFile(plan).bytes, file: "p.yaml")
        func refused(_ edit: (inout Plan) -> Void) -> String {
            var edited = plan
            edit(&edited)
            return #expect(throws: InputFailure.self) {
                try PlanFile.read(PlanFile(edited).bytes, file: "p.yaml")
            }?.description ?? ""
        }
        let words = "the tags of w1 are others under `workers` than in the facts"
        #expect(refused { $0.fleet.workers[0].tags = ["environment": "production"] }.contains(words))
        #expect(refused { $0.fleet.workers[0].zone = "a" }.contains(words))
        let told = refused { $0.facts?.workers[0].tags = ["environment": "production"] }
        #expect(told.contains(words))
        let untold = refused { $0.facts?.workers.removeFirst() }
        #expect(untold.contains("the worker w1 is missing in the facts"))
        var agreeing = plan
        agreeing.fleet.workers[0].zone = "a"
        agreeing.fleet.workers[0].tags = ["environment": "production"]
        agreeing.facts?.workers[0].tags = ["environment": "production", "zone": "a"]
        _ = try PlanFile.read(PlanFile(agreeing).bytes, file: "p.yaml")
    }

    @Test func aPlanWithHooksHasToSayWhatTheyAreTold() throws {
        var plan = try planFile().plan
        plan.facts = nil
        let failure = #expect(throws: InputFailure.self) { try PlanFile.read(PlanFile(plan).bytes, file: "p.yaml") }
        #expect(failure?.description.contains("the plan has hooks, and no `facts` for them") == true)
    }

    @Test func damagedPlansWithHooksAreRefusedAtAPlace() throws {
        let file = try planFile()
        var random = Seeded(4)
        for _ in 0..<3_000 {
            let bytes = MutationTests.mutate(file.bytes, &random)
            do throws(InputFailure) {
                #expect(try PlanFile.read(bytes, file: "f").bytes == bytes)
            } catch {
                #expect(error.diagnostics.allSatisfy { $0.mark != nil }, "\(error)")
            }
        }
    }
}
