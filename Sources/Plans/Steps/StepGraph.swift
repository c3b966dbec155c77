public import Model

/// The steps of a plan: what there is to do, in which order, named stably.
///
/// It follows from the plan alone, and from what is recorded of the run before any batch begins (orders that hooks have set,
/// allocations that the run goes on without), so that every process sees the same steps. Indices are used between the step
/// machine and the runner; ids are what is recorded.
///
/// ```swift
/// let graph = StepGraph(plan)
/// for unit in graph.units { for step in unit.steps { print(graph.steps[step].id) } }
/// ```
public struct StepGraph: Sendable {
    public let plan: Plan
    /// Every step that there ever was; after `reorder` some belong to no unit.
    public private(set) var steps: Table<StepIndex, Step>
    /// What is executed: the stops first, then the jobs, wave by wave.
    public private(set) var units: Table<UnitIndex, Unit>
    /// Where each step is in `units`, beside `steps`.
    public private(set) var places: Table<StepIndex, Place> = []
    /// Orders that hooks have set instead of the plan's.
    public private(set) var orders: [JobName: [WorkerName]]
    /// Allocations and workers that the run goes on without: nothing more is done for them, and gates, hooks and lists leave
    /// them out.
    public private(set) var leftBehind: Set<Subject>
    /// Workers that were found, when their turn came, to need no reboot: nothing more is done for them.
    public private(set) var notNeeded: Set<WorkerName>
    /// Allocations and workers that were left behind once and are a part of the run again.
    public let takenIn: Set<Subject>

    /// What a unit stands for.
    public enum UnitKind: Sendable {
        /// The stops of the plan.
        case stops
        case job(JobWork)
        /// Workers as a whole.
        case workers
    }

    /// A sequence of stages that stands for a job, for the stops of the plan, or for its workers.
    public struct Unit: Sendable {
        public let kind: UnitKind
        /// Failures in spite of which the unit's batches go on.
        public let maxFailures: Int
        /// Units of a lower level finish first; a job has the index of its wave, and the stops -1, or a level after all waves.
        public let level: Int
        /// In order; each stage needs the one before.
        public internal(set) var stages: Table<StageIndex, Stage> = []
        /// The first stage that comes only when every allocation of the job succeeded.
        public internal(set) var closing = StageIndex(.max)

        /// Nil if it is no job.
        public var work: JobWork? {
            switch kind {
            case .job(let work): work
            case .stops, .workers: nil
            }
        }

        /// Nil if it is no job.
        public var job: JobName? { work?.job.job }

        /// Jobs whose failure blocks this one: those that it demands. Where they are stopped after it, those that demand it.
        public let demands: [JobName]

        /// All steps, in order.
        public var steps: [StepIndex] { stages.flatMap(\.steps) }

        init(_ kind: UnitKind, level: Int, demands: [JobName] = [], maxFailures: Int = 0) {
            self.kind = kind
            self.level = level
            self.demands = demands
            self.maxFailures = maxFailures
        }
    }

    /// What of a unit happens at a time.
    public enum Stage: Sendable {
        /// Allocations that are worked on in parallel.
        case batch(Batch)
        /// One step of the job as a whole.
        case single(StepIndex)
        /// Hooks that come last for allocations of the batches before.
        case afterHooks(AfterHooks)

        /// All steps of the stage; of a batch chain by chain.
        public var steps: [StepIndex] {
            switch self {
            case .single(let step): [step]
            case .batch(let batch): batch.lead + batch.chains.flatMap(\.allSteps)
            case .afterHooks(let hooks): hooks.chains.flatMap(\.steps)
            }
        }
    }

    /// Allocations that are worked on in parallel, or hooks that run side by side.
    public struct Batch: Sendable {
        /// Hooks that come once, before everything else of the batch; each needs the one before.
        public var lead: [StepIndex] = []
        /// One for each allocation, in the batch's order.
        public let chains: Table<ChainIndex, Chain>
        /// Nil for hooks of the job as a whole, such as `pre_deploy`.
        public let position: Position?

        /// Which batch it is.
        public struct Position: Sendable {
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
        public var steps: [StepIndex]
        /// How many of `steps` come before anything of the allocation is touched: hooks of `before_allocation`.
        public var hooksBefore = 0
        /// Whether it goes on to its end once it has begun, also while the run parks: half of it would be worse than none.
        public var isWhole = false
        /// They begin when all chains of the batch have ended, for those that succeeded: a round for each command, and no next
        /// round before all of one have succeeded.
        public var hooks: [StepIndex] = []
        /// Recorded when all chains and hooks of the batch have ended; nil if the catalog learns of it with the
        /// outcome of another step, or not at all.
        public let promote: StepIndex?

        /// The promote comes last.
        public var allSteps: [StepIndex] { steps + hooks + (promote.map { [$0] } ?? []) }
    }

    /// Hooks that come last for the allocations of one or more batches: when the gate behind the batches has passed, has failed,
    /// or is not reached since a batch has failed.
    public struct AfterHooks: Sendable {
        /// One for each allocation that has such hooks, in the order of the batches.
        public let chains: Table<ChainIndex, Chain>
        /// The gate that says which allocations are well; nil if none is asked.
        public let gate: StepIndex?
        /// Whether the gate and these hooks come also while the run parks: allocations wait for them that `before_allocation`
        /// has prepared.
        public let isWhole: Bool

        /// The hooks of one allocation.
        public struct Chain: Sendable {
            /// The stage of the allocation's batch, and its chain there.
            public let batch: StageIndex
            public let chain: ChainIndex
            /// In order; only for an allocation that is well.
            public let healthy: [StepIndex]
            /// In order; for every allocation of which anything has begun.
            public let after: [StepIndex]

            public var steps: [StepIndex] { healthy + after }
        }
    }

    /// Where a step is: its unit, its stage there, and its chain if it belongs to a batch.
    public struct Place: Sendable {
        public var unit = UnitIndex(0)
        public var stage = StageIndex(0)
        /// Nil if the stage is a single step, or the step leads its batch.
        public var chain: ChainIndex?
        /// 0 for the chain's steps; n for its hook of the n-th round.
        public var round = 0
    }

    /// - Parameters:
    ///   - orders: what is recorded of the run; orders of jobs that the plan does not have are ignored.
    ///   - leftBehind: what is recorded of the run; so are `takenIn` and `notNeeded`.
    public init(
        _ plan: Plan, orders: [JobName: [WorkerName]] = [:], leftBehind: Set<Subject> = [],
        takenIn: Set<Subject> = [], notNeeded: Set<WorkerName> = []
    ) {
        self.plan = plan
        self.orders = orders
        self.leftBehind = leftBehind
        self.takenIn = takenIn
        self.notNeeded = notNeeded
        var builder = GraphBuilder(plan)
        units = builder.units(orders)
        steps = builder.steps
        for unit in units.indices { place(unit) }
    }

    /// Sets another order than the one by which a unit's batches are made. Nothing of them has begun. Steps keep
    /// their indices; those that exist no more belong to no unit.
    public mutating func reorder(_ unit: UnitIndex, _ order: [WorkerName]) {
        guard let work = units[unit].work else { return }
        orders[work.job.job] = order
        var builder = GraphBuilder(plan, steps: steps, of: units[unit].steps)
        units[unit] = builder.unit(of: work, level: units[unit].level, order)
        steps = builder.steps
        place(unit)
    }

    /// Goes on without these. Nothing of them has begun; their steps keep their places.
    public mutating func leave(_ subjects: some Sequence<Subject>) { leftBehind.formUnion(subjects) }

    /// Nothing more is done for this worker, as it has said.
    public mutating func spare(_ worker: WorkerName) { notNeeded.insert(worker) }

    private mutating func place(_ unit: UnitIndex) {
        let missing = steps.count - places.count
        if missing > 0 { places.append(contentsOf: repeatElement(Place(), count: missing)) }
        for (index, stage) in units[unit].stages.indexed {
            switch stage {
            case .single(let step): places[step] = Place(unit: unit, stage: index)
            case .afterHooks(let hooks):
                for (chain, content) in hooks.chains.indexed {
                    for step in content.steps { places[step] = Place(unit: unit, stage: index, chain: chain) }
                }
            case .batch(let batch):
                for step in batch.lead { places[step] = Place(unit: unit, stage: index) }
                for (chain, content) in batch.chains.indexed {
                    for step in content.allSteps { places[step] = Place(unit: unit, stage: index, chain: chain) }
                    for (round, hook) in content.hooks.enumerated() { places[hook].round = round + 1 }
                }
            }
        }
    }
}
