internal import Catalog
internal import Model
internal import Synchronization

/// Promotes what a batch has done, where its workers prove that they are those that did it.
extension Performer {
    /// Asks the workers of a batch, after its hooks and its slowest allocation, and records what came of it: a host that was
    /// set up anew, emptied or put back from a copy meanwhile is not promoted.
    ///
    /// - Returns: what else than a success was recorded, by step.
    func promote(_ attempts: [StepMachine.Attempt]) async throws -> [Int: StepMachine.Outcome] {
        let claims = try attempts.map { try claim(behind: $0.step) }
        let endings = await Array(zip(attempts, claims)).sideBySide(width: Workforce.width) {
            attempt, claim -> Ending? in
            guard let claim else { return nil }
            return await refusal(attempt.step, claim)
        }
        var refused: [Int: Ending] = [:]
        for (attempt, ending) in zip(attempts, endings) { refused[attempt.step] = ending }
        try await recorder.promote(attempts, refused: refused)
        return refused.mapValues(\.outcome)
    }

    /// What the worker has to prove; nil where nothing more can be learnt from it.
    private func claim(behind promote: Int) throws -> Claim? {
        guard let batch = itinerary.batch(of: promote), let chain = itinerary.places[promote].chain,
            let last = batch.chains[chain].steps.last
        else { return nil }
        // Its own answer is the last word of an allocation that had nobody to wait for.
        if batch.chains.count == 1, batch.chains[chain].hooks.isEmpty, endings.contains(last) { return nil }
        let step = itinerary.steps[last]
        switch step.kind {
        case .action:
            // What a person has found out the worker may not be able to tell.
            let isDecided = try recorder.catalog.decisions(recorder.run.id).contains { $0.step == step.id }
            let record = try recorder.catalog.attempts(of: recorder.run.id, step: step.id).last
            return isDecided ? nil : record.map { .attempt($0.attemptID) }
        case .push:
            guard let release = recorder.release(of: promote) else { return nil }
            return .files(try workerEntries(store.tree(release.content)))
        case .remove, .hook, .order, .promote, .gate, .bake, .complete: return nil
        }
    }

    /// Why an allocation is not promoted; nil where its worker proves the claim.
    private func refusal(_ promote: Int, _ claim: Claim) async -> Ending? {
        let step = itinerary.steps[promote]
        do {
            let session = try await workforce.session(step.worker)
            guard
                let doubt = try await asking({ () async throws(TransportError) in
                    try await session.doubt(claim, of: step.job.text)
                })
            else { return nil }
            return Ending(
                outcome: .unknown,
                detail:
                    "not promoted, since the worker does not prove that it is the one that acted: \(doubt.text). It may "
                    + "have been emptied, set up anew or put back from a copy since. The next plan acts there again")
        } catch {
            var ending = Self.ending(of: error)
            ending.detail =
                "not promoted, since its worker was not there to prove that it acted: \(ending.detail ?? "")"
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
    private let steps = Mutex<Set<Int>>([])

    func note(_ step: Int) { steps.withLock { _ = $0.insert(step) } }

    func contains(_ step: Int) -> Bool { steps.withLock { $0.contains(step) } }
}
