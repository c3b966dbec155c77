internal import JobFiles
internal import Model
internal import Plans

/// Puts what acts of one job into phases and batches: the job's part of a plan.
struct JobRollout {
    /// Where allocations come from, the tree that they end with, and what is done to them for that.
    struct State {
        var from: FromState
        var tree: Tree
        var changes: [FileChange]
        /// Nil if nothing is done.
        var decision: Decision?
        /// The secrets of files of the tree, by path.
        var secrets: [String: [SecretReference]] = [:]
    }

    /// An allocation that acts.
    struct Actor {
        var worker: WorkerName
        /// Index into `states`.
        var state: Int
        /// The worker's value of the tag that `spread` names.
        var tag: String?
        /// The gate that it has not passed.
        var gate: GateDebt?
    }

    /// Allocations that act, by the phase that they belong to; each in rollout order.
    struct Actors {
        var recover: [Actor] = []
        var start: [Actor] = []
        var upgrade: [Actor] = []

        var all: [Actor] { recover + start + upgrade }
        var isEmpty: Bool { recover.isEmpty && start.isEmpty && upgrade.isEmpty }
    }

    let name: JobName
    let manifest: Manifest
    let hooks: JobHooks
    let demands: [JobName]
    /// What gates and hooks cover, in rollout order.
    let active: [WorkerName]
    let source: OrderSource
    let states: [State]
    let actors: Actors
    /// Only files are moved.
    var isSyncOnly = false
    /// In the place of what the manifest says.
    var maxUnreachable: HostCount?
    /// Secrets that somebody else keeps.
    var provided = ProvidedSecrets()

    /// - Parameters:
    ///   - gateFirst: why the gate comes before the first batch.
    ///   - isIncomplete: an earlier rollout of the job has not ended.
    ///   - ports: a number for each port of the manifest.
    func part(gateFirst: Plan.GateFirst?, isIncomplete: Bool, ports: [String: Int]) -> Plan.Job {
        var batching = manifest.batching(active: active.count)
        if let limit = maxUnreachable { batching.maxUnreachable = limit.resolved(of: active.count) }
        let isJobControl = !hooks[.jobControl].isEmpty && !isSyncOnly
        var names = StateNames(count: states.count)
        var from: [Plan.Named<FromState>] = []
        var changes: [Plan.Named<[FileChange]>] = []
        var phases: [Plan.Phase] = []
        let parts =
            [(PhaseKind.recover, actors.recover)]
            + (isJobControl ? [(.jobControl, inOrder(actors.start + actors.upgrade))] : ordered)
        for (kind, actors) in parts where !actors.isEmpty {
            var isGated = false
            let batches = batching.batches(of: actors, in: kind, tag: \.tag, failed: { $0.gate == .failed }).map {
                batch in
                batch.compactMap { actor -> Plan.Entry? in
                    let state = states[actor.state]
                    guard let decision = state.decision else { return nil }
                    let (name, isFirst) = names.name(of: actor.state, state.from)
                    if isFirst {
                        from.append(.init(name, state.from))
                        changes.append(.init(name, state.changes))
                    }
                    let entry = Plan.Entry(
                        worker: actor.worker, action: decision.action, reason: decision.reason, from: name,
                        matched: decision.matched, gate: actor.gate)
                    isGated = isGated || isJobControl || decision.action.target != nil
                    isGated = isGated || (actor.gate != nil && !isSyncOnly)
                    return entry
                }
            }
            let gate: GateTiming = hasHealthCheck && isGated ? kind.gateTiming : .none
            phases.append(.init(kind: kind, batches: batches, gate: gate))
        }
        let ends = Dictionary(
            uniqueKeysWithValues: actors.all.map { ($0.worker, states[$0.state].tree.digest) })
        var part = Plan.Job(
            job: name, version: (manifest.version ?? Version.none).text, demands: demands, active: active, from: from,
            content: Plan.Content.groups(active.compactMap { worker in ends[worker].map { (worker, $0) } }),
            changes: changes, hooks: hooks(for: phases, isIncomplete, isJobControl: isJobControl), rolloutOrder: source,
            batching: batching, repeatable: manifest.repeatable,
            changedByService: phases.isEmpty ? [] : changedByService(actors.all.map(\.state)),
            timeouts: manifest.timeouts, gateFirst: gateFirst, phases: phases,
            ports: manifest.ports.map { .init($0.name, ports[$0.name] ?? 0) }, healthCheck: healthCheck(ports))
        let uses = Set(actors.all.map(\.state)).sorted().flatMap { states[$0].secrets }
        part.secrets = Plan.Secret.list(
            uses.map { (path: $0.key, secrets: $0.value) }, provider: provided.provider)
        return part
    }

    private var hasHealthCheck: Bool { manifest.hasChecks || !hooks[.healthCheck].isEmpty }

    private func healthCheck(_ ports: [String: Int]) -> HealthCheck? {
        hasHealthCheck ? (manifest.healthCheck ?? .init()).resolved(ports) : nil
    }

    /// The files that the service may rewrite, of all trees with which allocations begin or end.
    private func changedByService(_ ends: [Int]) -> [String] {
        let globs = manifest.changedByService
        if globs.isEmpty { return [] }
        var paths = Set<PathBytes>()
        for state in Set(ends) {
            for entry in states[state].tree.entries where entry.kind != .emptyDirectory {
                if globs.contains(where: { $0.matches(entry.path) }) { paths.insert(PathBytes(entry.path)) }
            }
            // It has rewritten those that leave the job, too.
            for change in states[state].changes where change.kind == .removed {
                if globs.contains(where: { $0.matches(change.path) }) { paths.insert(PathBytes(change.path)) }
            }
        }
        return paths.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.map(\.text)
    }

    /// What the job's part of the plan runs: a job that only has to be completed has just the hook that did not succeed, and a
    /// job of which only a gate is asked none.
    private func hooks(for phases: [Plan.Phase], _ isIncomplete: Bool, isJobControl: Bool) -> Plan.Hooks? {
        var events: [HookEvent] = [.healthCheck]
        if !phases.isEmpty || isIncomplete { events.append(.postDeploy) }
        if !phases.isEmpty { events += isJobControl ? [.preDeploy, .jobControl] : [.preDeploy] }
        if !isJobControl, phases.contains(where: { $0.batches.joined().contains { $0.action.target != nil } }) {
            events.append(.afterAllocationStarted)
        }
        if isJobControl || events.contains(.afterAllocationStarted) { events += HookEvent.around }
        return hooks.hooks(of: events)
    }

    /// The phases of what starts and of what is upgraded, in the order that the manifest wants.
    private var ordered: [(PhaseKind, [Actor])] {
        let phases = [(PhaseKind.start, actors.start), (.upgrade, actors.upgrade)]
        // Beside nothing that is upgraded, new allocations are a first deployment.
        if actors.upgrade.isEmpty { return phases }
        return switch manifest.newHosts {
        case .first: phases
        case .with: [(.upgrade, inOrder(actors.start + actors.upgrade))]
        case .last: phases.reversed()
        }
    }

    private func inOrder(_ actors: [Actor]) -> [Actor] {
        let ranks = Dictionary(uniqueKeysWithValues: active.enumerated().map { ($0.element, $0.offset) })
        return actors.sorted { ranks[$0.worker] ?? 0 < ranks[$1.worker] ?? 0 }
    }
}
