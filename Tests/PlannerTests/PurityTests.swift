import Foundation
import Model
import Planner
import Plans
import Testing

/// Same inputs, same bytes.
@Suite struct PurityTests {
    private func bytes(_ bucket: TestWorkspace) throws -> String {
        String(decoding: PlanFile(try bucket.plan().plan).bytes, as: UTF8.self)
    }

    @Test func smallPlanIsAsItWas() throws {
        let bucket = try TestWorkspace()
        let two =
            #"{"host": "w1", "address": "10.0.0.1", "tags": {"zone": "a"}}, {"host": "w2", "port": 2222, "user": "ops"}"#
        try bucket.write("workers.json", "[\(two)]")
        bucket.configuration.transport = .ssh
        let fields =
            #""restart_policy": "reload", "restart_globs": ["*.conf"], "repeatable": ["reload", "start"], "#
            + #""timeouts": {"action": 30}, "resources": {"ports": {"http": 8080}}, "health_check": {"checks": "#
            + #"[{"type": "http", "port": "http", "path": "/h"}, {"type": "ssh", "command": "true # \u001b[1m"}]}"#
        try bucket.job("api", fields)
        try bucket.write("disabled.json", #"{"workers": ["w2"]}"#)
        try bucket.deploy()
        try bucket.remove("disabled.json")
        try bucket.job("old")
        try bucket.deploy()
        try bucket.remove("jobs/old")
        try bucket.write("workers.json", "[\(two), {\"host\": \"w3\"}]")
        try bucket.job("api", version: "2.0.0", fields, content: "b\n")
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "golden.plan.yaml")
        let actual = try bytes(bucket)
        if ProcessInfo.processInfo.environment["RECORD_GOLDEN"] != nil { try Data(actual.utf8).write(to: golden) }
        #expect(try String(contentsOf: golden, encoding: .utf8) == actual)
        #expect(
            ProcessInfo.processInfo.environment["RECORD_GOLDEN"] == nil, "recorded; run again without RECORD_GOLDEN")
    }

    @Test func orderThatMeansNothingChangesNothing() throws {
        let one = try TestWorkspace()
        let two = try TestWorkspace()
        try one.write("workers.json", #"[{"host": "w1", "labels": ["x", "y"], "memory": "1 gb"}, {"host": "w2"}]"#)
        try two.write("workers.json", #"[{"memory": "1024 mb", "labels": ["y", "x"], "host": "w1"},{"host":"w2"}]"#)
        let manifest = #"{"version": "1", "selectors": ["y", "worker"], "resources": {"ports": {"b": {}, "a": {}}}}"#
        let paths = ["Makefile", "z.conf", "a/b/c", "a/b.conf", "a-b", "ä", "conf/1", "conf/10", "conf/2"]
        for path in paths { try one.write("jobs/api/" + path, path) }
        for path in paths.reversed() { try two.write("jobs/api/" + path, path) }
        for bucket in [one, two] {
            try bucket.write("jobs/api/manifest.json", manifest)
            bucket.catalog.revision = 7
            // A stop asks what is deployed.
            let gone = Tree([])
            bucket.trees[gone.digest] = gone
            for name in ["w9", "w8", "w7"] {
                bucket.catalog.allocations[try bucket.allocation("gone", name)] = AllocationRecord(
                    promoted: Release(version: "1", content: gone.digest))
            }
        }
        #expect(try bytes(one) == bytes(two))
        #expect(try bytes(one) == bytes(one))
    }

    @Test func stateNamesGoOnAfterZ() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(30)
        try bucket.job("api")
        try bucket.deploy()
        for number in 1...29 {
            let id = try bucket.allocation("api", "w\(number)")
            bucket.catalog.allocations[id]?.promoted?.version = "0.\(number).0"
        }
        let names = try #require(try bucket.plan().plan.waves.first?.jobs.first?.from.map(\.name))
        #expect(names.count == 29 && names.first == "a" && names.suffix(4) == ["z", "aa", "ab", "ac"])
    }
}
