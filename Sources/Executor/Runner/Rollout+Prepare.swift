internal import Catalog
internal import Model
internal import Workers

/// What is found out before a process does the first step of a run.
extension Rollout {
    /// A run whose workers were asked, as this process executes it.
    struct Prepared: Sendable {
        var stepRunner: StepRunner
        var machine: StepMachine
        /// What somebody has changed on its workers, where nothing of the run has begun.
        var drift: [StaleFact]
    }

    /// Asks all workers whether they are ready, and those of steps of which nothing is known what became of them.
    ///
    /// - Throws: `RolloutError` where the run cannot go on; `CancellationError`.
    func prepare(
        _ plan: Plan, _ recorder: Recorder, _ records: [StepRecord], _ monitor: WindowMonitor, options: Options,
        over transport: any Transport
    ) async throws -> Prepared {
        do {
            let pool = try await WorkerPool.assemble(
                plan, owner: owner(of: recorder.run), takeOver: options.takeOver, transport: transport,
                recorder: recorder, records: records)
            let stepRunner = StepRunner(recorder: recorder, store: store, pool: pool, monitor: monitor)
            var records = records
            let isGivenUp = try await giveUpAbsent(of: pool, recorder, records)
            if try await stepRunner.settleUnknown(records) || isGivenUp {
                records = try catalog.steps(of: recorder.run.id)
            }
            let machine = Self.machine(recorder.graph, records, options)
            let drift = await driftAtStart(stepRunner, machine, records)
            try Task.checkCancellation()
            return Prepared(stepRunner: stepRunner, machine: machine, drift: drift)
        } catch {
            // What a worker did not answer any more is no fault of it.
            try Task.checkCancellation()
            throw error
        }
    }

    /// Gives up what absent workers run; false where there are none.
    private func giveUpAbsent(
        of pool: WorkerPool, _ recorder: Recorder, _ records: [StepRecord]
    ) async throws -> Bool {
        let latest = Dictionary(records.map { ($0.step, $0) }, uniquingKeysWith: { _, last in last })
        for (worker, reason) in pool.absent.sorted(by: { $0.key < $1.key }) {
            try await recorder.giveUp(worker, latest: latest, reason: reason)
        }
        return !pool.absent.isEmpty
    }

    /// Somebody has asked to park while the workers were asked: this process has begun nothing.
    func endUnprepared(_ run: Run, _ reason: String) throws -> Ending {
        try catalog.finish(
            run.id, state: try hasBegun(run) ? .parked : .abandoned, detail: reason, at: clock.now())
        return .ended(
            try catalog.run(run.id) ?? run, .parked, problems: [], stale: [],
            leftBehind: try catalog.leftBehind(by: run.id))
    }
}

extension StepRunner {
    /// Asks once more about targets of which an earlier process could not learn how they ended. What their workers know by
    /// now settles them; the others stay unknown.
    ///
    /// - Returns: whether anything was asked.
    func settleUnknown(_ records: [StepRecord]) async throws -> Bool {
        guard records.contains(where: { $0.state == .unknown }) else { return false }
        let steps = graph.indices
        let unknown = records.compactMap { record -> (record: StepRecord, index: StepIndex, target: Target)? in
            guard record.state == .unknown, let index = steps[record.step],
                case .target(let target) = graph.steps[index].task
            else { return nil }
            return (record, index, target)
        }
        let endings = await unknown.sideBySide(width: WorkerPool.width) { record, index, target in
            await ending(of: record, target, index)
        }
        for ((record, index, _), ending) in zip(unknown, endings) {
            guard let ending else { continue }
            try await recorder.end(
                index, attempt: record.attempt, state: ending.state, exitStatus: ending.exitStatus,
                detail: ending.detail, output: ending.output)
            recorder.observe(
                .stepEnded(
                    graph.steps[index], outcome: ending.outcome, detail: ending.detail, milliseconds: 0))
        }
        return true
    }

    /// How an attempt ended, where its worker says that it did.
    private func ending(of record: StepRecord, _ target: Target, _ index: StepIndex) async -> Ending? {
        guard let session = try? await pool.session(graph.steps[index].worker),
            let report = try? await session.inquire(record.attemptID, tailLimit: Self.outputLimit),
            case .finished = report,
            case .ended(let ending) = Self.verdict(on: report, of: request(target, index, record.attempt), "the worker")
        else { return nil }
        return ending
    }
}
