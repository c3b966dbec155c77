internal import Catalog
internal import Executor
internal import Model
internal import StepMachinery

/// Finds out what a process has to know before it does the first step of a run.
struct RunPreparation: Sendable {
    let execution: RunExecution
    let recorder: Recorder
    /// The recorded steps of the run.
    let records: [StepRecord]

    /// A run whose workers were asked, as this process executes it.
    struct Prepared: Sendable {
        var stepRunner: StepRunner
        var machine: StepMachine
        /// What somebody has changed on its workers, if nothing of the run has begun.
        var drift: [StaleFact]
    }

    /// Asks all workers whether they are ready, and those of steps of which nothing is known what became of them.
    ///
    /// - Throws: `RolloutError` if the run cannot go on; `CancellationError`.
    func prepare() async throws -> Prepared {
        let context = execution.context
        do {
            let pool = try await WorkerPool.assemble(
                execution.plan, owner: context.owner(of: recorder.run), takeOver: execution.options.takeOver,
                transport: execution.transport, recorder: recorder, records: records)
            let stepRunner = StepRunner(
                recorder: recorder, store: context.store, sealed: context.sealedFiles, pool: pool,
                monitor: execution.monitor)
            var records = records
            let isGivenUp = try await giveUpAbsent(of: pool)
            if try await stepRunner.settleUnknown(records) || isGivenUp {
                records = try context.catalog.steps(of: recorder.run.id)
            }
            let machine = StepMachine(recorder.graph, records, execution.options)
            let drift = await stepRunner.driftAtStart(machine, records)
            if drift.isEmpty, let (target, missing) = await stepRunner.missingTargets(records) {
                throw RolloutError.missingTarget(target, missing)
            }
            try Task.checkCancellation()
            return Prepared(stepRunner: stepRunner, machine: machine, drift: drift)
        } catch {
            // What a worker did not answer any more is no fault of it.
            try Task.checkCancellation()
            if let unfit = error as? UnfitWorkers { throw RolloutError(unfit) }
            throw error
        }
    }

    /// Gives up what absent workers run; false if there are none.
    private func giveUpAbsent(of pool: WorkerPool) async throws -> Bool {
        let latest = Dictionary(records.map { ($0.step, $0) }, uniquingKeysWith: { _, last in last })
        for (worker, reason) in pool.absent.sorted(by: { $0.key < $1.key }) {
            try await recorder.giveUp(worker, latest: latest, reason: reason)
        }
        return !pool.absent.isEmpty
    }
}
