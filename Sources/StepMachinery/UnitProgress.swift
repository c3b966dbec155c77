internal import Model
internal import Plans

/// How far a unit is in this process. Changed by its transitions alone. A pure value.
struct UnitProgress: Sendable {
    /// The batch that the unit is in.
    struct Batch {
        /// 0 while the chains' own steps are done, then the round of hooks.
        fileprivate(set) var round = 0
        /// Chains, or hooks of the round, that have not ended.
        fileprivate(set) var open: Int
        /// The facts of what has not begun are being checked.
        fileprivate(set) var isChecking = false
        /// They do not hold: only what an earlier process began is finished.
        fileprivate(set) var isStale = false
        /// The worst of what the chains came to.
        fileprivate(set) var worst = StepMachine.Outcome.succeeded
        /// Chains that did not succeed.
        fileprivate(set) var failures = 0
        /// The worst of what the hooks of the batch came to.
        fileprivate(set) var hooks = StepMachine.Outcome.succeeded
    }

    /// The first stage that has not ended.
    private(set) var stage = StageIndex(0)
    /// Nil while no batch is entered.
    private(set) var batch: Batch?
    /// Nil while the unit is open.
    private(set) var ended: StepMachine.Result?
    /// Allocations that failed in the batches behind the unit, within what the job allows.
    private(set) var failures = 0
    /// What has failed is more than the job allows: only what comes after a failure is still done.
    private(set) var hasFailed = false
    /// Where the last gate did not pass, if it has said so.
    private(set) var gateFailing: Set<WorkerName>?
    /// No batch begins in this process any more, since the window has no room for it.
    private(set) var isHeld = false

    // MARK: Transitions

    /// The facts of the next batch are asked for.
    mutating func beginCheck(chains: Int) { batch = Batch(open: chains, isChecking: true) }

    /// They are known.
    mutating func endCheck() { batch = nil }

    /// The chains of the next batch begin.
    mutating func enterBatch(chains: Int, isStale: Bool) { batch = Batch(open: chains, isStale: isStale) }

    /// A chain of the batch has ended.
    mutating func closeChain(_ outcome: StepMachine.Outcome) {
        batch?.open -= 1
        count(outcome)
    }

    /// What came of one allocation of the batch.
    mutating func count(_ outcome: StepMachine.Outcome) {
        guard outcome != .succeeded, let worst = batch?.worst else { return }
        batch?.worst = .worse(worst, outcome)
        batch?.failures += 1
    }

    /// What comes before the whole batch did not succeed: nothing of it begins.
    mutating func refuse(_ outcome: StepMachine.Outcome) {
        batch?.open = 0
        batch?.hooks = outcome
    }

    /// The next round of the batch's hooks begins.
    mutating func beginRound() { batch?.round += 1 }

    /// A hook of the round is open.
    mutating func openHook() { batch?.open += 1 }

    /// A hook of the round has ended.
    mutating func closeHook(_ outcome: StepMachine.Outcome) {
        guard let hooks = batch?.hooks else { return }
        batch?.open -= 1
        batch?.hooks = .worse(hooks, outcome)
    }

    /// The batch is over.
    mutating func leaveBatch() { batch = nil }

    /// The next stage is the first that has not ended.
    ///
    /// - Parameter failures: allocations of the stage that failed, and that the job goes on without.
    mutating func finishStage(failures: Int = 0) {
        stage = stage.advanced(by: 1)
        self.failures += failures
    }

    /// The stage has failed, and with it the job.
    mutating func fail() {
        finishStage()
        hasFailed = true
    }

    /// A gate has been asked.
    ///
    /// - Parameter failing: none if it passed, or if it cannot be said where it did not.
    mutating func noteGate(failing: [WorkerName]) { gateFailing = failing.isEmpty ? nil : Set(failing) }

    mutating func end(_ result: StepMachine.Result) { ended = result }

    mutating func hold() { isHeld = true }
}
