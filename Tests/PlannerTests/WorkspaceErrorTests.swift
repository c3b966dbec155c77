import Foundation
import Model
import Planner
import Plans
import Testing
import YAML

/// Every error has its place, and one run shows all of them.
@Suite struct WorkspaceErrorTests {
    /// What an author of a workspace may not read is not shown to them either.
    @Test(arguments: [
        "workers.json", "disabled.json", "bucket.conf", "bucket.jobs.conf", "jobs/api/manifest.json",
        "jobs/api/vars.toml",
    ])
    func readsNothingThroughALink(_ path: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.write("elsewhere/key", "SECRET\u{1}SECRET\n")
        for target in ["key", "none"] {
            try? bucket.remove(path)
            try FileManager.default.createSymbolicLink(
                atPath: "\(bucket.folder)/\(path)", withDestinationPath: "\(bucket.folder)/elsewhere/\(target)")
            let errors = bucket.errors()
            #expect(errors.contains("WS/\(path): error: is a symbolic link; nothing is read through one"), "\(errors)")
            #expect(!errors.contains("SECRET"))
        }
    }

    @Test func readsNothingBelowALinkedFolder() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try FileManager.default.moveItem(atPath: bucket.folder + "/jobs", toPath: bucket.folder + "/elsewhere")
        try FileManager.default.createSymbolicLink(atPath: bucket.folder + "/jobs", withDestinationPath: "elsewhere")
        #expect(bucket.errors().contains("WS/jobs: error: is a symbolic link"))
    }

    @Test(arguments: [
        (#"{"version": "1.0.0", "selectors": "worker"}"#, "1:35: error: expected a list"),
        (#"{"versoin": "1"}"#, "1:2: error: unknown field \"versoin\""),
        (#"{"versoin": "1"}"#, "did you mean `version`?"),
        (#"{"version": "1.2.3.4"}"#, "1:13: error: job api: \"1.2.3.4\" is not a version"),
        (#"{"version": "-"}"#, "is not a version"), (#"{"version": 1}"#, "1:13: error: expected a text"),
        (#"{"version": "1.0\n.0"}"#, "is not a version"),
        (#"{"restart_policy": "sometimes"}"#, "restart_policy has to be one of always, reload, never"),
        (#"{"restart_policy": "reloda"}"#, "did you mean \"reload\"?"),
        (#"{"restart_policy": "reload", "restart_globs": ["[a"]}"#, "restart_globs: the glob \"[a\" has a `[` without"),
        (#"{"restart_globs": ["a"]}"#, "restart_globs needs"),
        (#"{"max_concurrent_starts": -1}"#, "1:27: error: expected a whole number from 0"),
        (#"{"max_concurrent_upgrades": 1, "update_parallel_count": 2}"#, "are the same setting"),
        (#"{"min_allocations_count": 2}"#, "job api needs 2 allocations, and has 0"),
        (
            #"{"resources": {"memory": {"min": "2 gb", "max": "1 gb"}}}"#,
            "has a min of 2048 mb above its max of 1024 mb"
        ),
        (#"{"resources": {"memory": {"min": "2 kb"}}}"#, "memory is a number with one of the units mb, gb, tb"),
        (#"{"resources": {"ports": {"HTTP": 80}}}"#, "lower-case letters"),
        (#"{"resources": {"ports": {"http": 0}}}"#, "from 1 to 65535"),
        (#"{"resources": {"ports": {"http": {"a": 1}}}}"#, "{} to have one assigned"),
        (#"{"selectors": ["worker"], "resources": {"cpu": {"min": "2 ghz"}}}"#, "worker w1 has 1000 mhz of cpu"),
        (#"{"commands": {"migrate": {"executed_on": ["cli"]}}}"#, "has to be called command_<name>"),
        (#"{"commands": {"command_a": {"executed_on": ["cli"]}}}"#, "command_a has no script"),
        (#"{"commands": {"command_a": {"executed_on": ["clli"]}}}"#, "did you mean \"cli\"?"),
        (#"{"commands": {"command_a": {"executed_on": []}}}"#, "names no event"),
        (#"{"commands": {"command_a": {}}}"#, "the field `executed_on` is missing"),
        (#"{"commands": {"command_a": {"executed_on": ["pre_deploy"]}}}"#, "command_a has no script"),
        (#"{"commands": {"command_a": {"executed_on": ["pre_deplyo"]}}}"#, "unknown event \"pre_deplyo\""),
        (#"{"commands": {"command_a": {"executed_on": ["pre_deplyo"]}}}"#, "did you mean \"pre_deploy\"?"),
        (
            #"{"commands": {"command_a": {"executed_on": ["cli", "cli"]}}}"#,
            "1:52: error: job api: command_a names the event cli twice"
        ),
        (#"{"repeatable": ["command_a"]}"#, "1:17: error: job api: repeatable names targets (start, restart, reload"),
        (
            #"{"repeatable": ["command_ab"], "commands": {"command_a": {"executed_on": ["cli"]}}}"#,
            "did you mean \"command_a\"?"
        ),
        (
            #"{"commands": {"command_a": {"executed_on": ["cli"], "demands": {"job": "b"}}}}"#,
            "1:72: error: job api: command_a: demands.job and demands.command have to be set both or not at all"
        ),
        (
            #"{"commands": {"command_a": {"executed_on": ["cli"], "demands": {"job": "api", "command": "command_a"}}}}"#,
            "1:72: error: job api: command_a demands a command of its own job"
        ),
        (
            #"{"commands": {"command_a": {"executed_on": ["cli"], "demands": {"job": "b", "command": "command_b"}}}}"#,
            "1:72: error: job api: command_a demands the unknown job \"b\""
        ),
        (
            #"{"commands": {"command_a": {"executed_on": ["cli"], "demands": {"job": "b", "command": "c", "config": {"min_version": 3, "max_version": 2}}}}}"#,
            "1:119: error: job api: command_a: min_version 3.0.0 is above max_version 2.0.0"
        ),
        (#"{"health_check": {"checks": [{"type": "tcp", "port": "http"}]}}"#, "has no port \"http\""),
        (#"{"health_check": {"checks": [{"type": "udp", "port": 1}]}}"#, "tcp, http or ssh"),
        (#"{"health_check": {"checks": [{"type": "http", "port": 1, "path": "x"}]}}"#, "a path begins with `/`"),
        (#"{"health_check": {"checks": [{"type": "http", "port": 1, "scheme": "https"}]}}"#, "speaks `http`"),
        (#"{"health_check": {"checks": [{"type": "ssh", "command": ""}]}}"#, "may not be empty"),
        (#"{"timeouts": {"action": 0}}"#, "from 1 to 86400"),
        (#"{"repeatable": ["sync"]}"#, "repeatable names targets"),
        (#"{"rollout": {"batches": []}}"#, "rollout.batches has no size"),
        (#"{"rollout": {"batches": ["0%"]}}"#, "a share of them such as"),
        (#"{"rollout": {"batches": [0]}}"#, "from 1 to 1000000"),
        (#"{"rollout": {"batches": [1]}, "max_concurrent_upgrades": 2}"#, "both give a size"),
        (#"{"selectors": ["worker"], "rollout": {"spread": "zome"}}"#, "no worker of the job has the tag \"zome\""),
        (#"{"rollout": {"new_hosts": "latter"}}"#, "one of first, with, last, and is \"latter\""),
        (#"{"rollout": {"bake_seconds": -1}}"#, "0 to 86400"),
        (#"{"rollout": {"max_failures": "25%"}}"#, "expected a whole number"),
        (#"{"certs": {"ca": {}}}"#, "1:12: error: job api: the name of a certificate"),
        (#"{"certs": {"tls": {"names": ["a b"]}}}"#, "1:30: error: job api: \"a b\" is neither"), ("", "error:"),
        ("[]", "expected a mapping"),
    ])
    func manifest(_ text: String, _ expected: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.write("jobs/api/manifest.json", text)
        let errors = bucket.errors()
        #expect(errors.contains("WS/jobs/api/manifest.json:1:") || errors.contains("WS/workers.json:1:"), "\(errors)")
        #expect(errors.contains(expected), "\(errors)")
    }

    @Test(arguments: [
        (#"[{"host": "a"}, {"host": "a"}]"#, "1:26: error: the host a is there twice"),
        (#"[{"host": "a b"}]"#, "1:11: error: \"a b\" cannot be the name of a host"),
        (#"[{"hots": "a"}]"#, "did you mean `host`?"), (#"[{"host": "a", "address": "x y"}]"#, "is not an address"),
        (#"[{"host": "a", "port": 0}]"#, "from 1 to 65535"), (#"[{"host": "a", "labels": ["x", "x"]}]"#, "there twice"),
        (#"[{"host": "a", "memory": "much"}]"#, "memory is a number"), (#"{"host": "a"}"#, "expected a list"),
        (#"[{"host": "a", "tags": {"zone": 1}}]"#, "expected a text"), ("[\n{\"host\": }]", "2:10: error"),
    ])
    func workers(_ text: String, _ expected: String) throws {
        let bucket = try TestWorkspace()
        try bucket.write("workers.json", text)
        let errors = bucket.errors()
        #expect(errors.contains("WS/workers.json:"))
        #expect(errors.contains(expected), "\(errors)")
    }

    @Test(arguments: [
        (#"{"jobs": []}"#, "disabled.json:1:10: error"),
        (#"{"jobs": {"api": {"workers": []}}}"#, "unknown field \"workers\""),
        (#"{"workers": ["w1", "w1"]}"#, "is there twice"),
    ])
    func disabled(_ text: String, _ expected: String) throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api")
        try bucket.write("disabled.json", text)
        #expect(bucket.errors().contains(expected), "\(bucket.errors())")
    }

    @Test func disabledNamesThatNothingHasAreWarnings() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api")
        try bucket.write(
            "disabled.json", #"{"jobs": {"aip": {}, "api": {"allocations": ["w9"]}}, "workers": ["w11"]}"#)
        let result = try bucket.plan()
        #expect(result.plan.actions == ["api": ["w1": "start", "w2": "start"]])
        #expect(
            result.warnings.map(\.message) == [
                "there is no job \"aip\", so this disables nothing",
                "there is no worker \"w9\", so this disables nothing",
                "there is no worker \"w11\", so this disables nothing",
            ])
        #expect(result.warnings.first?.note == "did you mean \"api\"?")
    }

    @Test func demandsThatCannotHoldNameJobCommandAndVersions() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.demandChain(["db", "api"])
        try bucket.job(
            "api",
            #""commands": {"command_api": {"executed_on": ["cli"], "demands": {"job": "db", "command": "command_db", "#
                + #""config": {"min_version": 2, "other": []}}}}"#)
        let below = bucket.errors()
        #expect(below.contains("job api: command_api demands job db, whose version 1.0.0 is below min_version 2.0.0"))
        // At the version that is wrong, and not at the braces around it.
        #expect(below.contains("api/manifest.json:1:176: error:"), "\(below)")
        try bucket.demandChain(["db", "api", "web"])
        try bucket.job(
            "db",
            #""commands": {"command_db": {"executed_on": ["cli"], "demands": {"job": "web", "command": "command_web"}}}"#
        )
        try bucket.job(
            "edge",
            #""commands": {"command_e": {"executed_on": ["cli"], "demands": {"job": "web", "command": "command_web"}}}"#
        )
        try bucket.write("jobs/edge/_modules/command_e.py", "print()\n")
        let circle = bucket.errors()
        #expect(circle.contains("closes a circle of demands: api -> db -> web -> api"), "\(circle)")
        #expect(circle.components(separatedBy: "circle of demands").count == 2, "\(circle)")
    }

    @Test func reservationsComeFromTheEnvironmentsFile() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""resources": {"memory": {"min": "128 mb", "max": "512 mb"}}"#)
        try bucket.write("bucket.jobs.conf", "[api]\nmemory = \"256 mb\"\nother = 1\n")
        #expect(bucket.errors() == "")
        try bucket.write("bucket.jobs.prod.conf", "[apo]\ncpu = 1\n[api]\nmemory = \"1 gb\"\n")
        bucket.configuration.jobConfigSelector = "prod"
        #expect(
            bucket.errors().contains(
                "WS/bucket.jobs.prod.conf:4:1: error: [api]: `memory` is 1024 mb, and the job's manifest allows "
                    + "128 mb to 512 mb"))
        bucket.configuration.jobConfigSelector = "staging"
        #expect(bucket.errors().contains("WS/bucket.jobs.staging.conf: error: the file is missing"))
        bucket.configuration.jobConfigSelector = ""
        try bucket.write("bucket.jobs.conf", "[api\n")
        #expect(bucket.errors().contains("WS/bucket.jobs.conf:1:"))
    }

    @Test func oneMachineIsOneWorkerOverSSH() throws {
        let bucket = try TestWorkspace()
        try bucket.write(
            "workers.json",
            #"[{"host": "w1", "address": "h"}, {"host": "w2", "address": "H", "port": 22},"#
                + #" {"host": "w3", "address": "h", "port": 23}]"#)
        #expect(bucket.errors() == "")
        bucket.configuration.transport = .ssh
        let errors = bucket.errors()
        #expect(
            errors.contains(
                "WS/workers.json:1:43: error: the workers w1 and w2 are one machine: both are reached at H port 22"),
            "\(errors)")
        #expect(errors.components(separatedBy: "error:").count == 2, "\(errors)")
    }

    @Test func positionsInFilesWithLineEndsOfWindows() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(1)
        try bucket.job("api", #""resources": {"memory": {"min": "128 mb", "max": "512 mb"}}"#)
        try bucket.write("bucket.jobs.conf", "[api]\r\nother = 1\r\nmemory = \"1 gb\"\r\n")
        #expect(bucket.errors().contains("WS/bucket.jobs.conf:3:1: error"), "\(bucket.errors())")
    }

    @Test func disabledAllocationsReserveNothing() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(2)
        try bucket.job("api", #""resources": {"memory": {"min": "2 gb"}}"#)
        #expect(bucket.errors().contains("worker w1 has 1024 mb of memory, and its jobs reserve 2048 mb"))
        try bucket.write("disabled.json", #"{"workers": ["w1", "w2"]}"#)
        #expect(bucket.errors() == "")
    }

    @Test func oneRunShowsTheErrorsOfAllFiles() throws {
        let bucket = try TestWorkspace()
        try bucket.write("workers.json", #"[{"host": "a b", "memry": 1}]"#)
        try bucket.write("disabled.json", "{")
        try bucket.write("bucket.conf", "port_min = 9\nport_max = 8\n")
        try bucket.write("jobs/api/manifest.json", #"{"versoin": "1", "selector": []}"#)
        try bucket.write("jobs/a b/x", "")
        let errors = bucket.errors()
        for expected in [
            "cannot be the name of a host", "unknown field \"memry\"", "WS/disabled.json:1:", "WS/bucket.conf:1:1",
            "unknown field \"versoin\"", "unknown field \"selector\"", "job api has no Makefile",
            "WS/jobs/a b: error: this cannot be the name of a job",
        ] {
            #expect(errors.contains(expected), "\(expected)\n\(errors)")
        }
    }

    @Test func errorsAreBounded() throws {
        let bucket = try TestWorkspace()
        try bucket.write("workers.json", "[" + (0..<500).map { _ in #"{"hots": 1}"# }.joined(separator: ",") + "]")
        let errors = bucket.errors()
        #expect(errors.contains("more errors"))
        #expect(errors.count < 40_000)
    }
}
