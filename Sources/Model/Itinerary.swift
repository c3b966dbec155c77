/// A plan laid out as steps: what there is to do, in which order, named stably.
///
/// Derived from the plan alone, so that every process that reads the plan sees the same steps. Indices into `steps`
/// are used between the machine and the runner; ids are what is recorded.
public struct Itinerary: Sendable {
    public let plan: Plan
    public private(set) var steps: [Step] = []
    /// What is executed in order: the stops first, then the jobs, wave by wave.
    public private(set) var units: [Unit] = []
    /// Position of each step's allocation or job in the plan, beside `steps`.
    private(set) var sources: [Source] = []
    /// Where each step stands in `units`, beside `steps`.
    public private(set) var places: [Place] = []
    private let trees: [AllocationID: Digest]

    /// A sequence of stages that stands for a job, or for the stops of the plan.
    public struct Unit: Sendable {
        /// Nil for the stops.
        public let job: JobName?
        /// Units of a lower level finish first; the stops have level -1, a job the index of its wave.
        public let level: Int
        public let demands: Set<JobName>
        public internal(set) var stages: [Stage] = []
        /// Index of the first stage that comes only where every allocation of the job succeeded.
        public internal(set) var closing = Int.max

        /// Indices of all steps, in order.
        public var steps: [Int] {
            stages.flatMap { stage in
                switch stage {
                case .single(let step): [step]
                case .batch(let chains): chains.flatMap(\.allSteps)
                }
            }
        }
    }

    public enum Stage: Sendable {
        /// Allocations that act in parallel.
        case batch([Chain])
        /// One step of the job as a whole.
        case single(Int)
    }

    /// The steps of one allocation in one batch.
    public struct Chain: Sendable {
        /// In order; each needs the one before.
        public let steps: [Int]
        /// Recorded once all chains of the batch have ended; nil for stops, which the catalog learns of with the
        /// outcome of the last step.
        public let promote: Int?

        /// The promote comes last.
        public var allSteps: [Int] { steps + (promote.map { [$0] } ?? []) }
    }

    /// A step's unit and, where it belongs to an allocation, its chain within the stage.
    public struct Place: Sendable {
        public var unit = 0
        public var chain: Int?
    }

    /// Where the facts of a step stand in the plan.
    enum Source: Sendable {
        case stop(Int)
        case entry(wave: Int, job: Int, phase: Int, batch: Int, entry: Int)
        case job(wave: Int, job: Int)
    }

    public init(_ plan: Plan) {
        self.plan = plan
        var trees: [AllocationID: Digest] = [:]
        for job in plan.waves.lazy.flatMap(\.jobs) {
            for content in job.content {
                for worker in content.workers { trees[AllocationID(job: job.job, worker: worker)] = content.tree }
            }
        }
        self.trees = trees
        addStops()
        for (wave, content) in plan.waves.enumerated() {
            for job in content.jobs.indices { addJob(wave: wave, job: job) }
        }
        places = Array(repeating: Place(), count: steps.count)
        for (unit, content) in units.enumerated() {
            for stage in content.stages {
                switch stage {
                case .single(let step): places[step] = Place(unit: unit, chain: nil)
                case .batch(let chains):
                    for (index, chain) in chains.enumerated() {
                        for step in chain.allSteps { places[step] = Place(unit: unit, chain: index) }
                    }
                }
            }
        }
    }

    /// Consecutive stops of one job act in parallel; another job's stops wait for them, since the planner lists
    /// dependents before what they demand.
    private mutating func addStops() {
        guard !plan.reconcile.isEmpty else { return }
        var unit = Unit(job: nil, level: -1, demands: [])
        var chains: [Chain] = []
        var last: JobName?
        for (index, stop) in plan.reconcile.enumerated() {
            let allocation = stop.allocation
            if let last, last != allocation.job {
                unit.stages.append(.batch(chains))
                chains = []
            }
            last = allocation.job
            let prefix = "\(allocation.job)/stop/1/\(allocation.worker)"
            var steps = [add(.action(.stop), prefix, allocation.job, allocation.worker, .stop(index))]
            if stop.reason == .removed {
                steps.append(add(.remove, prefix, allocation.job, allocation.worker, .stop(index)))
            }
            chains.append(Chain(steps: steps, promote: nil))
        }
        unit.stages.append(.batch(chains))
        units.append(unit)
    }

    private mutating func addJob(wave: Int, job: Int) {
        let content = plan.waves[wave].jobs[job]
        let source = Source.job(wave: wave, job: job)
        var unit = Unit(job: content.job, level: wave, demands: Set(content.demands))
        if content.gateFirst {
            unit.stages.append(.single(add(.gate, content.job.text, content.job, nil, source)))
        }
        for (phaseIndex, phase) in content.phases.enumerated() {
            let phasePrefix = "\(content.job)/\(phase.kind.rawValue)"
            var targetRan = false
            let watch = phase.gate == .none ? phase.kind.gateTiming : phase.gate
            for (batchIndex, batch) in phase.batches.enumerated() {
                let prefix = "\(phasePrefix)/\(batchIndex + 1)"
                let chains = batch.enumerated().map { entryIndex, entry in
                    let place = Source.entry(
                        wave: wave, job: job, phase: phaseIndex, batch: batchIndex, entry: entryIndex)
                    let own = "\(prefix)/\(entry.worker)"
                    var steps = [add(.push, own, content.job, entry.worker, place)]
                    if entry.action.target != nil {
                        steps.append(add(.action(entry.action), own, content.job, entry.worker, place))
                    }
                    return Chain(steps: steps, promote: add(.promote, own, content.job, entry.worker, place))
                }
                unit.stages.append(.batch(chains))
                // A gate asks whether what a target did holds; a batch that only moved files has nothing to ask.
                let ran = batch.contains { $0.action.target != nil }
                targetRan = targetRan || ran
                if watch == .afterEachBatch, ran { addWatch(of: phase, content, prefix, source, to: &unit) }
            }
            if watch == .afterPhase, targetRan { addWatch(of: phase, content, phasePrefix, source, to: &unit) }
        }
        unit.closing = unit.stages.count
        // The gates before left out what had failed, and may since have been tried again.
        if content.batching.maxFailures > 0, content.healthCheck != nil {
            unit.stages.append(.single(add(.gate, "\(content.job)/end", content.job, nil, source)))
        }
        unit.stages.append(.single(add(.complete, content.job.text, content.job, nil, source)))
        units.append(unit)
    }

    /// The gate of a phase that has one, then the bake of a job that bakes.
    private mutating func addWatch(
        of phase: Plan.Phase, _ job: Plan.Job, _ prefix: String, _ source: Source, to unit: inout Unit
    ) {
        if phase.gate != .none { unit.stages.append(.single(add(.gate, prefix, job.job, nil, source))) }
        if job.batching.bakeSeconds > 0 { unit.stages.append(.single(add(.bake, prefix, job.job, nil, source))) }
    }

    private mutating func add(
        _ kind: StepKind, _ prefix: String, _ job: JobName, _ worker: WorkerName?, _ source: Source
    ) -> Int {
        steps.append(Step(id: StepID("\(prefix)/\(kind.verb)"), kind: kind, job: job, worker: worker))
        sources.append(source)
        return steps.count - 1
    }

    // MARK: Facts of a step

    /// The tree that an acting allocation ends with.
    public func tree(of worker: WorkerName, in job: JobName) -> Digest? {
        trees[AllocationID(job: job, worker: worker)]
    }

    /// The job that a step belongs to; nil for stops, whose job may be gone from the workspace.
    public func job(of step: Int) -> Plan.Job? {
        switch sources[step] {
        case .stop: nil
        case .entry(let wave, let job, _, _, _), .job(let wave, let job): plan.waves[wave].jobs[job]
        }
    }

    /// The batch entry of a step of one allocation.
    public func entry(of step: Int) -> Plan.Entry? {
        switch sources[step] {
        case .stop, .job: nil
        case .entry(let wave, let job, let phase, let batch, let entry):
            plan.waves[wave].jobs[job].phases[phase].batches[batch][entry]
        }
    }

    /// What the plan takes the step's allocation to run before it acts; nil for steps of a job as a whole.
    public func from(of step: Int) -> FromState? {
        if let stop = stop(of: step) { return stop.from }
        guard let entry = entry(of: step) else { return nil }
        return job(of: step)?.from.first { $0.name == entry.from }?.value
    }

    /// The stop that a step carries out.
    public func stop(of step: Int) -> Plan.Stop? {
        switch sources[step] {
        case .stop(let index): plan.reconcile[index]
        case .entry, .job: nil
        }
    }
}
