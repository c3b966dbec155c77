import Model
import Plans
import Testing
import YAML

@Suite struct PlanFileTests {
    @Test func readsBackWhatItWrites() throws {
        let file = PlanFile(try Samples.plan())
        let again = try PlanFile.read(file.bytes, file: "plan.yaml")
        #expect(again.plan == file.plan)
        #expect(again.bytes == file.bytes)
        #expect(again.id == file.id)
    }

    @Test(arguments: [
        ("kind: deploy\n", "kind: deploy \n", 2),
        ("kind: deploy\n", "kind: deploy # approved\n", 2),
        ("kind: deploy\n", "kind: \"deploy\"\n", 2),
        ("force: false", "force: no", 7),
        ("phase: upgrade", "phase: start", 16),
        ("plan_format: 1", "plan_format: 2", 1),
        ("restart: 1", "restart: 2", 10),
        ("attempts: 3", "attempts: 0", 49),
        ("gate: after_each_batch", "gate: sometimes", 45),
        ("window: null", "windw: null", 9),
    ])
    func refusesAnEditedPlan(_ old: String, _ new: String, _ line: Int) throws {
        let text = String(decoding: PlanFile(try Samples.plan()).bytes, as: UTF8.self)
        let edited = text.replacing(old, with: new, maxReplacements: 1)
        #expect(edited != text)
        let failure = #expect(throws: InputFailure.self) { try PlanFile.read(Array(edited.utf8), file: "plan.yaml") }
        #expect(failure?.description.contains("plan.yaml:\(line):") == true, "\(String(describing: failure))")
    }
}

/// Another file of the user who applies.
@Suite struct ForeignFileTests {
    @Test(arguments: [
        "SECRET", "SECRET: a", "- SECRET", "\u{feff}plan_format: 1\nSECRET: 1\n", "plan_format: SECRET\n",
    ])
    func isNotShown(_ text: String) {
        let isPlan = text.hasPrefix("plan_format")
        let plan = #expect(throws: InputFailure.self) { try PlanFile.read(Array(text.utf8), file: "f") }
        #expect(plan?.description.contains("SECRET") == isPlan)
        let export = #expect(throws: InputFailure.self) { try CatalogExport.read(Array(text.utf8), file: "f") }
        #expect(export?.description.contains("SECRET") == false)
    }
}

/// Values that several tests start from.
enum Samples {
    static func plan() throws -> Plan {
        let api = try #require(JobName("api"))
        let first = try #require(WorkerName("10.0.0.1"))
        let second = try #require(WorkerName("10.0.0.2"))
        let old = Digest.of("old".utf8)
        let new = Digest.of("new".utf8)
        let job = Plan.Job(
            job: api, version: "2.1.0", active: [first, second],
            from: [
                .init("a", FromState(version: "2.0.0", content: old)),
                .init("new", FromState(version: "0.0.0", content: nil)),
            ],
            content: [.init(tree: new, workers: [first, second])],
            changes: [
                .init("a", [FileChange(path: "conf/a.yml", kind: .modified, from: old, to: new)]),
                .init("new", [FileChange(path: "a b\"c.yml", kind: .added, from: nil, to: new)]),
            ],
            rolloutOrder: .workers, batching: .init(starts: 0, upgrades: 1), repeatable: [.reload], timeouts: .init(),
            gateFirst: nil,
            phases: [
                .init(
                    kind: .start,
                    batches: [[.init(worker: second, action: .start, reason: .firstDeploy, from: "new")]],
                    gate: .afterPhase),
                .init(
                    kind: .upgrade,
                    batches: [
                        [
                            .init(
                                worker: first, action: .restart, reason: .globMatched, from: "a",
                                matched: [.init("conf/*.yml", ["conf/a.yml"])])
                        ]
                    ], gate: .afterEachBatch),
            ],
            ports: [.init("http_port", 8080)],
            healthCheck: HealthCheck(
                timeoutSeconds: 2, attempts: 3, intervalSeconds: 1,
                checks: [.tcp(port: 80), .http(port: 8080, path: "/healthz", expectStatus: 200)]))
        let waves = [Plan.Wave(deploymentSequence: 0, jobs: [job])]
        return Plan(
            fleet: Fleet(
                bucket: "b-1", transport: .local, workerRoot: "/opt/worker",
                workers: [
                    .init(worker: first, address: "10.0.0.1", zone: "a"), .init(worker: second, address: "10.0.0.2"),
                ]),
            base: .init(catalogRevision: 3), policy: .init(), work: .deploy(Deploy(waves: waves)))
    }
}
