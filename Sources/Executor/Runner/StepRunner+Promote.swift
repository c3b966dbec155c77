internal import Catalog
internal import Model
internal import Plans
internal import StepMachinery
internal import Synchronization
internal import ThisHost
internal import Workers

/// Promotes what a batch has done, where its workers prove that they are those that did it.
extension StepRunner {
    /// Asks the workers of a batch, after its hooks and its slowest allocation, and records what came of it: a host that was
    /// emptied, reinstalled or restored from a snapshot meanwhile is not promoted.
    ///
    /// - Returns: what else than a success was recorded, by step.
    func promote(_ attempts: [StepMachine.Attempt]) async throws -> [StepIndex: StepMachine.Outcome] {
        let decisions = try recorder.catalog.decisions(recorder.run.id)
        let claims = try attempts.map { try claim(behind: $0.step, decisions) }
        let endings = await Array(zip(attempts, claims)).sideBySide(width: WorkerPool.width) { attempt, claim in
            guard let claim else { return Ending.succeeded }
            return (try? await leaving.race { await proof(attempt.step, claim) }) ?? .left
        }
        var refused: [StepIndex: Ending] = [:]
        for (attempt, ending) in zip(attempts, endings) where ending.outcome != .succeeded {
            refused[attempt.step] = ending
        }
        let ended = attempts.filter { refused[$0.step]?.isOpen != true }
        if !ended.isEmpty { try await recorder.promote(ended, refused: refused) }
        return refused.mapValues(\.outcome)
    }

    /// What the worker has to prove; nil where nothing more can be learnt from it.
    ///
    /// - Parameter decisions: of a step of which a person has said what became of it, its worker may not be able to tell.
    private func claim(behind promote: StepIndex, _ decisions: [Decision]) throws -> Claim? {
        guard let batch = graph.batch(of: promote), let chain = graph.chain(of: promote), let last = chain.steps.last
        else { return nil }
        // Its own answer is the last word of an allocation that had nobody to wait for.
        if batch.chains.count == 1, chain.hooks.isEmpty, endings.contains(last) { return nil }
        let step = graph.steps[last]
        switch step.task.rules.proof {
        case .receipt:
            guard let record = try recorder.catalog.attempts(of: recorder.run.id, step: step.id).last else {
                return nil
            }
            let isDecided = decisions.contains { $0.step == step.id && $0.at >= record.startedAt }
            return isDecided ? nil : .attempt(record.attemptID)
        case .files:
            return try graph.rules(promote).release.map { .files(try entriesThere(store.tree($0.content)).entries) }
        case nil: return nil
        }
    }

    /// Whether the allocation's worker proves the claim.
    private func proof(_ promote: StepIndex, _ claim: Claim) async -> Ending {
        let step = graph.steps[promote]
        if let worker = step.worker { recorder.observe(.asking(.proof, [worker])) }
        defer { if let worker = step.worker { recorder.observe(.answered(.proof, worker)) } }
        do {
            let session = try await pool.session(step.worker)
            let doubt = try await asking { () async throws(TransportError) in
                try await session.doubt(claim, of: step.job?.text ?? "")
            }
            guard let doubt else { return .succeeded }
            return Ending(outcome: .unknown, fault: .unproven(doubt))
        } catch {
            var ending = Self.ending(of: error)
            if ending.isOpen { return ending }
            ending.fault = .unasked(because: ending.detail ?? "")
            return ending
        }
    }

    /// Asks again where the connection was lost.
    private func asking<Value: Sendable>(
        _ body: () async throws(TransportError) -> Value
    ) async throws(TransportError) -> Value {
        for pause in [0, 1, 2, 5] {
            do {
                return try await body()
            } catch {
                guard error.kind == .connectionLost else { throw error }
            }
            try? await recorder.clock.sleep(.seconds(pause))
        }
        return try await body()
    }
}

/// Steps that have ended well in this process.
final class Endings: Sendable {
    private let steps = Mutex<Set<StepIndex>>([])

    func note(_ step: StepIndex) { steps.withLock { _ = $0.insert(step) } }

    func contains(_ step: StepIndex) -> Bool { steps.withLock { $0.contains(step) } }
}
