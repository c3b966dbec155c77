internal import JobFiles
internal import Model
internal import Plans
internal import YAML

/// Plans one job. What allocations have in common is worked out once for all of them.
struct JobPlanner {
    let job: Workspace.Job
    let options: Plan.Options
    private let choice: WorkerChoice
    private let trees: (Digest) throws -> Tree
    /// Nil where the job has no templates.
    let renderer: JobRenderer?
    let version: String
    /// The job's content but for the files that are rendered.
    let content: Tree
    /// Everything that follows from what the catalog says of an allocation, in the order in which it was met.
    private(set) var states: [JobRollout.State] = []
    private var stateIndex: [StateKey: Int] = [:]
    /// What templates became, by digest.
    private var generated: [Digest: [UInt8]] = [:]
    /// What templates of this job and of later ones may still become.
    private(set) var room: RenderedRoom

    /// Where an allocation comes from, and the tree that it ends with.
    private struct StateKey: Hashable {
        var from: FromState
        var tree: Digest
    }

    init(
        _ job: Workspace.Job, options: Plan.Options, choice: WorkerChoice, keepsMaandModes: Bool,
        renderer: JobRenderer?, room: RenderedRoom, trees: @escaping (Digest) throws -> Tree
    ) {
        self.room = room
        content = job.content.tree(by: keepsMaandModes ? .maand : .present)
        self.job = job
        self.renderer = renderer
        self.options = options
        self.choice = choice
        self.trees = trees
        version = (job.manifest.version ?? Version.none).text
    }

    /// What happens to the job, and how many of its active allocations need nothing.
    struct Outcome {
        /// Nil where the job needs nothing at all.
        var plan: Plan.Job?
        var unchanged = 0
        /// Of disabled allocations.
        var stops: [Plan.Stop] = []
        /// Allocations that a person has stopped, and that stay so.
        var stopped: [WorkerName] = []
        /// Allocations that would act, on workers that the options leave out.
        var excluded: [WorkerName] = []
        /// The trees that acting allocations end with, and of what is in them the files that templates became.
        var trees: [Tree] = []
        var generated: [Digest: [UInt8]] = [:]
        /// Why the order that somebody has chosen is not followed, as the end of a sentence about the list.
        var staleOrder: RolloutOrder.Stale?
        var warnings: [Diagnostic] = []
    }

    /// - Parameters:
    ///   - ports: a number for each port of the job.
    ///   - loses: running allocations that have left the workspace are stopped.
    /// - Throws: what `trees` throws.
    mutating func plan(
        workers: [Workspace.Worker], catalog: CatalogSnapshot, ports: [String: Int], loses: Bool
    ) throws -> Outcome {
        var sorted = Sorted()
        sorted.active.reserveCapacity(job.allocations.count)
        let debts = gateDebts(catalog, workers)
        for allocation in job.allocations { try sort(allocation, workers, catalog, debts, into: &sorted) }
        var (outcome, active, actors) = (sorted.outcome, sorted.active, sorted.actors)
        let record = catalog.jobs[job.name] ?? JobRecord()
        var source = OrderSource.workers
        if let text = job.rolloutOrder(record) {
            switch RolloutOrder.resolve(text, active: active) {
            case .success(let order):
                source = .keyValue
                active = order
                actors.recover = inOrder(actors.recover, order)
                actors.start = inOrder(actors.start, order)
                actors.upgrade = inOrder(actors.upgrade, order)
            case .failure(let stale): outcome.staleOrder = stale
            }
        }
        if !sorted.idle.isEmpty { active.removeAll { sorted.idle.contains($0) } }
        // Where every allocation is disabled or stopped there is nothing to probe or to complete.
        let mayProbe = job.hasHealthCheck && !options.syncOnly && !active.isEmpty
        let debtsThatAct = actors.recover.contains { $0.gate != nil }
        let hasDebt = debts.isForAll || sorted.hasUnchangedDebt
        var gate: Plan.GateFirst?
        if mayProbe, hasDebt, !debtsThatAct, !(isRecovered && !actors.isEmpty) { gate = .unfinished }
        // As in Maand, those that go on have to be well without those that are stopped.
        if mayProbe, gate == nil, loses || !outcome.stops.isEmpty, !options.stopsLast, !hasGate(actors) {
            gate = .afterStops
        }
        if !actors.isEmpty || gate != nil || (record.incomplete && !active.isEmpty) {
            outcome.trees = Set(actors.all.map(\.state)).sorted().map { states[$0].tree }
            outcome.generated = generated
            let rollout = JobRollout(
                name: job.name, manifest: job.manifest, hooks: job.hooks, demands: job.demands, active: active,
                source: source, states: states, actors: actors, isSyncOnly: options.syncOnly,
                maxUnreachable: options.maxUnreachable, provided: renderer?.provided ?? ProvidedSecrets())
            outcome.plan = rollout.part(gateFirst: gate, isIncomplete: record.incomplete, ports: ports)
            if let plan = outcome.plan, HookEvent.ofDisabled.contains(where: { !plan.hooks($0).isEmpty }) {
                outcome.plan?.disabled = job.allocations.filter(\.isDisabled).map { workers[$0.worker].name }
            }
            outcome.warnings = versionWarnings(actors, workers)
            if outcome.plan?.hooks != nil { outcome.trees.append(job.hooks.modules) }
        }
        return outcome
    }

    /// Whether a gate follows what acts.
    private func hasGate(_ actors: JobRollout.Actors) -> Bool {
        actors.all.contains { actor in
            actor.gate != nil || !job.hooks[.jobControl].isEmpty || states[actor.state].decision?.action.target != nil
        }
    }

    /// The job's allocations by what becomes of them.
    private struct Sorted {
        /// What is known of it so far.
        var outcome = Outcome()
        /// All that are not disabled.
        var active: [WorkerName] = []
        var actors = JobRollout.Actors()
        /// What does not run, and is not brought to run: no gate asks it.
        var idle = Set<WorkerName>()
        /// An allocation that does not act has not passed its gate.
        var hasUnchangedDebt = false
    }

    private mutating func sort(
        _ allocation: Workspace.Allocation, _ workers: [Workspace.Worker], _ catalog: CatalogSnapshot,
        _ debts: (known: [WorkerName: GateDebt], isForAll: Bool), into sorted: inout Sorted
    ) throws {
        let worker = workers[allocation.worker]
        let id = AllocationID(job: job.name, worker: worker.name)
        let record = catalog.allocations[id] ?? .none
        let isSelected = choice.contains(id.worker)
        if allocation.isDisabled {
            if record.isRunning, isSelected { sorted.outcome.stops.append(job.stop(id, .disabled, record)) }
            if record.isRunning, !isSelected { sorted.outcome.excluded.append(id.worker) }
            return
        }
        sorted.active.append(id.worker)
        if record.state == .stoppedByHand, !options.includeStopped {
            sorted.outcome.stopped.append(id.worker)
            sorted.idle.insert(id.worker)
            return
        }
        let state = try state(record.fromState, of: worker)
        let debt = debts.isForAll && record.promoted != nil ? GateDebt.owed : debts.known[id.worker]
        guard let phase = states[state].decision?.action.phase else {
            sorted.outcome.unchanged += 1
            sorted.hasUnchangedDebt = sorted.hasUnchangedDebt || debt != nil
            return
        }
        guard isSelected else {
            if phase == .start { sorted.idle.insert(id.worker) }
            sorted.outcome.excluded.append(id.worker)
            sorted.hasUnchangedDebt = sorted.hasUnchangedDebt || debt != nil
            return
        }
        let actor = JobRollout.Actor(
            worker: id.worker, state: state, tag: job.manifest.spread.flatMap { worker.tags[$0] }, gate: debt)
        switch phase {
        case _ where debts.isForAll || recovers(record, debt): sorted.actors.recover.append(actor)
        case .start: sorted.actors.start.append(actor)
        // An action has none of the other phases of its own: a whole job has.
        case .recover, .upgrade, .jobControl, .operation: sorted.actors.upgrade.append(actor)
        }
    }

    // MARK: Recovering

    /// The gates that the job's allocations have not passed. A job without a health check owes none.
    ///
    /// An export of an earlier release says only that a gate of the job is pending: then it may be any allocation's.
    private func gateDebts(
        _ catalog: CatalogSnapshot, _ workers: [Workspace.Worker]
    ) -> (known: [WorkerName: GateDebt], isForAll: Bool) {
        guard job.hasHealthCheck, catalog.jobs[job.name]?.gatePending == true else { return ([:], false) }
        var known: [WorkerName: GateDebt] = [:]
        for allocation in job.allocations where !allocation.isDisabled {
            let worker = workers[allocation.worker].name
            known[worker] = catalog.allocations[AllocationID(job: job.name, worker: worker)]?.gateDebt
        }
        return (known, known.isEmpty && !catalog.hasGateDebts(of: job.name))
    }

    /// `--recover` names the job.
    private var isRecovered: Bool { options.recover.contains(job.name) }

    /// Whether an allocation that acts belongs to the phase that comes before every healthy one.
    private func recovers(_ record: AllocationRecord, _ debt: GateDebt?) -> Bool {
        isRecovered || record.fromState.unfinished != nil || debt != nil
    }

    // MARK: States

    private mutating func state(_ from: FromState, of worker: Workspace.Worker) throws -> Int {
        let files = try renderer?.files(for: worker, currentVersion: from.version) ?? []
        let tree = tree(with: files)
        for file in files where generated[file.entry.digest] == nil {
            try room.take(file)
            generated[file.entry.digest] = file.bytes
        }
        let key = StateKey(from: from, tree: tree.digest)
        if let index = stateIndex[key] { return index }
        var secrets: [String: [SecretReference]] = [:]
        for file in files where !file.secrets.isEmpty { secrets[file.entry.path] = file.secrets }
        let changes = try from.changes(to: tree, trees: trees)
        let isSame = try from.content.map { try isPromoted(tree, $0, from, worker) } ?? false
        let decision = Decision(
            from, job.manifest, version: version, isSame: isSame, changes: changes, options: options)
        states.append(
            JobRollout.State(from: from, tree: tree, changes: changes, decision: decision, secrets: secrets))
        stateIndex[key] = states.count - 1
        return states.count - 1
    }

    /// The files of one allocation, with those that templates become.
    ///
    /// - Throws: `InputFailure` with what is wrong in each template.
    func content(
        of worker: Workspace.Worker, runs version: String
    ) throws(InputFailure) -> (tree: Tree, generated: [Digest: [UInt8]]) {
        let files = try renderer?.files(for: worker, currentVersion: version) ?? []
        return (
            tree(with: files),
            Dictionary(files.map { ($0.entry.digest, $0.bytes) }) { first, _ in first }
        )
    }

    /// The same, with a file of nothing in the place of each that cannot be rendered.
    func contentAsFarAsPossible(
        of worker: Workspace.Worker, runs version: String
    ) -> (tree: Tree, generated: [Digest: [UInt8]]) {
        let files = renderer?.filesAsFarAsPossible(for: worker, currentVersion: version) ?? []
        return (
            tree(with: files),
            Dictionary(files.map { ($0.entry.digest, $0.bytes) }) { first, _ in first }
        )
    }

    private func tree(with files: [JobRenderer.File]) -> Tree {
        if files.isEmpty { return content }
        // An empty folder for certificates is none with them.
        let isCovered = files.contains { $0.entry.path.hasPrefix("\(CertificateFile.folder)/") }
        let own = content.entries.filter {
            !isCovered || $0.path != CertificateFile.folder || $0.kind != .emptyDirectory
        }
        return content.with(own + files.map(\.entry))
    }

    /// Whether what was promoted is what the workspace says, also by the rules of earlier releases: a new release changes
    /// nothing by itself.
    private func isPromoted(
        _ tree: Tree, _ promoted: Digest, _ from: FromState, _ worker: Workspace.Worker
    ) throws -> Bool {
        if promoted == tree.digest { return true }
        let before = try trees(promoted)
        if before.counts(as: tree) { return true }
        guard let first = renderer?.first else { return false }
        // What it refuses, no earlier release has rendered.
        guard let files = try? first.files(for: worker, currentVersion: from.version) else { return false }
        return before.counts(as: self.tree(with: files))
    }

    private func inOrder(_ actors: [JobRollout.Actor], _ active: [WorkerName]) -> [JobRollout.Actor] {
        let ranks = Dictionary(uniqueKeysWithValues: active.enumerated().map { ($0.element, $0.offset) })
        return actors.sorted { ranks[$0.worker] ?? 0 < ranks[$1.worker] ?? 0 }
    }
}

/// Gives names to states: `new` to what was never there, else a, b ... z, aa, ab ... in the order of the plan. Where
/// templates make several states of what was never there, the first is `new`.
struct StateNames {
    private var names: [String?]
    private var next = 0
    private var hasNew = false

    init(count: Int) { names = Array(repeating: nil, count: count) }

    mutating func name(of index: Int, _ state: FromState) -> (name: String, isFirst: Bool) {
        if let name = names[index] { return (name, false) }
        var name = Self.new
        if state != AllocationRecord.none.fromState || hasNew {
            repeat {
                name = Self.letters(next)
                next += 1
            } while name == Self.new
        } else {
            hasNew = true
        }
        names[index] = name
        return (name, true)
    }

    private static let new = "new"

    /// 0 is a, 25 is z, 26 is aa.
    private static func letters(_ number: Int) -> String {
        let last = String(UnicodeScalar(UInt8(97 + number % 26)))
        return number < 26 ? last : letters(number / 26 - 1) + last
    }
}

extension Workspace.Job {
    var hasHealthCheck: Bool { manifest.hasChecks || !hooks[.healthCheck].isEmpty }

    /// What gates ask; nil if the job has none. If the manifest has only hooks for it, they are tried as often as its checks
    /// would be.
    func healthCheck(_ ports: [String: Int]) -> HealthCheck? {
        guard hasHealthCheck else { return nil }
        return (manifest.healthCheck ?? .init()).resolved(ports)
    }

    /// Where the job is disabled, in the order of `workers.json`.
    func disabledWorkers(in workspace: Workspace) -> [WorkerName] {
        allocations.filter(\.isDisabled).map { workspace.workers[$0.worker].name }
    }

    /// The stop of one of the job's allocations.
    func stop(_ id: AllocationID, _ reason: Reason, _ record: AllocationRecord) -> Plan.Stop {
        var stop = Plan.Stop(
            allocation: id, reason: reason, from: record.fromState, timeout: manifest.timeouts.action)
        stop.isMakefileOptional = !hooks[.jobControl].isEmpty
        return stop
    }
}
