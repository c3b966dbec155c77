import Foundation
import Model
import Plans
import SimulatedWorkers
import StepMachinery
import Testing
import UseCases
import Windows
import YAML

@testable import Approvals
@testable import Executor

@Suite struct TagTests {
    private let production = ["environment": "production"]

    private func worker(_ name: String, _ tags: [String: String] = [:], address: String? = nil) throws -> PlanWorker {
        var worker = PlanWorker(worker: try #require(WorkerName(name)), address: address ?? name)
        worker.tags = tags
        return worker
    }

    private func required(
        _ worker: PlanWorker, _ known: KnownTags, untagged: [[String]] = [[]], renames: [Plan.Rename] = []
    ) throws -> Int {
        var plan = try PlanSample.plan(waves: [[PlanSample.job("a", upgrades: [["w1"]])]])
        plan.fleet.workers = [worker]
        plan.work.body.renames = renames
        var policy = ApprovalPolicy(
            approvalsRequired: 1, allowedSigners: "", mayOverride: [], jobs: [:],
            tags: [try #require(ApprovalPolicy.Tag("environment=production")): 3])
        policy.untaggedHosts = untagged
        return policy.required(for: plan, known).number
    }

    @Test func everySourceCounts() throws {
        let name = try #require(WorkerName("w1"))
        let plain = try worker("w1")
        let tagged = try worker("w1", production)
        #expect(try required(plain, KnownTags(workspace: [:], recorded: [plain])) == 1)
        #expect(try required(tagged, KnownTags(workspace: [:], recorded: [plain])) == 3)
        #expect(try required(plain, KnownTags(workspace: [name: production], recorded: [plain])) == 3)
        #expect(try required(plain, KnownTags(workspace: [:], recorded: [tagged])) == 3)
        // Also where the plan has another value of the tag.
        let test = try worker("w1", ["environment": "test"])
        #expect(try required(test, KnownTags(workspace: [:], recorded: [tagged])) == 3)
        #expect(try required(test, KnownTags(workspace: [:], recorded: [test])) == 1)
    }

    @Test func whoIsNotKnownHasEveryTag() throws {
        let stranger = try worker("web-1")
        #expect(try required(stranger, .none) == 3)
        #expect(try required(stranger, .none, untagged: [["db-*", "web-?"]]) == 1)
        #expect(try required(stranger, .none, untagged: [["web-*"], ["db-*"]]) == 3)
        #expect(try required(try worker("web-1", production), .none, untagged: [["web-*"]]) == 3)
        var removed = stranger
        removed.isRemoved = true
        #expect(try required(removed, .none, untagged: [["web-*"]]) == 3)
    }

    @Test func recordedTagsFollowTheMachine() throws {
        let old = try worker("db-1", production, address: "10.0.0.1")
        let known = KnownTags(workspace: [:], recorded: [old])
        let elsewhere = try worker("web-1", address: "10.0.0.2")
        #expect(try required(elsewhere, known, untagged: [["web-*"]]) == 1)
        let rename = Plan.Rename(from: old.worker, to: elsewhere.worker, generation: "g")
        #expect(try required(elsewhere, known, untagged: [["web-*"]], renames: [rename]) == 3)
        // Without being told so, by its address or a host key.
        #expect(try required(try worker("web-1", address: "10.0.0.1"), known, untagged: [["web-*"]]) == 3)
        var keyed = old
        keyed.ssh = .init(port: 22, user: "a", hostKeys: ["SHA256:k"])
        var moved = elsewhere
        moved.ssh = .init(port: 22, user: "a", hostKeys: ["SHA256:k", "SHA256:l"])
        #expect(
            try required(moved, KnownTags(workspace: [:], recorded: [keyed]), untagged: [["web-*"]]) == 3)
    }

    @Test func keysOfKnownHostsCountWhenThePlanNamesNone() throws {
        var old = try worker("prod.test", production, address: "prod.test")
        old.ssh = .init(port: 22, user: "a", hostKeys: ["SHA256:k"])
        var web = try worker("web-1", address: "10.0.0.1")
        web.ssh = .init(port: 22, user: "a", hostKeys: [])
        #expect(try required(web, KnownTags(workspace: [:], recorded: [old]), untagged: [["web-*"]]) == 1)
        let known = KnownTags(workspace: [:], recorded: [old]) { _ in ["SHA256:k"] }
        #expect(try required(web, known, untagged: [["web-*"]]) == 3)
        // Also when the catalog was told the keys by known_hosts alone.
        old.ssh?.hostKeys = []
        let both = KnownTags(workspace: [:], recorded: [old]) { _ in ["SHA256:k"] }
        #expect(try required(web, both, untagged: [["web-*"]]) == 3)
    }

    @Test func aMachineIsKnownByItsAddressOrAllItsKeys() throws {
        var web = try worker("web-1", address: "10.0.0.1")
        web.ssh = .init(port: 22, user: "a", hostKeys: ["SHA256:k"])
        let known = KnownTags(workspace: [:], recorded: [web])
        #expect(try required(web, known) == 1)
        // The name of one that is known, and another machine.
        var other = try worker("web-1", address: "10.0.0.9")
        #expect(try required(other, known) == 3)
        other.ssh = .init(port: 22, user: "a", hostKeys: [])
        #expect(try required(other, known) == 3)
        // A key of one that is known, beside the one that it has.
        other.ssh = .init(port: 22, user: "a", hostKeys: ["SHA256:k", "SHA256:x"])
        #expect(try required(other, known) == 3)
        // The same machine at another address.
        other.ssh = .init(port: 22, user: "a", hostKeys: ["SHA256:k"])
        #expect(try required(other, known) == 1)
    }
}

@Suite struct ApprovalTallyTests {
    private let policy = ApprovalPolicy(
        approvalsRequired: 2, allowedSigners: "", maximumAge: 3600, mayOverride: [], jobs: [:], tags: [:])
    private let now = Timestamp(seconds: 2_000_000_000)

    private func plan() throws -> Plan {
        var plan = try PlanSample.plan(waves: [[PlanSample.job("a", upgrades: [["w1"]])]])
        plan.policy.startBefore = now.advanced(bySeconds: 60)
        return plan
    }

    private func finding(_ file: String, _ principal: String, _ key: String, age: Int64 = 0) -> SignatureFinding {
        SignatureFinding(
            file: file, writtenAt: now.advanced(bySeconds: -age), verdict: .valid(principal: principal, key: key))
    }

    private func tally(_ findings: [SignatureFinding], _ policy: ApprovalPolicy? = nil) throws -> ApprovalTally {
        ApprovalTally(findings, policy: policy ?? self.policy, plan: try plan(), tags: .none, at: now, isStart: true)
    }

    @Test func peopleAndKeysCountOnce() throws {
        #expect(try tally([]).missing == 2)
        #expect(try tally([finding("1", "a", "k1"), finding("2", "b", "k2")]).isApproved)
        #expect(try tally([finding("1", "a", "k1"), finding("2", "b", "k1")]).missing == 1)
        #expect(try tally([finding("1", "a", "k1"), finding("2", "A", "k2")]).missing == 1)
        let invalid = SignatureFinding(file: "2", writtenAt: now, verdict: .invalid("no"))
        let found = try tally([finding("1", "a", "k1"), invalid])
        #expect(found.missing == 1 && found.rejected.map(\.reason) == ["no"])
    }

    @Test func oldApprovalsAndThoseFromTheFutureDoNotCount() throws {
        #expect(try tally([finding("1", "a", "k1", age: 3600), finding("2", "b", "k2", age: -300)]).isApproved)
        #expect(try tally([finding("1", "a", "k1", age: 3601), finding("2", "b", "k2")]).missing == 1)
        #expect(try tally([finding("1", "a", "k1", age: -301), finding("2", "b", "k2")]).missing == 1)
    }

    @Test func aPlanThatMayBeginForTooLongDoesNot() throws {
        let approvals = [finding("1", "a", "k1"), finding("2", "b", "k2")]
        var late = try plan()
        late.policy.startBefore = now.advanced(bySeconds: 3601)
        var open = late
        open.policy.startBefore = nil
        for plan in [late, open] {
            #expect(
                !ApprovalTally(approvals, policy: policy, plan: plan, tags: .none, at: now, isStart: true).isApproved)
            #expect(
                ApprovalTally(approvals, policy: policy, plan: plan, tags: .none, at: now, isStart: false).isApproved)
        }
    }

    @Test func nothingIsRequired() throws {
        var policy = policy
        policy.approvalsRequired = 0
        #expect(try tally([], policy).isApproved)
    }

    @Test func namesThatStandForMany() {
        for name in ["a*", "a?", "!a", "a,b", "\"a\"", "#a", "-a", "", "a;b", "ä"] {
            #expect(!AllowedSigners.isExact(name[...]), "\(name)")
        }
        #expect(AllowedSigners.isExact("anna.b+x@example.org"))
        let text = "# x\na k1\n*@x k2\n\tb,c k3\nd k4"
        #expect(String(decoding: AllowedSigners.exactLines(Array(text.utf8)), as: UTF8.self) == "\na k1\n\n\nd k4")
    }
}

/// With keys and signatures of `ssh-keygen`.
@Suite struct ApprovalRunTests {
    /// Not below a folder with links, as the bucket's own temporary folder may be.
    private static func folder() throws -> String {
        let path = URL(fileURLWithPath: NSTemporaryDirectory() + "approval-\(UInt64.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        return path.resolvingSymlinksInPath().path
    }

    private static func keygen(_ arguments: [String], input: String? = nil) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/ssh-keygen")
        process.arguments = arguments
        process.standardInput = try input.map { try FileHandle(forReadingFrom: URL(fileURLWithPath: $0)) }
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    }

    /// While the second of three hosts is at work the approval gets too old: the third one is not begun.
    @Test func anApprovalThatLapsesParksTheRun() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let transport = SimulatedTransport()
        let bench = try Bench(transport, isVirtual: true)
        var plan = try bench.plan(workers: 3, jobs: 1, batch: 1).plan
        plan.policy.startBefore = Timestamp.fromSystem.advanced(bySeconds: 3000)
        let file = PlanFile(plan)
        try Data(file.bytes).write(to: URL(fileURLWithPath: folder + "/plan"))
        try FileManager.default.createDirectory(atPath: folder + "/plan.sig.d", withIntermediateDirectories: false)
        try Self.keygen(["-q", "-t", "ed25519", "-N", "", "-f", folder + "/key"])
        let key = try String(contentsOfFile: folder + "/key.pub", encoding: .utf8)
        try write("anna \(key)", folder + "/signers")
        try write(
            "approvals_required = 1\nallowed_signers = \"signers\"\nmax_age = \"1h\"\n", folder + "/policy.toml")
        try Self.keygen(["-Y", "sign", "-q", "-n", "maand-plan", "-f", folder + "/key", folder + "/plan"])
        let signature = folder + "/plan.sig.d/anna.sig"
        try FileManager.default.moveItem(atPath: folder + "/plan.sig", toPath: signature)
        let check = ApprovalCheck(
            hostPath: folder + "/none", operatorPath: folder + "/policy.toml", bucketFolder: bench.folder,
            plan: folder + "/plan")
        bench.setTime(.fromSystem)
        bench.whenDone { verb, worker in
            if verb == "run", worker == "w1" { bench.advance(4_000_000) }
        }
        let first = try await bench.apply(file, approval: check)
        #expect(first == .parked)
        #expect(bench.warnings.contains { $0.contains("not approved any more: 0 of 1 approvals") })
        #expect(transport.executions.count == 2)
        let error = await #expect(throws: RolloutError.self) { try await bench.apply(file, approval: check) }
        guard case .notApproved(let problem, let mixed)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(problem.contains("anna.sig: of ") && problem.contains("older than"))
        #expect(mixed.first?.contains("on w0, w1; not yet on w2") == true)
        // Written anew it counts again.
        let now = Date(timeIntervalSince1970: Double(bench.now.seconds))
        try FileManager.default.setAttributes([.modificationDate: now], ofItemAtPath: signature)
        let second = try await bench.apply(file, approval: check)
        #expect(second == .succeeded)
        #expect(transport.executions.count == 3)
    }
}

extension Timestamp {
    fileprivate static var fromSystem: Timestamp {
        Timestamp(seconds: Int64(Date().timeIntervalSince1970))
    }
}
