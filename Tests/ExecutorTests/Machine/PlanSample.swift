import Model
import Plans
import SimulatedWorkers
import Testing

/// Plans made by hand, for tests that need no planner.
enum PlanSample {
    /// `db` starts on one worker; then `api`, which demands it, restarts on two, one by one.
    static func twoWaves() throws -> Plan {
        try plan(
            waves: [
                [job("db", starts: [["w1"]])],
                [job("api", demands: ["db"], upgrades: [["w1"], ["w2"]])],
            ])
    }

    /// `a` and `b` side by side, then `c`, which demands `a`, and `d`, which demands `b`.
    static func independent(onFailure: FailurePolicy) throws -> Plan {
        try plan(
            waves: [
                [job("a", upgrades: [["w1"], ["w2"]]), job("b", upgrades: [["w1"], ["w2"]])],
                [job("c", demands: ["a"], upgrades: [["w1"]]), job("d", demands: ["b"], upgrades: [["w1"]])],
            ], onFailure: onFailure)
    }

    static func random(_ random: inout SeededRandom) throws -> Plan {
        let waves = 1 + Int(random.below(3))
        var names: [String] = []
        var content: [[Plan.Job]] = []
        for wave in 0..<waves {
            var jobs: [Plan.Job] = []
            for index in 0..<(1 + Int(random.below(3))) {
                let name = "j\(wave)\(index)"
                let isJobControl = random.below(4) == 0
                jobs.append(
                    try job(
                        name, demands: wave == 0 ? [] : [names[Int(random.below(UInt64(names.count)))]],
                        recovers: random.below(4) == 0 ? batches(&random, "r") : [],
                        starts: isJobControl ? [] : batches(&random, "s"),
                        upgrades: batches(&random, "u"),
                        isJobControl: isJobControl, hooks: hooks(&random, isJobControl),
                        hasGate: random.below(3) > 0, bakeSeconds: random.below(3) == 0 ? 1 : 0,
                        maxFailures: Int(random.below(3))))
            }
            names += jobs.map(\.job.text)
            content.append(jobs)
        }
        return try plan(waves: content, onFailure: random.below(2) == 0 ? .stop : .continue)
    }

    private static func batches(_ random: inout SeededRandom, _ prefix: String) -> [[String]] {
        (0..<random.below(4)).map { batch in (0...random.below(3)).map { "\(prefix)\(batch)-\($0)" } }
    }

    private static func hooks(_ random: inout SeededRandom, _ isJobControl: Bool) -> [HookEvent: Int] {
        var hooks: [HookEvent: Int] = [:]
        for event in HookEvent.allCases {
            switch event {
            case .preDeploy, .postDeploy: hooks[event] = Int(random.below(3))
            case .beforeBatch, .beforeAllocation, .afterAllocationHealthy, .afterAllocation:
                hooks[event] = random.below(2) == 0 ? 0 : Int(random.below(3))
            case .afterAllocationStarted: hooks[event] = isJobControl ? 0 : Int(random.below(3))
            case .jobControl: hooks[event] = isJobControl ? 1 + Int(random.below(2)) : 0
            case .healthCheck, .afterAllocationStopped, .cli, .postBuild: break
            }
        }
        return hooks
    }

    /// - Parameter hooks: how many commands there are for each event.
    static func job(
        _ name: String, demands: [String] = [], recovers: [[String]] = [], starts: [[String]] = [],
        upgrades: [[String]] = [],
        isJobControl: Bool = false, hooks: [HookEvent: Int] = [:], hasGate: Bool = true,
        bakeSeconds: Int = 0, maxFailures: Int = 0
    ) throws -> Plan.Job {
        let tree = Digest.of(name.utf8)
        var phases: [Plan.Phase] = []
        var active: [WorkerName] = []
        func add(_ kind: PhaseKind, _ batches: [[String]], _ action: LifecycleAction, _ gate: GateTiming) throws {
            guard !batches.isEmpty else { return }
            let entries = try batches.map { batch in
                try batch.map { worker in
                    let worker = try #require(WorkerName(worker))
                    active.append(worker)
                    return Plan.Entry(
                        worker: worker, action: action, reason: kind == .start ? .firstDeploy : .contentChanged,
                        from: kind == .start ? "new" : "a")
                }
            }
            phases.append(Plan.Phase(kind: kind, batches: entries, gate: hasGate ? gate : .none))
        }
        try add(.recover, recovers, .restart, .afterEachBatchAndPhase)
        try add(.start, starts, .start, .afterPhase)
        try add(isJobControl ? .jobControl : .upgrade, upgrades, .restart, .afterEachBatch)
        let commands = hooks.filter { $0.value > 0 }.map { event, count in
            (
                event,
                (1...count).map { number in
                    let command = "command_\(event.rawValue)\(number)"
                    return Plan.Hook(command: command, script: command, digest: tree)
                }
            )
        }
        return Plan.Job(
            job: try #require(JobName(name)), version: "1.0.0",
            demands: try demands.map { try #require(JobName($0)) }, active: active,
            from: [
                .init("a", FromState(version: "0.9.0", content: Digest.of("old".utf8))),
                .init("new", FromState(version: "0.0.0", content: nil)),
            ],
            content: [.init(tree: tree, workers: active)], changes: [],
            hooks: commands.isEmpty
                ? nil : Plan.Hooks(modules: tree, commands: Dictionary(uniqueKeysWithValues: commands)),
            rolloutOrder: .workers,
            batching: .init(starts: 0, upgrades: 1, bakeSeconds: bakeSeconds, maxFailures: maxFailures), repeatable: [],
            timeouts: .init(), gateFirst: nil,
            phases: phases,
            healthCheck: hasGate
                ? HealthCheck(timeoutSeconds: 1, attempts: 1, intervalSeconds: 0, checks: [.tcp(port: 1)]) : nil)
    }

    static func plan(waves: [[Plan.Job]], onFailure: FailurePolicy = .stop) throws -> Plan {
        let waves = waves.enumerated().map { Plan.Wave(deploymentSequence: $0, jobs: $1) }
        let workers = Set(waves.flatMap(\.jobs).flatMap(\.active)).sorted()
        return Plan(
            fleet: Fleet(
                bucket: "b-1", transport: .local, workerRoot: "/opt/worker",
                workers: workers.map { PlanWorker(worker: $0, address: $0.text) }),
            base: .init(catalogRevision: 0), policy: .init(onFailure: onFailure), work: .deploy(Deploy(waves: waves)))
    }
}
