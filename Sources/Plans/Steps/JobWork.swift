public import Model

/// What the steps of one job of a plan have in common. One value for all of them, whatever their number.
public final class JobWork: Sendable {
    public let job: Plan.Job
    /// The hooks of each event, in the order in which they run.
    let hooks: [HookEvent: [HookWork]]
    /// Whether the plan takes a run back.
    let isRollback: Bool
    private let states: [String: FromState]
    private let disabled: Set<WorkerName>
    private let trees: [WorkerName: Digest]
    private let versions: [WorkerName: String]

    public init(_ job: Plan.Job, isRollback: Bool = false) {
        self.job = job
        self.isRollback = isRollback
        disabled = Set(job.disabled)
        versions = Dictionary(
            job.versions.lazy.flatMap { version in version.value.lazy.map { ($0, version.name) } },
            uniquingKeysWith: { first, _ in first })
        states = Dictionary(job.from.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        trees = Dictionary(
            job.content.lazy.flatMap { content in content.workers.lazy.map { ($0, content.tree) } },
            uniquingKeysWith: { _, last in last })
        guard let hooks = job.hooks else {
            self.hooks = [:]
            return
        }
        self.hooks = Dictionary(
            uniqueKeysWithValues: HookEvent.allCases.map { event in
                (
                    event,
                    hooks[event].map {
                        HookWork(event, $0, modules: hooks.modules, timeout: job.timeouts.hook)
                    }
                )
            })
    }

    /// The tree that an acting allocation ends with.
    public func tree(of worker: WorkerName) -> Digest? { trees[worker] }

    func isDisabled(on worker: WorkerName) -> Bool { disabled.contains(worker) }

    /// The version that an acting allocation ends with.
    func version(of worker: WorkerName) -> String { versions[worker] ?? job.version }

    /// What the plan takes an entry's allocation to run.
    public func from(of entry: Plan.Entry) -> FromState? { states[entry.from] }

    /// What runs on a worker before the job is touched; one without an entry runs the planned version already.
    func versionBefore(on worker: WorkerName) -> String {
        let entry = job.entries.first { $0.worker == worker }
        return entry.flatMap(from)?.version ?? version(of: worker)
    }
}

/// An allocation that the plan deploys, with what its steps need.
public final class Deployment: Sendable {
    public let work: JobWork
    public let entry: Plan.Entry
    /// What the plan takes it to run.
    public let from: FromState?
    /// What it is made to run.
    public let release: Release?

    init(_ work: JobWork, _ entry: Plan.Entry) {
        self.work = work
        self.entry = entry
        from = work.from(of: entry)
        release = work.tree(of: entry.worker).map { Release(version: work.version(of: entry.worker), content: $0) }
    }

    var job: Plan.Job { work.job }

    /// The version that the allocation ends with.
    var version: String { work.version(of: entry.worker) }

    /// What the catalog learns beside a promote if the plan takes a run back.
    var takenBack: [CatalogChange] {
        guard work.isRollback else { return [] }
        // A way back may have begun before.
        let made = [from?.unfinished, from?.content].compactMap(\.self).first { $0 != release?.content }
        return made.map { [.tookBack(allocation, content: $0)] } ?? []
    }

    /// The allocation.
    public var allocation: AllocationID { AllocationID(job: job.job, worker: entry.worker) }

    /// Whether a target follows the push of its files.
    public var runsTarget: Bool { entry.action.target != nil && !job.isJobControl }

    /// From here on the allocation is unfinished, its job incomplete, and something on the worker may listen on the ports.
    var changesAtStart: [CatalogChange] {
        guard let release else { return [] }
        var changes: [CatalogChange] = [.began(allocation, release), .incomplete(job.job, true)]
        if !job.ports.isEmpty {
            let ports = job.ports.map { ($0.name, $0.value) }
            changes.append(.assignedPorts(job.job, Dictionary(ports, uniquingKeysWith: { _, last in last })))
        }
        return changes
    }
}

/// An allocation on which the plan runs a target, with the files that are deployed.
public final class OperatedAllocation: Sendable {
    /// For what the target runs.
    public enum Cause: Sendable {
        /// Somebody asked for it; `allowsDrift`: files may differ from those that were promoted.
        case request(allowsDrift: Bool)
        /// Its worker is rebooted.
        case reboot
    }

    public let work: JobWork
    public let entry: Plan.Entry
    public let verb: Operation.Verb
    public let cause: Cause
    /// What runs there.
    public let from: FromState?

    init(_ work: JobWork, _ entry: Plan.Entry, _ verb: Operation.Verb, _ cause: Cause) {
        self.work = work
        self.entry = entry
        self.verb = verb
        self.cause = cause
        from = work.from(of: entry)
    }

    public var allocation: AllocationID { AllocationID(job: work.job.job, worker: entry.worker) }

    /// Whether files may differ from those that were promoted.
    public var allowsDrift: Bool {
        switch cause {
        case .request(let allowsDrift): allowsDrift
        case .reboot: false
        }
    }

    /// What has to be true before the target: a start after a reboot comes after a stop for which it was.
    var precondition: Precondition? {
        switch (cause, verb) {
        case (.reboot, .start): nil
        case (.reboot, _), (.request, _): .promoted(self)
        }
    }

    /// What was promoted there.
    var release: Release? {
        from.flatMap { from in from.content.map { Release(version: from.version, content: $0) } }
    }

    /// A target by its name may do anything or nothing; the others leave the allocation unfinished until they have ended.
    var changesAtStart: [CatalogChange] {
        switch verb {
        case .restart, .start, .stop: release.map { [.operating(allocation, $0)] } ?? []
        case .target: []
        }
    }

    /// What is stopped for a reboot stays unfinished until it is started: nobody wants it to be stopped.
    var changesAtSuccess: [CatalogChange] {
        switch (verb, cause) {
        case (.restart, _), (.start, _):
            [.started(allocation)] + (work.job.healthCheck != nil ? [.gateOwed([allocation])] : [])
        case (.stop, .request): [.stoppedByHand(allocation)]
        case (.stop, .reboot), (.target, _): []
        }
    }
}

/// An allocation that the plan stops, with what its steps need.
public final class StopWork: Sendable {
    public let stop: Plan.Stop
    /// Hooks that run when it was stopped, in order.
    let hooks: [HookWork]
    /// Hooks around the stop.
    let hooksAround: [HookEvent: [HookWork]]
    /// Where the job goes on, if a gate asks there after the stops.
    private let staying: [WorkerName]

    init(
        _ stop: Plan.Stop, _ hooks: [HookWork], around hooksAround: [HookEvent: [HookWork]] = [:], staying: [WorkerName]
    ) {
        self.stop = stop
        self.hooks = hooks
        self.hooksAround = hooksAround
        self.staying = staying
    }

    /// What runs there.
    var release: Release? {
        (stop.from.content ?? stop.from.unfinished).map { Release(version: stop.from.version, content: $0) }
    }

    /// What a rollout has begun there stays what is unfinished.
    var changesAtStart: [CatalogChange] {
        guard stop.from.unfinished == nil, let release else { return [] }
        return [.began(stop.allocation, release)]
    }

    /// What the catalog learns when the allocation is stopped; what it learns of a removal comes later.
    var changesAtStop: [CatalogChange] {
        guard stop.reason == .rolledBack, let release = stop.release else {
            let job = stop.allocation.job
            let owed = staying.map { AllocationID(job: job, worker: $0) }
            return [.stopped(stop.allocation, removed: false)] + takenBack + (owed.isEmpty ? [] : [.gateOwed(owed)])
        }
        return [.stoppedAgain(stop.allocation, release, byHand: stop.end == .stoppedByHand)] + takenBack
    }

    /// What the catalog learns when its files are removed.
    var changesAtRemoval: [CatalogChange] { [.stopped(stop.allocation, removed: true)] + takenBack }

    private var takenBack: [CatalogChange] {
        guard stop.reason == .rolledBack, let made = stop.from.unfinished ?? stop.from.content else { return [] }
        return [.tookBack(stop.allocation, content: made)]
    }
}

/// A hook of a job, as all steps that run it have it in common.
public final class HookWork: Sendable {
    public let event: HookEvent
    public let hook: Plan.Hook
    /// The tree of the job's `_modules`.
    public let modules: Digest
    /// Seconds that an attempt may take.
    public let timeout: Int

    init(_ event: HookEvent, _ hook: Plan.Hook, modules: Digest, timeout: Int) {
        self.event = event
        self.hook = hook
        self.modules = modules
        self.timeout = timeout
    }
}
