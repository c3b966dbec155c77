internal import Model
internal import Plans
internal import Templates
internal import YAML

/// Content that was deployed earlier.
struct EarlierContent {
    /// The tree of a digest.
    let tree: (Digest) throws -> Tree
    /// The bytes of a file of such a tree.
    let file: (Digest) throws -> [UInt8]
}

/// Plans how what a deploy changes goes back to what it was.
///
/// Manifest, hooks and checks are those of before: they are part of the files that were promoted. If allocations of one job
/// come from several releases, those of most of them count; if there are as many of each, those of the first allocation.
struct WayBackPlanner {
    let deploy: Deploy
    let workspace: Workspace
    let content: EarlierContent
    /// The numbers of a job's ports as far as they are known.
    let ports: (JobName) -> [String: Int]
    /// The fingerprint of a secret's value; nil if there is no such secret.
    let fingerprint: (SecretName) -> SecretFingerprint?
    private let tags: [WorkerName: [String: String]]
    /// The trees of hooks' folders, which have to be kept with the plan.
    private(set) var modules: [Tree] = []
    /// Trees of before with today's values of their secrets, by the digest of what was before; kept with the plan.
    private var renewed: [Digest: RenewedTree] = [:]

    init(
        _ deploy: Deploy, _ workspace: Workspace, _ content: EarlierContent,
        ports: @escaping (JobName) -> [String: Int], fingerprint: @escaping (SecretName) -> SecretFingerprint?
    ) {
        self.deploy = deploy
        self.workspace = workspace
        self.content = content
        self.ports = ports
        self.fingerprint = fingerprint
        tags = Dictionary(workspace.workers.map { ($0.name, $0.tags) }) { first, _ in first }
    }

    /// - Throws: `PlanningError.noWayBack`; what `content` throws.
    mutating func plan() throws -> WayBack {
        var back = WayBack(remains: .init(of: deploy))
        if let job = deploy.waves.lazy.flatMap(\.jobs).map(\.job).first(where: { WayBack.reservedName == $0.text }) {
            throw PlanningError.noWayBack(
                job, "a job cannot have this name in a plan with a way back, since the ids of steps would be the same")
        }
        for wave in deploy.waves.reversed() {
            var jobs: [Plan.Job] = []
            for job in wave.jobs {
                let (part, stops) = try plan(job)
                if let part { jobs.append(part) }
                back.stops += stops
                if let hooks = stopHooks(of: job), !stops.isEmpty { back.stopHooks.append(hooks) }
            }
            if !jobs.isEmpty { back.waves.append(.init(deploymentSequence: wave.deploymentSequence, jobs: jobs)) }
        }
        return back
    }

    /// An allocation that goes back.
    private struct Returning {
        var worker: WorkerName
        var action: LifecycleAction
        var from: FromState
        var release: Release
        /// The files that it gets: those of the release, with the values that secrets have today.
        var tree: Tree
        var secrets: [String: [SecretReference]]
    }

    private mutating func plan(_ job: Plan.Job) throws -> (part: Plan.Job?, stops: [Plan.Stop]) {
        let work = JobWork(job)
        var returning: [WorkerName: Returning] = [:]
        var stops: [WorkerName: Plan.Stop] = [:]
        for entry in job.entries {
            guard let before = work.from(of: entry), let tree = work.tree(of: entry.worker) else { continue }
            let made = FromState(version: job.version, content: tree)
            if let release = before.content, !before.stopped, !before.stoppedByHand {
                let renewed = try renew(release, of: job.job)
                returning[entry.worker] = Returning(
                    worker: entry.worker, action: entry.action, from: made,
                    release: Release(version: before.version, content: release), tree: renewed.tree,
                    secrets: renewed.secrets)
            } else {
                stops[entry.worker] = stop(AllocationID(job: job.job, worker: entry.worker), made, before, job)
            }
        }
        // Rollout order; what only this plan starts is no part of the job any more.
        let active = job.active.filter { stops[$0] == nil }
        let ordered = active.compactMap { returning[$0] }
        let part = ordered.isEmpty ? nil : try self.part(of: job, active, ordered)
        return (part, job.active.compactMap { stops[$0] })
    }

    private func stop(
        _ allocation: AllocationID, _ made: FromState, _ before: FromState, _ job: Plan.Job
    ) -> Plan.Stop {
        var stop = Plan.Stop(allocation: allocation, reason: .rolledBack, from: made, timeout: job.timeouts.action)
        stop.isMakefileOptional = job.isJobControl
        if let content = before.content {
            stop.before = before.stoppedByHand ? .stoppedByHand : .stopped
            stop.release = Release(version: before.version, content: content)
        }
        return stop
    }

    /// The hooks of the workspace, like for all stops.
    private func stopHooks(of job: Plan.Job) -> Plan.StopHooks? {
        workspace.jobs.first { $0.name == job.job }?.stopHooks
    }

    // MARK: The release of before

    /// What a job was like by its own files.
    private struct Earlier {
        var manifest: Manifest
        var hooks: JobHooks
    }

    private mutating func part(
        of job: Plan.Job, _ active: [WorkerName], _ returning: [Returning]
    ) throws -> Plan.Job {
        var earlier: [Digest: Earlier] = [:]
        for allocation in returning where earlier[allocation.release.content] == nil {
            earlier[allocation.release.content] = try read(allocation.release, of: job.job)
        }
        let main = Self.main(of: returning)
        guard let like = earlier[main.content] else { throw PlanningError.noWayBack(job.job, "nothing is known of it") }
        let numbers = try ports(of: like.manifest, job)
        var states: [JobRollout.State] = []
        var places: [StateKey: Int] = [:]
        var actors = JobRollout.Actors()
        for allocation in returning {
            let key = StateKey(from: allocation.from, tree: allocation.tree.digest, action: allocation.action)
            let place = places[key] ?? states.count
            if places[key] == nil {
                places[key] = place
                states.append(
                    try state(allocation, earlier[allocation.release.content]?.manifest ?? like.manifest))
            }
            let tag = like.manifest.spread.flatMap { tags[allocation.worker]?[$0] }
            actors.upgrade.append(.init(worker: allocation.worker, state: place, tag: tag))
        }
        let rollout = JobRollout(
            name: job.job, manifest: like.manifest, hooks: like.hooks, demands: job.demands, active: active,
            source: job.rolloutOrder, states: states, actors: actors,
            // A host that does not answer keeps no other from going back.
            maxUnreachable: .percent(100), provided: workspace.provided)
        var part = rollout.part(gateFirst: nil, isIncomplete: false, ports: numbers)
        part.version = main.version
        part.versions = Self.otherVersions(returning, than: main.version)
        if part.hooks != nil { modules.append(like.hooks.modules) }
        return part
    }

    private struct StateKey: Hashable {
        var from: FromState
        var tree: Digest
        var action: LifecycleAction
    }

    private func state(_ allocation: Returning, _ manifest: Manifest) throws -> JobRollout.State {
        let tree = allocation.tree
        let changes = try allocation.from.changes(to: tree, trees: content.tree)
        let back = Decision(
            allocation.from, manifest, version: allocation.release.version,
            isSame: allocation.from.content == tree.digest, changes: changes,
            options: .init())
        return JobRollout.State(
            from: allocation.from, tree: tree, changes: changes,
            decision: Decision(
                wayBackOf: allocation.action, by: back?.action), secrets: allocation.secrets)
    }

    /// The part of the way back that is planned, with the secrets of just its files, and with what changes from what runs now.
    func exact(_ deploy: Deploy) throws -> Deploy {
        var deploy = deploy
        let trees = Dictionary(renewed.values.map { ($0.tree.digest, $0) }) { first, _ in first }
        for wave in deploy.waves.indices {
            for index in deploy.waves[wave].jobs.indices where !deploy.waves[wave].jobs[index].secrets.isEmpty {
                var job = deploy.waves[wave].jobs[index]
                let uses = job.content.flatMap { trees[$0.tree]?.secrets ?? [:] }
                job.secrets = Plan.Secret.list(
                    uses.map { (path: $0.key, secrets: $0.value) }, provider: workspace.provided.provider)
                let work = JobWork(job)
                var changes: [String: [FileChange]] = [:]
                for entry in job.entries where changes[entry.from] == nil {
                    guard let from = work.from(of: entry), let end = work.tree(of: entry.worker).flatMap({ trees[$0] })
                    else {
                        continue
                    }
                    changes[entry.from] = try from.changes(to: end.tree) { try trees[$0]?.tree ?? content.tree($0) }
                }
                job.changes = job.changes.map { .init($0.name, changes[$0.name] ?? $0.value) }
                deploy.waves[wave].jobs[index] = job
            }
        }
        return deploy
    }

    /// What is kept with the plan of trees whose secrets have other values now.
    var kept: (trees: [Tree], capture: [PlanningResult.Capture]) {
        let changed = renewed.values.filter { !$0.files.isEmpty }.sorted { $0.tree.digest.hex < $1.tree.digest.hex }
        let files = changed.flatMap { $0.files.sorted { $0.key.hex < $1.key.hex } }
        return (changed.map(\.tree), files.map { .init(digest: $0.key, source: .bytes($0.value)) })
    }

    /// A tree of before, with the values that secrets have today in the place of those of then.
    private mutating func renew(_ content: Digest, of job: JobName) throws -> RenewedTree {
        if let known = renewed[content] { return known }
        do {
            let tree = try RenewedTree(
                of: try self.content.tree(content), content: self.content.file, fingerprint: fingerprint)
            renewed[content] = tree
            return tree
        } catch RenewedTree.Problem.unreadable(let entry) {
            throw PlanningError.contentMissing(entry.digest)
        } catch RenewedTree.Problem.missing(let path, let secrets) {
            throw PlanningError.noWayBack(
                job,
                "\(path) of before needs secrets that are not there any more, or that an earlier release has stored: "
                    + "\(secrets.map(\.description).listed(first: 5)). Put them with `maand-plan kv put`, let `maand-plan "
                    + "prepare` ask those who keep them, or, for certificates, put their job's `certs` back and let "
                    + "`maand-plan certs issue` make them")
        }
    }

    /// What a release was like by its manifest, which is one of its files.
    private func read(_ release: Release, of job: JobName) throws -> Earlier {
        let tree = try content.tree(release.content)
        guard let entry = tree.entries.first(where: { $0.path == "manifest.json" }) else {
            throw PlanningError.noWayBack(job, "its files of \(release.version) have no manifest.json")
        }
        let bytes = try content.file(entry.digest)
        do throws(InputFailure) {
            let file = "manifest.json of \(job) \(release.version)"
            let reader = Reader(
                root: try JSONDocument.parse(bytes, file: file, limits: .standard), source: bytes, file: file,
                rules: .go)
            let manifest = ManifestReader(reader, job: job).manifest()
            let hooks = JobHooks(manifest, job: job, tree: tree, reader)
            try reader.check()
            return Earlier(manifest: manifest, hooks: hooks)
        } catch {
            throw PlanningError.noWayBack(job, "\(error)")
        }
    }

    /// The release that most of them go back to; of several the first.
    private static func main(of returning: [Returning]) -> Release {
        var counts: [Release: Int] = [:]
        for allocation in returning { counts[allocation.release, default: 0] += 1 }
        let most = counts.values.max() ?? 0
        return returning.first { counts[$0.release] == most }?.release ?? returning[0].release
    }

    private static func otherVersions(_ returning: [Returning], than main: String) -> [Plan.Named<[WorkerName]>] {
        var others: [String: [WorkerName]] = [:]
        for allocation in returning where allocation.release.version != main {
            others[allocation.release.version, default: []].append(allocation.worker)
        }
        return others.sorted { $0.key < $1.key }.map { .init($0.key, $0.value.sorted()) }
    }

    private func ports(of manifest: Manifest, _ job: Plan.Job) throws -> [String: Int] {
        var known = Dictionary(job.ports.map { ($0.name, $0.value) }) { first, _ in first }
        known.merge(ports(job.job)) { _, earlier in earlier }
        var numbers: [String: Int] = [:]
        for port in manifest.ports {
            guard let number = port.number ?? known[port.name] else {
                throw PlanningError.noWayBack(job.job, "the number of its port \(port.name) is not known any more")
            }
            numbers[port.name] = number
        }
        return numbers
    }
}

extension Decision {
    /// What takes an action back: what has run a target runs one again, and never a weaker one.
    ///
    /// - Parameter policy: what the manifest of before says of the changed files; nil if nothing differs.
    fileprivate init(wayBackOf forth: LifecycleAction, by policy: LifecycleAction?) {
        let action: LifecycleAction =
            switch (forth, policy) {
            case (.sync, _): .sync
            case (.reload, .restart?): .restart
            case (.reload, _): .reload
            case (.start, _), (.restart, _), (.stop, _), (.run, _): .restart
            }
        self.init(action: action, reason: .rolledBack)
    }
}

extension Workspace.Job {
    /// What runs around stops of allocations of the job, and when they were stopped; nil if it has no such hooks.
    var stopHooks: Plan.StopHooks? {
        let own = Plan.StopHooks(
            job: name, timeout: manifest.timeouts.hook, modules: hooks.modules.digest,
            commands: hooks[.afterAllocationStopped],
            around: Dictionary(uniqueKeysWithValues: Plan.StopHooks.events.map { ($0, hooks[$0]) }).filter {
                !$0.value.isEmpty
            })
        return own.all.isEmpty ? nil : own
    }
}
