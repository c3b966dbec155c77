import Foundation
import JobFiles
import Model
import Plans
import Testing
import YAML

@testable import Planner

/// What a workspace of Maand may have, of either of its generations.
@Suite struct MaandWorkspaceTests {
    private func promote(_ bucket: TestWorkspace, _ job: String, _ worker: String, _ tree: Tree) throws {
        bucket.trees[tree.digest] = tree
        bucket.catalog.allocations[try bucket.allocation(job, worker)] = AllocationRecord(
            promoted: Release(version: "1.0.0", content: tree.digest))
    }

    // MARK: Trees

    @Test func hooksOfBothGenerationsStayOnTheController() throws {
        for (field, command, folder) in [("commands", "command_a", "_modules"), ("hooks", "hook_a", "_hooks")] {
            let bucket = try TestWorkspace()
            try bucket.workers(1)
            try bucket.job("api", #""\#(field)": {"\#(command)": {"executed_on": ["pre_deploy"]}}"#)
            try bucket.write("jobs/api/\(folder)/\(command).sh", "true\n")
            let plan = try bucket.deploy()
            let job = try #require(plan.waves.first?.jobs.first)
            #expect(job.hooks?[.preDeploy].map(\.path) == ["\(folder)/\(command).sh"])
            let content = try #require(job.content.first)
            let tree = try #require(bucket.trees[content.tree])
            #expect(tree.entries.contains { $0.path == "\(folder)/\(command).sh" })
            #expect(tree.pushed.map(\.path) == ["Makefile", "app.conf", "manifest.json"])
            try bucket.write("jobs/api/\(folder)/\(command).sh", "false\n")
            #expect(try bucket.plan().plan.actions == ["api": ["w1": "restart"]], "a changed hook is a change")
        }
    }

    @Test(arguments: ["HOOK_API_HOST", "JOB_COMMAND_API_HOST"])
    func aScriptThatLooksForAPortIsNamed(_ variable: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""commands": {"command_a": {"executed_on": ["cli"]}}"#)
        try bucket.write("jobs/api/_modules/command_a.py", "import client\n")
        try bucket.write("jobs/api/_modules/client.py", "host = os.environ['\(variable)']\n")
        try bucket.write("jobs/api/app.conf", variable)
        let warnings = try Workspace.read(bucket.folder, bucket.configuration).warnings.map { "\($0)" }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("jobs/api/_modules/client.py") == true)
        #expect(warnings.first?.contains("hooks get \(variable) only if maand.conf opens a port") == true)
        bucket.configuration.hookAPIPort = 0
        #expect(try Workspace.read(bucket.folder, bucket.configuration).warnings.isEmpty)
    }

    @Test func aJobHasHooksOfOneGeneration() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job(
            "api",
            #""commands": {"command_a": {"executed_on": ["cli"]}}, "hooks": {"hook_b": {"executed_on": ["cli"]}}"#)
        try bucket.write("jobs/api/_modules/command_a.sh", "true\n")
        try bucket.write("jobs/api/_hooks/hook_b.sh", "true\n")
        let errors = bucket.errors()
        #expect(errors.contains("`commands` and `hooks` are the same setting"))
        #expect(errors.contains("rename each command_<name> to hook_<name>"))
    }

    @Test func aDemandMayNameAHook() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("db", #""hooks": {"hook_a": {"executed_on": ["cli"]}}"#)
        try bucket.write("jobs/db/_hooks/hook_a.sh", "true\n")
        try bucket.job(
            "api",
            #""hooks": {"hook_b": {"executed_on": ["cli"], "demands": {"job": "db", "hook": "hook_a", "config": null}}}"#
        )
        try bucket.write("jobs/api/_hooks/hook_b.sh", "true\n")
        #expect(try bucket.plan().plan.levels == ["db": 0, "api": 1])
    }

    @Test func emptyFoldersAndWhatPrometheusReadsAreNoChange() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.write("jobs/api/_prometheus/alerts/a.yaml", "groups: []\n")
        try bucket.write("jobs/api/_prometheus/scrape.yaml.tpl", "{{ broken")
        try bucket.write("jobs/api/.venv/pyvenv.cfg", "home = /\n")
        try FileManager.default.createDirectory(
            atPath: bucket.folder + "/jobs/api/conf.d", withIntermediateDirectories: true)
        #expect(try bucket.plan().plan.isEmpty)
    }

    /// A new release changes nothing by itself.
    @Test func whatAnEarlierReleaseHasPushedIsNoChange() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""commands": {"command_a": {"executed_on": ["cli"]}}"#)
        try bucket.write("jobs/api/_modules/command_a.sh", "true\n")
        try bucket.write("jobs/api/_prometheus/scrape.yaml", "[]\n")
        let workspace = try Workspace.read(bucket.folder, bucket.configuration)
        let whole = try #require(workspace.jobs.first).content.tree(by: .first)
        #expect(whole.pushed.contains { $0.path == "_modules/command_a.sh" })
        #expect(whole.pushed.contains { $0.path == "_prometheus/scrape.yaml" })
        try promote(bucket, "api", "w1", whole)
        #expect(try bucket.plan().plan.isEmpty)
        try bucket.write("jobs/api/app.conf", "b\n")
        let plan = try bucket.plan().plan
        #expect(plan.actions == ["api": ["w1": "restart"]])
        let changes = plan.waves[0].jobs[0].changes.flatMap(\.value)
        #expect(changes.map(\.path) == ["_prometheus/scrape.yaml", "app.conf"])
    }

    @Test func aMakefileMayBeATemplate() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.remove("jobs/api/Makefile")
        try bucket.write("jobs/api/Makefile.tpl", "start:\n\t@echo {{ .Job }}\n")
        #expect(try bucket.plan().plan.actions == ["api": ["w1": "start"]])
    }

    @Test func filesOfAdoptedJobsStayExecutable() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        let job = try #require(JobName("api"))
        bucket.catalog.jobs[job] = JobRecord()
        bucket.catalog.jobs[job]?.keepsMaandModes = true
        let tree = try #require(bucket.plan().trees.first)
        #expect(tree.entries.map(\.mode) == [0o755, 0o755, 0o755])
        try bucket.job("api", #""file_modes": {"app.conf": "0640"}"#)
        let chosen = try #require(bucket.plan().trees.first)
        #expect(chosen.entries.map(\.mode) == [0o755, 0o640, 0o755])
    }

    // MARK: Spelling

    @Test func labelsSelectorsAndTagsAreFolded() throws {
        let bucket = try TestWorkspace()
        try bucket.write(
            "workers.json",
            #"[{"host": " w1 ", "labels": ["Edge ", "worker"], "tags": {"Zone": "East-1"}}, {"host": "w2", "labels": null}]"#
        )
        try bucket.job("api", #""rollout": {"spread": "ZONE"}"#)
        try bucket.write(
            "jobs/api/manifest.json", #"{"version": "1.0.0", "selectors": ["EDGE"], "rollout": {"spread": "ZONE"}}"#)
        try bucket.write(
            "jobs/api/x.conf.tpl",
            #"{{ .Labels }} {{ get "maand/worker/w1/tags" "zone" }} {{ get "maand/job/api" "selectors" }}"#)
        let result = try bucket.plan()
        #expect(result.plan.actions == ["api": ["w1": "start"]])
        #expect(rendered(result, "[edge worker] east-1 edge"))
        #expect(result.plan.fleet.workers.first?.zone == "east-1")
    }

    private func rendered(_ result: PlanningResult, _ text: String) -> Bool {
        result.capture.contains { if case .bytes(let bytes) = $0.source { bytes == Array(text.utf8) } else { false } }
    }

    @Test func versionsAreAsTheManifestHasThem() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", version: " v2 ")
        try bucket.write("jobs/api/x.conf.tpl", #"{{ get "maand/job/api" "version" }} {{ .NewVersion }}"#)
        let result = try bucket.plan()
        #expect(result.plan.waves[0].jobs[0].version == "v2")
        #expect(rendered(result, "v2 v2"))
    }

    /// Up to 0.3.0 versions had three numbers there, and labels were as they are spelled.
    @Test func whatAnEarlierReleaseHasRenderedIsNoChange() throws {
        let bucket = try TestWorkspace()
        try bucket.write("workers.json", #"[{"host": "w1", "labels": ["Edge"]}]"#)
        try bucket.job("api", version: "v2")
        let template = #"{{ get "maand/job/api" "version" }} {{ .Labels }}"#
        try bucket.write("jobs/api/x.conf.tpl", template)
        let workspace = try Workspace.read(bucket.folder, bucket.configuration)
        let bytes = Array("2.0.0 [Edge worker]".utf8)
        let entry = TreeEntry(path: "x.conf", kind: .file, digest: Digest.of(bytes), size: bytes.count)
        let tree = Tree(try #require(workspace.jobs.first).content.tree(by: .first).entries + [entry])
        bucket.trees[tree.digest] = tree
        bucket.catalog.allocations[try bucket.allocation("api", "w1")] = AllocationRecord(
            promoted: Release(version: "v2", content: tree.digest))
        #expect(try bucket.plan().plan.isEmpty)
        try bucket.write("jobs/api/app.conf", "b\n")
        let result = try bucket.plan()
        #expect(result.plan.actions == ["api": ["w1": "restart"]])
        #expect(rendered(result, "v2 [edge worker]"))
    }

    // MARK: Fields

    @Test func fieldsAreReadAsGoReadsThem() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.write(
            "jobs/api/manifest.json",
            #"{"Version": "1.0.0", "SELECTORS": ["worker"], "restart_globs": null, "resources": null, "owner": "me", "#
                + #""health_check": {"checks": [{"type": "TCP", "port": 80}], "wait": null}}"#)
        let result = try bucket.plan()
        #expect(result.plan.actions == ["api": ["w1": "start"]])
        #expect(result.warnings.map(\.message) == ["unknown field \"owner\": it means nothing here"])
    }

    @Test func aFieldThatIsNearlyKnownIsAnError() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""restart_polcy": "never""#)
        #expect(bucket.errors().contains("unknown field \"restart_polcy\""))
        #expect(bucket.errors().contains("did you mean `restart_policy`?"))
    }

    @Test(arguments: ["null", "{}", #"{"allocations": []}"#, #"{"allocations": null}"#])
    func aWholeJobIsDisabled(_ entry: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api")
        try bucket.deploy()
        try bucket.write("disabled.json", #"{"jobs": {"api": \#(entry)}}"#)
        #expect(try bucket.plan().plan.actions == ["api": ["w1": "stop", "w2": "stop"]])
    }

    @Test func aHealthCheckWithoutChecksIsNoGate() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""health_check": {"wait": {"attempts": 3}}"#)
        let result = try bucket.plan()
        #expect(result.plan.waves[0].jobs[0].healthCheck == nil)
        #expect(result.warnings.map(\.message) == ["job api: health_check has no checks, so the job has no gate"])
    }

    @Test func zeroIsTheDefaultOfAHealthCheck() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job(
            "api",
            #""health_check": {"checks": [{"type": "ssh", "command": "true"}], "timeout_seconds": 0, "wait": {"attempts": 0}}"#
        )
        let check = try #require(bucket.plan().plan.waves[0].jobs[0].healthCheck)
        #expect(check.timeoutSeconds == 5 && check.attempts == 30 && check.intervalSeconds == 1)
    }

    @Test(arguments: [
        ("port_range = \"31000, 31009\"\n", 31000), ("port_min = \" 31001 \"\nport_max = \"\"\n", 31001),
        ("port_min = \"\"\n", 30000),
    ])
    func portsAreOfTheBucketsRange(_ conf: String, _ first: Int) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.write("bucket.conf", conf)
        try bucket.job("api", #""resources": {"ports": {"api_http": { }}}"#)
        #expect(try bucket.plan().plan.waves[0].jobs[0].ports.map(\.value) == [first])
    }

    @Test func portsThatWouldHideEachOther() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""resources": {"ports": {"http": {}}}"#)
        try bucket.job("web", #""resources": {"ports": {"http": {}}}"#)
        #expect(try bucket.plan().warnings.map(\.message).contains { $0.contains("job api has a port http, too") })
        try bucket.job("web", #""resources": {"ports": {"activejobs": {}}}"#)
        #expect(bucket.errors().contains("a port cannot be called activejobs"))
    }

    @Test func settingsOfAJobMayLieWithIt() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.write("jobs/api/vars.conf", "color = \" blue \"\nsize = \"1\"\n")
        try bucket.write("bucket.jobs.conf", "[api]\nsize = \"2\"\n")
        try bucket.write(
            "jobs/api/x.conf.tpl", #"{{ get "vars/bucket/job/api" "color" }} {{ get "vars/bucket/job/api" "size" }}"#)
        #expect(rendered(try bucket.plan(), "blue 2"))
    }

    @Test func aFolderThatIsNoJobIsLeft() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.write("jobs/lib/common.py", "")
        let result = try bucket.plan()
        #expect(result.plan.actions == ["api": ["w1": "start"]])
        #expect(
            result.warnings.map(\.message) == [
                "this folder has neither a manifest.json nor a Makefile, so it is no job"
            ])
        try bucket.write("jobs/lib/Makefile", "start:\n")
        #expect(bucket.errors().contains("manifest.json: error: the file is missing"))
    }

    @Test func positionIsTheOrderOfWorkers() throws {
        let bucket = try TestWorkspace()
        try bucket.write(
            "workers.json",
            #"[{"host": "w1", "position": 2}, {"host": "w2", "position": 0}, {"host": "w3", "position": null}]"#)
        try bucket.job("api")
        #expect(try bucket.plan().plan.waves[0].jobs[0].active.map(\.text) == ["w2", "w1", "w3"])
    }

    // MARK: Addresses

    @Test func aHostnameIsOnlyAName() throws {
        let bucket = try TestWorkspace()
        bucket.configuration.transport = .ssh
        try bucket.write(
            "workers.json",
            #"[{"host": "w1", "hostname": "node a", "address": "10.0.0.1"}, {"host": "w2", "hostname": "n"}]"#)
        try bucket.job("api")
        #expect(try bucket.plan().plan.fleet.workers.map(\.address) == ["10.0.0.1", "w2"])
    }

    @Test func whereAHostnameWasTheAddressItHasToBeWritten() throws {
        let bucket = try TestWorkspace()
        try bucket.write("workers.json", "[{\"host\": \"w1\",\n\"hostname\": \"10.0.0.1\"}]")
        let worker = try #require(WorkerName("w1"))
        bucket.catalog.workers[worker] = PlanWorker(worker: worker, address: "10.0.0.1")
        let workspace = try Workspace.read(bucket.folder, bucket.configuration)
        let error = #expect(throws: (any Error).self) { try workspace.checkAddresses(bucket.catalog) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("workers.json:2:13"))
        #expect(text.contains(#"write `"address": "10.0.0.1"` beside it"#))
        try workspace.checkAddresses(.empty)
    }
}
