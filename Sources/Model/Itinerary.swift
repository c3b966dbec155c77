/// A plan laid out as steps: what there is to do, in which order, named stably.
///
/// Derived from the plan alone, and from the orders that hooks of the run have put, which are recorded before any batch
/// is begun; so every process that reads them sees the same steps. Indices into `steps` are used between the machine and
/// the runner; ids are what is recorded.
public struct Itinerary: Sendable {
    /// What is laid out.
    public let plan: Plan
    /// Every step that was ever laid out; after `reorder` some belong to no unit.
    public private(set) var steps: [Step] = []
    /// What is executed in order: the stops first, then the jobs, wave by wave.
    public private(set) var units: [Unit] = []
    /// Where each step stands in `units`, beside `steps`.
    public private(set) var places: [Place] = []
    /// Orders that hooks have put in the place of the plan's.
    public private(set) var orders: [JobName: [WorkerName]]
    /// Allocations that the run goes on without: they act no more, and gates, hooks and lists leave them out.
    public private(set) var leftBehind: Set<AllocationID>
    /// Allocations that were left behind once and are a part of the run again.
    public let takenIn: Set<AllocationID>
    /// Gates that ask only about the allocations of the batch before them.
    private(set) var batchGates = Set<Int>()
    /// Position of each step's allocation or job in the plan, beside `steps`.
    private(set) var sources: [Source] = []
    /// The tree that each acting allocation ends with.
    let trees: [AllocationID: Digest]

    /// A sequence of stages that stands for a job, or for the stops of the plan.
    public struct Unit: Sendable {
        /// Nil for the stops.
        public let job: JobName?
        /// Units of a lower level finish first; the stops have level -1, a job the index of its wave.
        public let level: Int
        /// Jobs whose failure blocks this one.
        public let demands: Set<JobName>
        /// In order.
        public internal(set) var stages: [Stage] = []
        /// Index of the first stage that comes only where every allocation of the job succeeded.
        public internal(set) var closing = Int.max

        /// Indices of all steps, in order.
        public var steps: [Int] {
            stages.flatMap { stage in
                switch stage {
                case .single(let step): [step]
                case .batch(let batch): batch.chains.flatMap(\.allSteps)
                }
            }
        }
    }

    /// What of a unit happens at a time; each stage needs the one before.
    public enum Stage: Sendable {
        /// Allocations that act in parallel.
        case batch(Batch)
        /// One step of the job as a whole.
        case single(Int)
    }

    /// Allocations that act in parallel, or hooks that run side by side.
    public struct Batch: Sendable {
        /// One for each allocation, in the batch's order.
        public let chains: [Chain]
        /// Nil for hooks of the job as a whole, such as `pre_deploy`.
        public let cut: Cut?

        /// Which batch it is.
        public struct Cut: Sendable {
            /// Nil for stops.
            public let phase: PhaseKind?
            /// Counts from 0; with `job_control` over all phases of the job.
            public let index: Int
            /// How many there are.
            public let count: Int
        }

        /// How many rounds of hooks there are: one for each command.
        public var rounds: Int { chains.lazy.map(\.hooks.count).max() ?? 0 }
    }

    /// The steps of one allocation in one batch.
    public struct Chain: Sendable {
        /// In order; each needs the one before.
        public let steps: [Int]
        /// Begun when all chains of the batch have ended, for those that went well: a round for each command, and no next
        /// round before all of one have succeeded.
        public var hooks: [Int] = []
        /// Recorded once all chains and hooks of the batch have ended; nil where the catalog learns of it with the
        /// outcome of another step, or not at all.
        public let promote: Int?

        /// The promote comes last.
        public var allSteps: [Int] { steps + hooks + (promote.map { [$0] } ?? []) }
    }

    /// A step's unit and, where it belongs to an allocation, its chain within the stage.
    public struct Place: Sendable {
        /// Index into `units`.
        public var unit = 0
        /// Index into the unit's stages.
        public var stage = 0
        /// Index into the batch's chains; nil where the stage is a single step.
        public var chain: Int?
        /// 0 for the chain's steps; n for its hook of the n-th round.
        public var round = 0
    }

    /// Where the facts of a step stand in the plan.
    enum Source: Sendable {
        case stop(Int)
        case entry(EntryPosition)
        case job(wave: Int, job: Int)
    }

    /// Indices of a batch entry in the plan.
    struct EntryPosition {
        var wave: Int
        var job: Int
        var phase: Int
        var batch: Int
        var entry: Int
    }

    /// - Parameters:
    ///   - orders: what is recorded of the run; orders of jobs that the plan does not have are ignored.
    ///   - leftBehind: what is recorded of the run; so is `takenIn`.
    public init(
        _ plan: Plan, orders: [JobName: [WorkerName]] = [:], leftBehind: Set<AllocationID> = [],
        takenIn: Set<AllocationID> = []
    ) {
        self.plan = plan
        self.orders = orders
        self.leftBehind = leftBehind
        self.takenIn = takenIn
        var trees: [AllocationID: Digest] = [:]
        for job in plan.waves.lazy.flatMap(\.jobs) {
            for content in job.content {
                for worker in content.workers { trees[AllocationID(job: job.job, worker: worker)] = content.tree }
            }
        }
        self.trees = trees
        addStops()
        for (wave, content) in plan.waves.enumerated() {
            for job in content.jobs.indices {
                var layout = Layout()
                units.append(lay(wave: wave, job: job, &layout))
            }
        }
        for unit in units.indices { place(unit) }
    }

    /// Puts another order in the place of the one by which a unit's batches are cut. Nothing of them has begun. Steps keep
    /// their indices; those that are no more belong to no unit.
    public mutating func reorder(_ unit: Int, _ order: [WorkerName]) {
        guard let job = units[unit].job, let first = units[unit].steps.first,
            case .job(let wave, let index) = jobSource(of: first)
        else { return }
        orders[job] = order
        var layout = Layout()
        for step in units[unit].steps { layout.known[steps[step].id] = step }
        units[unit] = lay(wave: wave, job: index, &layout)
        place(unit)
    }

    /// Goes on without these allocations. Nothing of them has begun; their steps keep their places.
    public mutating func leave(_ allocations: some Sequence<AllocationID>) { leftBehind.formUnion(allocations) }

    /// Where the step's job stands; for stops where the stop does.
    func jobSource(of step: Int) -> Source {
        switch sources[step] {
        case .stop, .job: sources[step]
        case .entry(let position): .job(wave: position.wave, job: position.job)
        }
    }

    private mutating func place(_ unit: Int) {
        for step in units[unit].steps where step >= places.count {
            places += Array(repeating: Place(), count: step + 1 - places.count)
        }
        for (index, stage) in units[unit].stages.enumerated() {
            switch stage {
            case .single(let step): places[step] = Place(unit: unit, stage: index)
            case .batch(let batch):
                for (chain, content) in batch.chains.enumerated() {
                    for step in content.allSteps { places[step] = Place(unit: unit, stage: index, chain: chain) }
                    for (round, hook) in content.hooks.enumerated() { places[hook].round = round + 1 }
                }
            }
        }
    }

    // MARK: Layout

    /// Steps of a unit that is laid out again, by id.
    private struct Layout {
        var known: [StepID: Int] = [:]
    }

    /// Consecutive stops of one job act in parallel; another job's stops wait for them, since the planner lists
    /// dependents before what they demand.
    private mutating func addStops() {
        guard !plan.reconcile.isEmpty else { return }
        var layout = Layout()
        var unit = Unit(job: nil, level: -1, demands: [])
        var next = 0
        while next < plan.reconcile.count {
            let job = plan.reconcile[next].allocation.job
            let hooks = plan.stopHooks(of: job)?.commands ?? []
            var chains: [Chain] = []
            while next < plan.reconcile.count, plan.reconcile[next].allocation.job == job {
                chains.append(chain(ofStop: next, hooks, &layout))
                next += 1
            }
            unit.stages.append(.batch(Batch(chains: chains, cut: .init(phase: nil, index: 0, count: 1))))
        }
        units.append(unit)
    }

    /// A removed allocation keeps its files until its hooks have seen it stopped.
    private mutating func chain(ofStop index: Int, _ hooks: [Plan.Hook], _ layout: inout Layout) -> Chain {
        let stop = plan.reconcile[index]
        let allocation = stop.allocation
        let prefix = "\(allocation.job)/stop/1/\(allocation.worker)"
        var steps = [add(.action(.stop), prefix, allocation.job, allocation.worker, .stop(index), &layout)]
        for hook in hooks {
            let event = HookEvent.afterAllocationStopped
            steps.append(
                add(
                    .hook(event, command: hook.command), "\(prefix)/\(event.rawValue)", allocation.job,
                    allocation.worker, .stop(index), &layout))
        }
        if stop.reason == .removed {
            steps.append(add(.remove, prefix, allocation.job, allocation.worker, .stop(index), &layout))
        }
        return Chain(steps: steps, promote: nil)
    }

    private mutating func lay(wave: Int, job: Int, _ layout: inout Layout) -> Unit {
        let content = plan.waves[wave].jobs[job]
        var unit = Unit(job: content.job, level: wave, demands: Set(content.demands))
        switch plan.kind {
        case .deploy: layRollout(wave: wave, job: job, to: &unit, &layout)
        case .jobCommand: addHooks(.cli, of: content, .job(wave: wave, job: job), to: &unit, &layout)
        }
        return unit
    }

    private mutating func layRollout(wave: Int, job: Int, to unit: inout Unit, _ layout: inout Layout) {
        let content = plan.waves[wave].jobs[job]
        let source = Source.job(wave: wave, job: job)
        func single(_ kind: StepKind, _ prefix: String) -> Stage {
            .single(add(kind, prefix, content.job, nil, source, &layout))
        }
        if content.gateFirst { unit.stages.append(single(.gate, content.job.text)) }
        addHooks(.preDeploy, of: content, source, to: &unit, &layout)
        if !content.orderingCommands.isEmpty { unit.stages.append(single(.order, content.job.text)) }
        let phases = content.phases.enumerated().map { cut($1, of: content, wave: wave, job: job, index: $0) }
        var earlier = 0
        for (phase, batches) in zip(content.phases, phases) {
            let phasePrefix = "\(content.job)/\(phase.kind.rawValue)"
            var isGated = false
            let watches = Self.watch(over: phase, of: content)
            let watch = phase.gate == .none ? phase.kind.gateTiming : phase.gate
            for (batchIndex, batch) in batches.enumerated() {
                let prefix = "\(phasePrefix)/\(batchIndex + 1)"
                let chains = batch.map { chain(of: $0, content, prefix, &layout) }
                let cut =
                    content.isJobControl
                    ? Batch.Cut(
                        phase: phase.kind, index: earlier + batchIndex, count: phases.reduce(0) { $0 + $1.count })
                    : Batch.Cut(phase: phase.kind, index: batchIndex, count: batches.count)
                unit.stages.append(.batch(Batch(chains: chains, cut: cut)))
                // A gate asks whether what was done holds; a batch that only moved files has nothing to ask.
                guard batch.contains(where: { content.isGated(entry(at: $0)) }) else { continue }
                isGated = true
                guard watch.followsEachBatch else { continue }
                for watch in watches {
                    let step = add(watch, prefix, content.job, nil, source, &layout)
                    if phase.kind == .recover { batchGates.insert(step) }
                    unit.stages.append(.single(step))
                }
            }
            earlier += batches.count
            if watch.followsPhase, isGated {
                // The bake of a phase with a gate for each batch is over by then.
                let last = watch.followsEachBatch ? watches.filter { $0 == .gate } : watches
                unit.stages += last.map { single($0, phasePrefix) }
            }
        }
        unit.closing = unit.stages.count
        // The gates before left out what had failed, and may since have been tried again.
        if content.hasEndGate { unit.stages.append(single(.gate, "\(content.job)/end")) }
        addHooks(.postDeploy, of: content, source, to: &unit, &layout)
        unit.stages.append(single(.complete, content.job.text))
    }

    private mutating func chain(
        of position: EntryPosition, _ job: Plan.Job, _ prefix: String, _ layout: inout Layout
    ) -> Chain {
        let entry = entry(at: position)
        let place = Source.entry(position)
        let own = "\(prefix)/\(entry.worker)"
        var steps = [add(.push, own, job.job, entry.worker, place, &layout)]
        var hooks: [Int] = []
        if job.isJobControl {
            hooks = job.hooks(.jobControl).map { hook in
                add(.hook(.jobControl, command: hook.command), own, job.job, entry.worker, place, &layout)
            }
        } else if entry.action.target != nil {
            steps.append(add(.action(entry.action), own, job.job, entry.worker, place, &layout))
            let event = HookEvent.afterAllocationStarted
            hooks = job.hooks(event).map { hook in
                add(
                    .hook(event, command: hook.command), "\(own)/\(event.rawValue)", job.job, entry.worker, place,
                    &layout)
            }
        }
        return Chain(
            steps: steps, hooks: hooks, promote: add(.promote, own, job.job, entry.worker, place, &layout))
    }

    /// A stage for each command: it runs for every active allocation, side by side.
    private mutating func addHooks(
        _ event: HookEvent, of job: Plan.Job, _ source: Source, to unit: inout Unit, _ layout: inout Layout
    ) {
        for hook in job.hooks(event) {
            let chains = allWorkers(of: job).map { worker in
                Chain(
                    steps: [
                        add(
                            .hook(event, command: hook.command), "\(job.job)/\(event.rawValue)/\(worker)", job.job,
                            worker, source, &layout)
                    ], promote: nil)
            }
            if !chains.isEmpty { unit.stages.append(.batch(Batch(chains: chains, cut: nil))) }
        }
    }

    /// The gate of a phase that has one, then the bake of a job that bakes.
    private static func watch(over phase: Plan.Phase, of job: Plan.Job) -> [StepKind] {
        (phase.gate != .none ? [.gate] : []) + (job.batching.bakeSeconds > 0 ? [.bake] : [])
    }

    /// The phase's batches: as the plan has them, or cut again by the order that hooks have put.
    private func cut(
        _ phase: Plan.Phase, of content: Plan.Job, wave: Int, job: Int, index: Int
    ) -> [[EntryPosition]] {
        let planned = phase.batches.enumerated().map { batch, entries in
            entries.indices.map { EntryPosition(wave: wave, job: job, phase: index, batch: batch, entry: $0) }
        }
        guard let order = orders[content.job] else { return planned }
        let ranks = Dictionary(
            order.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
        let sorted = planned.joined().map { (position: $0, rank: ranks[entry(at: $0).worker] ?? .max) }
            .sorted { $0.rank < $1.rank }.map(\.position)
        let spread = content.batching.spread
        let tags = spread.map { tag in
            Dictionary(
                (plan.facts?.workers ?? []).map { ($0.worker, $0.tags[tag]) }, uniquingKeysWith: { first, _ in first })
        }
        return content.batching.batches(
            of: sorted, in: phase.kind, tag: { tags?[entry(at: $0).worker] ?? nil },
            failed: { entry(at: $0).gate == .failed })
    }

    private mutating func add(
        _ kind: StepKind, _ prefix: String, _ job: JobName, _ worker: WorkerName?, _ source: Source,
        _ layout: inout Layout
    ) -> Int {
        let id = StepID("\(prefix)/\(kind.verb)")
        if let known = layout.known[id] { return known }
        steps.append(Step(id: id, kind: kind, job: job, worker: worker))
        sources.append(source)
        return steps.count - 1
    }
}
