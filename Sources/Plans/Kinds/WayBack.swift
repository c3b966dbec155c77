public import Model
internal import YAML

/// How what a deploy changes goes back to what it was: its section `rollback`, and the work of a plan by
/// `maand-plan rollback`.
///
/// It is written as if the deploy had promoted everything. What a run has really begun is known when its way back begins:
/// `deploy(_:from:tags:)` leaves the rest out, and puts what is broken first.
///
/// ```swift
/// let back = wayBack.deploy(.init(rollback: run.id), from: records, tag: { _, _ in nil })
/// ```
public struct WayBack: Equatable, Sendable {
    /// Descending by `deploymentSequence`: jobs go back before those that they demand. Each is rolled out like an upgrade.
    public var waves: [Plan.Wave]
    /// Allocations that the deploy starts for the first time, or again, after the waves: dependents before what they demand.
    public var stops: [Plan.Stop]
    /// For jobs with stops, in their order.
    public var stopHooks: [Plan.StopHooks]
    /// What stays as the deploy has made it.
    public var remains: Remains

    public init(
        waves: [Plan.Wave] = [], stops: [Plan.Stop] = [], stopHooks: [Plan.StopHooks] = [], remains: Remains = .init()
    ) {
        self.waves = waves
        self.stops = stops
        self.stopHooks = stopHooks
        self.remains = remains
    }

    /// No job of a plan with a way back has this name: the ids of the way back's steps begin with it.
    public static let reservedName = "rollback"

    /// Whether it leads nowhere.
    public var isEmpty: Bool { waves.isEmpty && stops.isEmpty }

    /// What is not taken back, for people.
    public struct Remains: Equatable, Sendable {
        /// Allocations that the deploy stops: they stay stopped; by job.
        public var stopped: [Plan.Named<[WorkerName]>]
        /// Commands that the deploy runs on the controller: what they have done elsewhere, and what they have stored, stays; by
        /// job.
        public var hooks: [Plan.Named<[String]>]

        public init(stopped: [Plan.Named<[WorkerName]>] = [], hooks: [Plan.Named<[String]>] = []) {
            self.stopped = stopped
            self.hooks = hooks
        }

        /// What a deploy leaves behind for good.
        public init(of deploy: Deploy) {
            var stopped: [JobName: [WorkerName]] = [:]
            for stop in deploy.reconcile { stopped[stop.allocation.job, default: []].append(stop.allocation.worker) }
            var hooks: [JobName: Set<String>] = [:]
            for job in deploy.waves.lazy.flatMap(\.jobs) {
                for commands in (job.hooks?.commands ?? [:]).values {
                    hooks[job.job, default: []].formUnion(commands.map(\.command))
                }
            }
            for job in deploy.stopHooks { hooks[job.job, default: []].formUnion(job.commands.map(\.command)) }
            self.stopped = stopped.sorted { $0.key < $1.key }.map { .init($0.key.text, $0.value) }
            self.hooks = hooks.sorted { $0.key < $1.key }.map { .init($0.key.text, $0.value.sorted()) }
        }
    }
}

extension Deploy {
    /// Which run a deploy takes back.
    public struct Origin: Equatable, Sendable {
        public var rollback: RunID
        /// The deploy is a part of that run, and not a plan that somebody has made.
        public var isPartOfRun: Bool
        /// What stays as the run has made it.
        public var remains: WayBack.Remains

        public init(rollback: RunID, isPartOfRun: Bool = false, remains: WayBack.Remains = .init()) {
            self.rollback = rollback
            self.isPartOfRun = isPartOfRun
            self.remains = remains
        }
    }
}

extension WayBack {
    /// The way back as a deploy, as if everything had been promoted.
    public func deploy(_ origin: Deploy.Origin, options: Plan.Options = .init()) -> Deploy {
        var options = options
        options.stopsLast = true
        var origin = origin
        origin.remains = remains
        var deploy = Deploy(options: options, reconcile: stops, stopHooks: stopHooks, waves: waves)
        deploy.origin = origin
        return deploy
    }

    /// The way back of these allocations alone, from what is recorded of them now. What is what it was before needs nothing;
    /// what is unfinished, or has not passed its gate, comes first in its job, like in any deploy.
    ///
    /// - Parameters:
    ///   - begun: what is recorded of the allocations that the run has begun or promoted.
    ///   - tag: the value of a tag of a worker, for jobs with `spread`.
    public func deploy(
        _ origin: Deploy.Origin, options: Plan.Options = .init(), from begun: [AllocationID: AllocationRecord],
        tag: (_ tag: String, WorkerName) -> String?
    ) -> Deploy {
        var part = self
        part.stops = stops.compactMap { stop in
            guard let record = begun[stop.allocation], record.isRunning else { return nil }
            var stop = stop
            stop.from = record.fromState
            // Its files may not have come so far.
            if record.unfinished != nil || record.promoted == nil { stop.isMakefileOptional = true }
            return stop
        }
        let stopped = Set(part.stops.map(\.allocation.job))
        part.stopHooks = stopHooks.filter { stopped.contains($0.job) }
        part.waves = waves.compactMap { wave in
            let jobs = wave.jobs.compactMap { $0.part(from: begun, tag: tag) }
            return jobs.isEmpty ? nil : Plan.Wave(deploymentSequence: wave.deploymentSequence, jobs: jobs)
        }
        return part.deploy(origin, options: options)
    }
}

extension Plan {
    /// The plan by which a run of this one goes back; nil if it has no way back.
    ///
    /// Jobs that nothing keeps from going back do so, whatever becomes of the others, and at any time.
    ///
    /// - Parameter begun: what is recorded of the allocations that the run has begun or promoted.
    public func goingBack(_ run: RunID, from begun: [AllocationID: AllocationRecord]) -> Plan? {
        guard let wayBack else { return nil }
        let tags = Dictionary(fleet.workers.map { ($0.worker, $0.allTags) }) { first, _ in first }
        return goingBack(
            wayBack.deploy(.init(rollback: run, isPartOfRun: true), from: begun) { tag, worker in
                tags[worker]?[tag]
            })
    }

    /// The same as if everything had been promoted, for looking at; the number of the run is of no meaning.
    public var wholeWayBack: Plan? {
        wayBack.map { goingBack($0.deploy(.init(rollback: RunID(1), isPartOfRun: true))) }
    }

    private func goingBack(_ deploy: Deploy) -> Plan {
        Plan(
            fleet: fleet, base: base,
            policy: Policy(onFailure: .continue, jobParallelism: policy.jobParallelism),
            facts: facts?.withCertificates(of: deploy.waves), work: .deploy(deploy))
    }
}

extension Plan.Job {
    /// The part of a way back for these allocations; nil if it has none of them.
    fileprivate func part(
        from begun: [AllocationID: AllocationRecord], tag: (String, WorkerName) -> String?
    ) -> Plan.Job? {
        let work = JobWork(self)
        let lists = Dictionary(changes.map { ($0.name, $0.value) }) { first, _ in first }
        var part = self
        (part.from, part.changes) = ([], [])
        var names: [StateOfChange: String] = [:]
        var broken: [Plan.Entry] = []
        var others: [PhaseKind: [Plan.Entry]] = [:]
        for phase in phases {
            for entry in phase.batches.joined() {
                guard let record = begun[AllocationID(job: job, worker: entry.worker)] else { continue }
                let target = work.tree(of: entry.worker)
                if record.unfinished == nil, record.promoted?.content == target { continue }
                let state = StateOfChange(from: record.fromState, planned: entry.from)
                var entry = entry
                if let name = names[state] {
                    entry.from = name
                } else {
                    entry.from = "s\(names.count + 1)"
                    names[state] = entry.from
                    part.from.append(.init(entry.from, state.from))
                    let isThere = state.from.content == target && (state.from.unfinished ?? target) == target
                    part.changes.append(.init(entry.from, isThere ? [] : lists[state.planned] ?? []))
                }
                // Of a job without a health check the last gate is no gate any more that could pass.
                entry.gate = healthCheck == nil ? nil : record.gateDebt
                if record.fromState.unfinished != nil || record.gateDebt != nil {
                    broken.append(entry)
                } else {
                    others[phase.kind, default: []].append(entry)
                }
            }
        }
        let kinds = [(PhaseKind.recover, broken)] + phases.map { ($0.kind, others[$0.kind] ?? []) }
        let gates = Dictionary(phases.map { ($0.kind, $0.gate) }) { first, _ in first }
        part.phases = kinds.compactMap { kind, entries in
            if entries.isEmpty { return nil }
            let cut = batching.batches(
                of: entries, in: kind, tag: { entry in batching.spread.flatMap { tag($0, entry.worker) } },
                failed: { $0.gate == .failed })
            let isGated = healthCheck != nil && entries.contains(where: self.isGated)
            return .init(kind: kind, batches: cut, gate: gates[kind] ?? (isGated ? kind.gateTiming : .none))
        }
        if part.phases.isEmpty { return nil }
        let acting = Set(part.entries.map(\.worker))
        part.content = content.map { .init(tree: $0.tree, workers: $0.workers.filter(acting.contains)) }
            .filter { !$0.workers.isEmpty }
        part.versions = versions.map { .init($0.name, $0.value.filter(acting.contains)) }
            .filter { !$0.value.isEmpty }
        part.keepHooksThatRun()
        return part
    }

    /// Leaves out hooks that nothing of what is left runs.
    private mutating func keepHooksThatRun() {
        guard var hooks else { return }
        hooks.commands = hooks.commands.filter { allocations(of: $0.key) > 0 }
        self.hooks = hooks.commands.isEmpty ? nil : hooks
    }
}

/// From what an allocation goes back, and what the plan took that to be.
private struct StateOfChange: Hashable {
    var from: FromState
    var planned: String
}

// MARK: Fields

extension WayBack: Record, FieldValue {
    static let title = "rollback"
    static let meaning =
        "The way back, if a job fails: as if everything had been promoted. A run leaves out what it has not begun, and what is "
        + "broken comes first in its job."
    static let style = Emitter.Style.block
    static let blank = WayBack()

    mutating func visit(_ fields: inout some Fields) {
        fields.required("waves", &waves, "waves in descending order; each job goes back like an upgrade")
        fields.required(
            "stops", &stops, "what the plan starts for the first time, or again: it is stopped after the waves")
        fields.optional("stop_hooks", &stopHooks, default: [], "hooks that run after stops; only if there are any")
        remains.visit(&fields)
    }
}

extension WayBack.Remains {
    mutating func visit(_ fields: inout some Fields) {
        fields.optional(
            "stays_stopped", &stopped, WorkersOfJobs.all, default: [],
            "allocations that the run stops, and that stay stopped; only if there are any")
        fields.optional(
            "hooks_stay", &hooks, MapType(element: ListType(element: .text(.command)), key: "job"), default: [],
            "commands of the run whose effects stay; only if there are any")
    }
}

extension Deploy.Origin: Record, FieldValue {
    static let title = "origin"
    static let meaning = "The run that the plan takes back."
    static let blank = Deploy.Origin(rollback: RunID(1))

    mutating func visit(_ fields: inout some Fields) {
        var number = rollback.number
        fields.required("rollback", &number, .integer(1...Int(Int32.max)), "the number of the run")
        rollback = RunID(number)
        fields.flag("part_of_run", &isPartOfRun, "the way back of that run itself, which `maand-apply` has written")
        remains.visit(&fields)
    }
}
