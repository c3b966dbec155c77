import Model
import Plans
import Testing
import YAML

/// Files of plans that run a target on what is deployed.
@Suite struct OperationFileTests {
    private static func plan(
        _ verb: Operation.Verb = .restart, options: (inout Operation.Options) -> Void = { _ in },
        edit: (inout Plan.Job) -> Void = { _ in }
    ) throws -> Plan {
        var plan = try Samples.plan()
        let api = try #require(JobName("api"))
        let first = try #require(WorkerName("10.0.0.1"))
        let second = try #require(WorkerName("10.0.0.2"))
        let isGated = verb != .stop
        var job = Plan.Job(
            job: api, version: "", active: [first, second],
            from: [.init("a", FromState(version: "2.0.0", content: Digest.of("old".utf8)))], content: [], changes: [],
            rolloutOrder: .workers, batching: .init(starts: 0, upgrades: 1), repeatable: [], timeouts: .init(),
            gateFirst: nil,
            phases: [
                .init(
                    kind: .operation,
                    batches: [first, second].map {
                        [.init(worker: $0, action: verb.action, reason: .requested, from: "a")]
                    }, gate: isGated ? .afterEachBatch : .none)
            ],
            healthCheck: isGated
                ? HealthCheck(timeoutSeconds: 2, attempts: 3, intervalSeconds: 1, checks: [.tcp(port: 80)]) : nil)
        edit(&job)
        var chosen = Operation.Options(jobs: [api])
        options(&chosen)
        plan.work = .operation(
            Operation(verb, options: chosen, waves: [.init(deploymentSequence: 0, jobs: [.operated(job)])]))
        return plan
    }

    private static let verbs: [Operation.Verb] = [.restart, .start, .stop, .target("backup")]

    private func text(_ plan: Plan) -> String { String(decoding: PlanFile(plan).bytes, as: UTF8.self) }

    private func refusal(_ text: String) -> String {
        let failure = #expect(throws: InputFailure.self) { try PlanFile.read(Array(text.utf8), file: "plan.yaml") }
        return failure?.description ?? ""
    }

    @Test(arguments: verbs) func readsBackWhatItWrites(_ verb: Operation.Verb) throws {
        let file = PlanFile(try Self.plan(verb))
        let again = try PlanFile.read(file.bytes, file: "plan.yaml")
        #expect(again.plan == file.plan)
        #expect(again.bytes == file.bytes)
        #expect(again.plan.kind == verb.kind)
        #expect(again.plan.work.request == file.plan.work.request)
    }

    @Test func readsBackEveryOption() throws {
        let third = try #require(WorkerName("10.0.0.3"))
        let file = PlanFile(
            try Self.plan(.target("a.b-c_d")) { options in
                options.selection = .init(labels: ["blue"], exclude: [third])
                options.batch = .percent(50)
                options.allowsDrift = true
                options.maxUnreachable = .hosts(1)
            })
        #expect(try PlanFile.read(file.bytes, file: "plan.yaml").plan == file.plan)
    }

    /// Each is an error with its place.
    @Test(arguments: [
        ("batches: 2", "batches: 1", "the summary does not count what the plan holds"),
        ("allocations: 2", "allocations: 3", "the summary does not count what the plan holds"),
        ("waves: 1", "waves: -1", "error"),
        ("from: a}]\n          - [", "from: b}]\n          - [", "the state `b` is not defined"),
        (
            #"- [{worker: "10.0.0.2", from: a}]"#, #"- [{worker: "10.0.0.1", from: a}]"#, "api on 10.0.0.1 acts twice"
        ),
        (
            #"- [{worker: "10.0.0.2", from: a}]"#, #"- [{worker: "10.0.0.9", from: a}]"#,
            "the worker is missing under `workers`"
        ),
        ("options: {jobs: [api]}", "options: {jobs: [web]}", "api is not one of the options' jobs"),
        ("options: {jobs: [api]}", "options: {jobs: []}", "error"),
        ("options: {jobs: [api]}", "options: {jobs: [api], target: backup}", "target"),
        ("options: {jobs: [api]}", "options: {jobs: [api], batch: \"0\"}", "a batch has at least one host"),
        ("options: {jobs: [api]}", #"options: {jobs: [api], batch: "0%"}"#, "a batch has at least one host"),
        (
            "options: {jobs: [api]}", "options: {jobs: [api], no_gate: true}",
            "the plan has no gates, and the job has one"
        ),
        ("options: {jobs: [api]}", "options: {jobs: [api], no_gate: false}", "no_gate"),
        (
            "options: {jobs: [api]}", #"options: {jobs: [api], workers: ["10.0.0.1"], labels: [blue]}"#,
            "by their names or by their labels"
        ),
        ("kind: restart", "kind: stop", "the plan has no gates, and the job has one"),
        ("kind: restart", "kind: run_target", "target"),
        ("kind: restart", "kind: deploy", "error"),
        ("kind: restart", "kind: reload", "kind"),
        ("gate: after_each_batch", "gate: after_phase", "gate"),
        ("batches:\n          - [{", "batches:\n          - []\n          - [{", "error"),
        ("deployment_seq: 0", "deployment_seq: -1", "deployment_seq"),
    ])
    func refusesADamagedPlan(_ old: String, _ new: String, _ message: String) throws {
        let text = text(try Self.plan())
        let edited = text.replacing(old, with: new, maxReplacements: 1)
        #expect(edited != text, "\(text)")
        let refusal = refusal(edited)
        #expect(refusal.contains(message), "\(refusal)")
        #expect(refusal.contains("plan.yaml:"), "\(refusal)")
    }

    @Test func refusesTargetsThatAreNoNames() throws {
        for name in ["-n", "a b", "\"\"", ".x", "a/b"] {
            let edited = text(try Self.plan(.target("backup"))).replacing("target: backup", with: "target: \(name)")
            #expect(refusal(edited).contains("plan.yaml:"))
        }
        for name in ["restart", "start", "stop"] {
            let edited = text(try Self.plan(.target("backup"))).replacing("target: backup", with: "target: \(name)")
            #expect(refusal(edited).contains("a plan of its own"), "\(name)")
        }
    }

    @Test func refusesWavesInTheWrongDirection() throws {
        let web = try #require(JobName("web"))
        func waves(_ verb: Operation.Verb, _ order: [Int]) throws -> Plan {
            var plan = try Self.plan(verb)
            var jobs = [try #require(plan.waves.first?.jobs.first)]
            jobs.append(jobs[0])
            jobs[1].job = web
            jobs[1].demands = [jobs[0].job]
            plan.work = .operation(
                Operation(
                    verb, options: .init(jobs: jobs.map(\.job)),
                    waves: order.map { .init(deploymentSequence: $0, jobs: [jobs[$0]]) }))
            return plan
        }
        _ = try PlanFile.read(PlanFile(try waves(.restart, [0, 1])).bytes, file: "plan.yaml")
        _ = try PlanFile.read(PlanFile(try waves(.stop, [1, 0])).bytes, file: "plan.yaml")
        #expect(refusal(text(try waves(.restart, [1, 0]))).contains("do not ascend"))
        #expect(refusal(text(try waves(.stop, [0, 1]))).contains("do not descend"))
    }

    @Test func everyCutIsAnErrorAndNoCrash() throws {
        let bytes = PlanFile(try Self.plan()).bytes
        for end in bytes.indices where end % 7 == 0 {
            #expect(throws: InputFailure.self) { try PlanFile.read(Array(bytes[..<end]), file: "plan.yaml") }
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        for left in lines.indices where !lines[left].isEmpty {
            var rest = lines
            rest.remove(at: left)
            // Without some lines it is another plan; without most of them none.
            _ = try? PlanFile.read(Array(rest.joined(separator: "\n").utf8), file: "plan.yaml")
        }
    }
}
