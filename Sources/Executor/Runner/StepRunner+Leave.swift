internal import Catalog
internal import Model
internal import Plans
internal import Synchronization
internal import Workers

/// Goes on without allocations whose workers cannot be used when their turn comes.
extension StepRunner {
    /// Records that the run goes on without those of a batch that could not be asked about, as far as `Absences` says. What
    /// is beyond that is found unreachable by its own push.
    ///
    /// - Parameter steps: the first step of each allocation of a batch of which nothing has begun, just checked.
    func leaveUnusable(_ steps: [StepIndex]) async throws {
        // What comes before the push of an allocation asks no worker.
        let asking = Dictionary(
            steps.map { ($0, graph.checked(before: $0)) }, uniquingKeysWith: { first, _ in first })
        let silent = silences.take(asking.values.flatMap { $0 })
        if silent.isEmpty { return }
        let reasons = asking.compactMapValues { $0.lazy.compactMap { silent[$0] }.first }
        let touched = try touchedWorkers()
        try await leave(
            steps.compactMap { step in
                let subject = graph.leaving(step)
                guard let reason = reasons[step], let worker = subject.worker, !touched.contains(worker) else {
                    return nil
                }
                return .init(subject: subject, reason: reason)
            })
    }

    /// Records that the run goes on without those of a gate's allocations whose workers do not answer and were not touched by
    /// the run, as far as `Absences` says.
    ///
    /// - Returns: whether anything was left behind.
    func leaveDead(among workers: [WorkerName], of job: Plan.Job) async throws -> Bool {
        guard job.batching.maxUnreachable > 0 else { return false }
        let touched = try touchedWorkers()
        let asked = workers.filter { !touched.contains($0) }
        let reasons = await asked.sideBySide(width: WorkerPool.width) { [self] in await silence(of: $0) }
        return try await leave(
            zip(asked, reasons).compactMap { worker, reason in
                reason.map { .init(subject: .allocation(AllocationID(job: job.job, worker: worker)), reason: $0) }
            })
    }

    /// Workers on which the run has begun something.
    private func touchedWorkers() throws -> Set<WorkerName> {
        graph.workers(touchedBy: try recorder.catalog.steps(of: recorder.run.id))
    }

    /// Records that the run goes on without what of these `Absences` allows.
    ///
    /// - Returns: whether that is anything.
    @discardableResult
    private func leave(_ candidates: [Absences.Candidate]) async throws -> Bool {
        let leaving = Absences(candidates, in: graph).leaving
        try await recorder.leave(leaving)
        return !leaving.isEmpty
    }

    /// Why a worker cannot be asked; nil where it answers, or is not to be used for another reason.
    private func silence(of worker: WorkerName) async -> String? {
        let session: WorkerSession
        do {
            session = try await pool.session(worker)
        } catch {
            return error.kind == .refused ? nil : error.reason
        }
        do {
            try await session.answers()
            return nil
        } catch {
            return Self.isSilence(error) ? error.message : nil
        }
    }

    /// Finds out whether a worker answers at all, where nothing else is to be asked.
    func ask(_ step: StepIndex, _ session: WorkerSession) async {
        do {
            _ = try await session.inquire(recorder.attemptID(step, 1), tailLimit: 0)
        } catch {
            noteSilence(of: step, error)
        }
    }

    /// Keeps in mind that a worker could not be asked.
    func noteSilence(of step: StepIndex, _ error: TransportError) {
        if Self.isSilence(error) { silences.note(step, error.message) }
    }

    /// Whether the worker does not answer, or cannot be used as it is.
    private static func isSilence(_ error: TransportError) -> Bool {
        switch error.kind {
        case .unreachable, .refused, .timedOut, .connectionLost, .malformedAnswer, .workerFault: true
        case .authentication, .unknownHostKey, .changedHostKey, .cancelled, .source: false
        }
    }
}

/// Why workers could not be asked, by the step that was to begin there.
final class Silences: Sendable {
    private let reasons = Mutex<[StepIndex: String]>([:])

    func note(_ step: StepIndex, _ reason: String) { reasons.withLock { $0[step] = reason } }

    /// What is known of these steps, and forgets it.
    func take(_ steps: [StepIndex]) -> [StepIndex: String] {
        reasons.withLock { reasons in
            var found: [StepIndex: String] = [:]
            for step in steps { found[step] = reasons.removeValue(forKey: step) }
            return found
        }
    }
}
