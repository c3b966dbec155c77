import Model
import Plans
import Testing
import YAML

@testable import Planner

/// Files that somebody damaged: never a crash, always a place.
@Suite struct MutationTests {
    private static let manifest = #"""
        {"version": "v2.1", "selectors": ["worker", "é"], "max_concurrent_starts": 2, "restart_policy": "reload",
         "restart_globs": ["*.yml", "conf/**/[a-z]?.conf", "\u00e9\\*"], "min_allocations_count": 1,
         "rollout": {"batches": [1, "25%"], "spread": "zone", "bake_seconds": 30, "max_failures": 2},
         "timeouts": {"action": 60}, "repeatable": ["reload", "command_a"],
         "resources": {"memory": {"min": "16 mb", "max": "1.5 gb"}, "cpu": {"min": 5}, "ports": {"http": 80, "x": {}}},
         "commands": {"command_b.c": {"executed_on": ["pre_deploy", "job_control"]},
           "command_a": {"executed_on": ["cli"], "demands": {"job": "b", "command": "command_b",
           "config": {"min_version": 2, "max_version": "3"}}}},
         "health_check": {"checks": [{"type": "http", "port": "http", "path": "/a", "expect_status": 200},
           {"type": "tcp", "port": 1}, {"type": "ssh", "command": "true"}],
           "timeout_seconds": 5, "wait": {"attempts": 3, "interval_seconds": 0}}}
        """#
    private static let workers = #"""
        [{"host": "w1", "address": "10.0.0.1", "port": 22, "user": "a", "labels": ["x"], "memory": "1 gb",
          "cpu": "2 ghz", "tags": {"zone": "a"}, "position": 0}, {"host": "w2"}]
        """#
    private static let disabled = #"{"jobs": {"api": {}, "web": {"allocations": ["w1"]}}, "workers": ["w2"]}"#

    /// Pieces that matter to a parser.
    private static let pieces = [
        "\"", "{", "}", "[", "]", ",", ":", "\\", "\u{0}", "\u{feff}", "\r\n", "\u{2028}", "null", "true", "1e999",
        "-0",
        "99999999999999999999", "\\ud800", "\u{1b}", "/*", "#", "''", "..", "%", "[a", "**",
    ].map { Array($0.utf8) }

    static func mutate(_ bytes: [UInt8], _ random: inout Seeded) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let at = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, at + Int.random(in: 0...8, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes.removeSubrange(at..<end)
            case 1: bytes.insert(contentsOf: bytes[at..<end], at: at)
            case 2: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: at)
            case 3: bytes.replaceSubrange(at..<end, with: pieces.randomElement(using: &random) ?? [])
            default: if at < bytes.count { bytes[at] = UInt8.random(in: 0...255, using: &random) }
            }
        }
        return bytes
    }

    private func check(_ bytes: [UInt8], _ decode: (Reader) -> Void) {
        do throws(InputFailure) {
            let root = try JSONDocument.parse(bytes, file: "f", limits: .standard)
            let reader = Reader(root: root, source: bytes, file: "f")
            decode(reader)
            try reader.check()
        } catch {
            #expect(error.diagnostics.allSatisfy { $0.mark != nil }, "\(error)")
            #expect(error.description.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && $0.value != 0x7f })
        }
    }

    @Test func damagedWorkspaceFilesHaveAPlace() throws {
        var random = Seeded(1)
        let api = try #require(JobName("api"))
        for _ in 0..<7_000 {
            check(Self.mutate(Array(Self.manifest.utf8), &random)) { reader in
                let manifest = ManifestReader(reader, job: api).manifest()
                _ = manifest.batching(active: 7)
                _ = DemandGraph([.init(name: api, manifest: manifest, reader: reader)]).resolved()
            }
            check(Self.mutate(Array(Self.workers.utf8), &random)) { _ = WorkersReader($0).workers() }
            check(Self.mutate(Array(Self.disabled.utf8), &random)) { reader in
                Disabled(reader).warnAboutUnknown(jobs: ["api"], workers: ["w1"], in: reader)
            }
        }
    }

    @Test func damagedConfigurationsHaveAPlace() {
        let text = """
            bucket_id = "b-1"
            transport = "ssh"
            worker_root = "/opt/worker"
            ssh_user = "agent"
            ssh_port = 22
            jump_host = "a@b:22"
            use_sudo = true
            [policy]
            on_failure = "stop"
            job_parallelism = 4

            """
        var random = Seeded(3)
        for _ in 0..<3_000 {
            do throws(InputFailure) {
                _ = try BucketConfiguration.read(Self.mutate(Array(text.utf8), &random), file: "f")
            } catch {
                #expect(error.diagnostics.allSatisfy { $0.mark != nil }, "\(error)")
            }
        }
    }

    @Test func damagedPlansAreRefusedAtAPlace() throws {
        let bucket = try TestWorkspace()
        try bucket.workers(3)
        try bucket.job(
            "api",
            #"""
            "health_check": {"checks": [{"type": "tcp", "port": 80}]}, "restart_policy": "reload",
            "restart_globs": ["*.conf"], "rollout": {"batches": [1, "50%"], "bake_seconds": 5, "max_failures": 1}
            """#)
        try bucket.job("web")
        try bucket.deploy()
        try bucket.job("api", version: "1.1.0", content: "b\n")
        try bucket.remove("jobs/web")
        let file = PlanFile(try bucket.plan().plan)
        var random = Seeded(2)
        for _ in 0..<6_000 {
            let bytes = Self.mutate(file.bytes, &random)
            do throws(InputFailure) {
                // What is accepted is its own canonical form.
                #expect(try PlanFile.read(bytes, file: "f").bytes == bytes)
            } catch {
                #expect(error.diagnostics.allSatisfy { $0.mark != nil }, "\(error)")
            }
        }
    }
}

/// SplitMix64: the same numbers everywhere.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
