import Model
import Plans
import Testing
import YAML

/// Plans for workers as a whole: read back as they are written, and refused if they are damaged.
@Suite struct WorkerPlanFileTests {
    @Test func aCommandIsReadBackAsItIsWritten() throws {
        for plan in try [WorkerSamples.command(), WorkerSamples.script()] {
            let file = PlanFile(plan)
            let again = try PlanFile.read(file.bytes, file: "plan.yaml")
            #expect(again.plan == plan)
            #expect(again.bytes == file.bytes)
        }
    }

    @Test func aRebootIsReadBackAsItIsWritten() throws {
        let file = PlanFile(try WorkerSamples.reboot())
        let again = try PlanFile.read(file.bytes, file: "plan.yaml")
        #expect(again.plan == file.plan)
        #expect(again.bytes == file.bytes)
    }

    @Test(arguments: [
        ("workers: 3", "workers: 4", "the summary does not count"),
        ("batches: 2", "batches: 1", "the summary does not count"),
        ("- [w3]", "- [w1]", "w1 acts twice"),
        ("- [w3]", "- [w9]", "w9: the worker is missing"),
        ("- [w3]", "- []", "at least 1 items"),
        ("text: uptime", "text: \"\"", "1 to 65536 bytes"),
        ("text: uptime", "text: \"a\\0b\"", ""),
        ("text: uptime, ", "", "`text`, or `file` and `digest`"),
        ("timeout: 9", "timeout: 0", ""),
        ("health_check: true, ", "", "no `health_check` among its options"),
    ])
    func aDamagedCommandIsRefused(_ old: String, _ new: String, _ why: String) throws {
        try refuse(WorkerSamples.command(), old, new, why)
    }

    @Test func aCommandIsTextOrScriptAndNotBoth() throws {
        let digest = Digest.of("script".utf8)
        try refuse(
            WorkerSamples.script(), "file: script.sh", "text: uptime, file: script.sh", "`text`, or `file`")
        try refuse(WorkerSamples.script(), ", digest: \(digest)", "", "digest")
    }

    @Test(arguments: [
        ("allocations: 3", "allocations: 2", "the summary does not count"),
        ("workers: 3", "workers: 2", "the summary does not count"),
        ("- [w3]", "- [w2]", "w2 acts twice"),
        ("- [w3]", "- [w4]", "w3: the worker is in no batch"),
        ("command: reboot", "command: \"\"", "1 to 65536 bytes"),
        ("only_if: \"true\"", "only_if: \"\"", "1 to 65536 bytes"),
        ("pause_seconds: 5", "pause_seconds: -1", "pause_seconds"),
    ])
    func aDamagedRebootIsRefused(_ old: String, _ new: String, _ why: String) throws {
        try refuse(WorkerSamples.reboot(), old, new, why)
    }

    @Test func linesThatAShellCanBeGiven() {
        #expect(WorkerCommand.text(of: Array("é\n".utf8)) == "é\n")
        #expect(WorkerCommand.text(of: [0x65, 0xff]) == nil)
        #expect(WorkerCommand.text(of: [0x65, 0]) == nil)
        #expect(WorkerCommand.text(of: []) == nil)
        #expect(WorkerCommand.text(of: Array(repeating: 0x23, count: WorkerCommand.limit + 1)) == nil)
    }

    private func refuse(_ plan: Plan, _ old: String, _ new: String, _ why: String) throws {
        let text = String(decoding: PlanFile(plan).bytes, as: UTF8.self)
        let edited = text.replacing(old, with: new, maxReplacements: 1)
        #expect(edited != text, "there is no \(old) in\n\(text)")
        let failure = #expect(throws: InputFailure.self) { try PlanFile.read(Array(edited.utf8), file: "plan.yaml") }
        #expect(failure?.description.contains(why) == true, "\(String(describing: failure))")
    }
}

/// Plans for the workers w1 to w3, in two batches.
enum WorkerSamples {
    static func workers() throws -> [WorkerName] { try ["w1", "w2", "w3"].map { try #require(WorkerName($0)) } }

    static func job() throws -> Plan.Job {
        Plan.Job(
            job: try #require(JobName("api")), version: "", active: try workers(), from: [], content: [], changes: [],
            rolloutOrder: .workers, batching: .init(starts: 0, upgrades: 1), repeatable: [], timeouts: .init(),
            gateFirst: nil, phases: [],
            healthCheck: HealthCheck(timeoutSeconds: 1, attempts: 1, intervalSeconds: 0, checks: [.tcp(port: 1)]))
    }

    static func command() throws -> Plan {
        let all = try workers()
        return try plan(
            .runCommand(
                RunCommand(
                    WorkerCommand(text: "uptime", timeout: 9),
                    options: .init(concurrency: .hosts(2), hasGates: true, ignoresFailures: true),
                    workers: WorkerBatches([[all[0], all[1]], [all[2]]], maxUnreachable: 1),
                    gates: [Plan.Wave(deploymentSequence: 0, jobs: [try job()])])))
    }

    static func script() throws -> Plan {
        let script = WorkerCommand.Script(file: "script.sh", digest: Digest.of("script".utf8))
        return try plan(
            .runCommand(
                RunCommand(
                    WorkerCommand(script: script, timeout: 9, isWithoutSudo: true), options: .init(),
                    workers: WorkerBatches([try workers()]))))
    }

    static func reboot() throws -> Plan {
        let all = try workers()
        var job = try job()
        job.from = [.init("a", FromState(version: "1.0.0", content: Digest.of("tree".utf8)))]
        job.maxUnavailable = 2
        let entries = all.map { Plan.Entry(worker: $0, action: .run, reason: .requested, from: "a") }
        job.phases = [.init(kind: .operation, batches: [entries], gate: .none)]
        return try plan(
            .reboot(
                Reboot(
                    .init(command: "reboot", onlyIf: "true", timeout: 60, pauseSeconds: 5),
                    options: .init(concurrency: .hosts(2), spread: "zone"),
                    workers: WorkerBatches([[all[0], all[1]], [all[2]]]),
                    waves: [Plan.Wave(deploymentSequence: 0, jobs: [.operated(job)])])))
    }

    private static func plan(_ work: Work) throws -> Plan {
        let workers = try (workers() + [#require(WorkerName("w4"))]).map { PlanWorker(worker: $0, address: $0.text) }
        return Plan(
            fleet: Fleet(bucket: "b-1", transport: .local, workerRoot: "/opt/worker", workers: workers),
            base: .init(catalogRevision: 3), policy: .init(), work: work)
    }
}
