internal import Model

/// The allocations of batches that wait for their last hooks.
struct HooksAround {
    fileprivate struct Waiting {
        let surrounded: Surrounded
        let batch: StageIndex
        let chain: ChainIndex
        /// What the ids of the batch's steps begin with.
        let prefix: String
    }

    fileprivate var waiting: [Waiting] = []

    /// Takes in an allocation on which something runs.
    mutating func note(_ surrounded: Surrounded, _ batch: StageIndex, _ chain: ChainIndex, _ prefix: String) {
        waiting.append(Waiting(surrounded: surrounded, batch: batch, chain: chain, prefix: prefix))
    }
}

extension GraphBuilder {
    /// The hooks that come once before a batch, if anything runs in it.
    ///
    /// - Parameter acting: what is done to each allocation of the batch; nil if nothing runs there.
    mutating func addLead(_ acting: [Surrounded?], _ prefix: String) -> [StepIndex] {
        guard let first = acting.lazy.compactMap({ $0 }).first else { return [] }
        let event = HookEvent.beforeBatch
        return first.hooks(event).map {
            add(
                .hook(HookTask(work: $0, purpose: .around(first))), "\(prefix)/\(event.rawValue)",
                .job(first.allocation.job))
        }
    }

    /// The hooks that come before anything of an allocation is touched.
    mutating func addBefore(_ surrounded: Surrounded, _ prefix: String) -> [StepIndex] {
        add(.beforeAllocation, surrounded, prefix)
    }

    /// Adds the stage of the hooks that come last for the allocations that wait for them, if there are any.
    mutating func addAfter(_ around: inout HooksAround, gate: StepIndex?, to unit: inout StepGraph.Unit) {
        let chains = around.waiting.map { waiting in
            StepGraph.AfterHooks.Chain(
                batch: waiting.batch, chain: waiting.chain,
                healthy: add(.afterAllocationHealthy, waiting.surrounded, waiting.prefix),
                after: add(.afterAllocation, waiting.surrounded, waiting.prefix))
        }.filter { !$0.steps.isEmpty }
        let isWhole = around.waiting.contains { !$0.surrounded.hooks(.beforeAllocation).isEmpty }
        around.waiting = []
        if chains.isEmpty { return }
        unit.stages.append(.afterHooks(.init(chains: Table(chains), gate: gate, isWhole: isWhole)))
    }

    private mutating func add(_ event: HookEvent, _ surrounded: Surrounded, _ prefix: String) -> [StepIndex] {
        let allocation = surrounded.allocation
        return surrounded.hooks(event).map {
            add(
                .hook(HookTask(work: $0, purpose: .around(surrounded))),
                "\(prefix)/\(allocation.worker)/\(event.rawValue)", .allocation(allocation))
        }
    }
}

extension StepGraph.Chain {
    /// The chain with these hooks before it: once they have begun, it goes on to its end.
    func led(by hooks: [StepIndex]) -> Self {
        if hooks.isEmpty { return self }
        var chain = self
        chain.steps = hooks + steps
        chain.hooksBefore = hooks.count
        chain.isWhole = true
        return chain
    }
}
