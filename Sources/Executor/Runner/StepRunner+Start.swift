package import Catalog
internal import Model
internal import Plans
package import StepMachinery
internal import Workers

/// What is asked of workers before a process does the first step of a run.
extension StepRunner {
    /// What somebody has changed on any worker that the plan acts on, all of it, found before anything of the run begins.
    ///
    /// Each batch is compared once more when its turn comes. Where the first thing that the run does is such a comparison,
    /// and nothing runs beside it, the workers of that batch are asked here only if another one has drifted.
    ///
    /// - Parameter records: the recorded steps of the run; if one of the plan's steps has begun, nothing is asked.
    package func driftAtStart(_ machine: StepMachine, _ records: [StepRecord]) async -> [StaleFact] {
        guard records.allSatisfy({ $0.step.isPreflight }) else { return [] }
        let all = graph.firstStepsOfAllocations
        var predicted = machine
        var next = Set<StepIndex>()
        let commands = predicted.advance()
        if commands.count == 1, case .check(let steps) = commands[0] { next = Set(steps) }
        let others = await drifts(of: all.filter { !next.contains($0) }, isStaging: false)
        if others.isEmpty { return [] }
        // In the plan's order.
        return await drifts(of: all.filter(next.contains), isStaging: false) + others
    }

    /// Asks once more about targets and commands of which an earlier process could not learn how they ended. What their
    /// workers know by now settles them; the others stay unknown.
    ///
    /// - Returns: whether anything was asked.
    package func settleUnknown(_ records: [StepRecord]) async throws -> Bool {
        guard records.contains(where: { $0.state == .unknown }) else { return false }
        let steps = graph.indices
        let unknown = records.compactMap { record -> (record: StepRecord, index: StepIndex)? in
            guard record.state == .unknown, let index = steps[record.step] else { return nil }
            return (record, index)
        }
        let endings = await unknown.sideBySide(width: WorkerPool.width) { record, index in
            await ending(of: record, index)
        }
        for ((record, index), ending) in zip(unknown, endings) {
            guard let ending else { continue }
            try await recorder.end(
                index, attempt: record.attempt, state: ending.state, exitStatus: ending.exitStatus,
                code: ending.fault?.code.rawValue, detail: ending.detail, output: ending.output)
            recorder.observe(
                .stepEnded(graph.steps[index], ending, milliseconds: 0))
        }
        return true
    }

    /// How an attempt ended, if its worker says that it did.
    private func ending(of record: StepRecord, _ index: StepIndex) async -> Ending? {
        let request: AttemptRequest?
        switch graph.steps[index].task {
        case .target(let target): request = self.request(target, index, record.attempt)
        case .shell(let shell): request = try? self.request(shell, index, record.attempt)
        case .push, .hook, .gate, .bake, .order, .promote, .remove, .complete, .boot, .reboot, .pause: request = nil
        }
        guard let request, let session = try? await pool.session(graph.steps[index].worker),
            let report = try? await session.inquire(record.attemptID, tailLimit: Self.outputLimit),
            case .finished = report, case .ended(let ending) = Self.verdict(on: report, of: request, .worker)
        else { return nil }
        return withoutSecrets(ending, index)
    }
}

extension StepGraph {
    /// The step with which each allocation that acts begins, in the plan's order.
    fileprivate var firstStepsOfAllocations: [StepIndex] {
        units.flatMap { unit in
            unit.stages.flatMap { stage -> [StepIndex] in
                guard case .batch(let batch) = stage, batch.position != nil else { return [] }
                return batch.chains.compactMap(\.steps.first).flatMap(checked(before:))
            }
        }
    }
}
