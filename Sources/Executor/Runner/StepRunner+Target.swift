internal import Catalog
internal import ControllerHooks
internal import Model
internal import Plans
internal import StepMachinery
internal import ThisHost
internal import Workers

/// Runs Makefile targets, and finds out what became of those that were begun.
extension StepRunner {
    /// Runs a target on its worker, or finds out what became of it.
    func runTarget(
        _ target: Target, _ index: StepIndex, attempt: Int, isResumed: Bool
    ) async throws -> (Ending, Int) {
        try await runOnWorker(index, attempt: attempt, isResumed: isResumed, isRepeatable: target.isRepeatable) {
            attempt in
            request(target, index, attempt)
        } prepare: { attempt in
            if let ending = await startedAlready(target) { return ending }
            return await pushAgain(before: index, attempt: attempt)
        }
    }

    /// The end of an opening in which a worker may find that its time is over: clocks are compared in whole seconds, and
    /// words take their time.
    private static let lastSeconds = Duration.seconds(5)

    /// The end of a start by itself whose allocation runs already, by the job's health check; nil for anything else. What a
    /// person or this run has stopped is started without asking.
    private func startedAlready(_ target: Target) async -> Ending? {
        guard case .operation(let allocation) = target.purpose, case .request = allocation.cause,
            allocation.verb == .start,
            allocation.from?.stoppedByHand == false, let health = allocation.work.job.healthCheck,
            !health.checks.isEmpty
        else { return nil }
        let worker = allocation.entry.worker
        let version = allocation.from?.version ?? Version.none.text
        let gate = gate(of: allocation.work.job, health, over: [worker], isSingle: true) { _ in version }
        guard (try? await gate.pass(clock: recorder.clock) { _, _ in }) == .some(nil) else { return nil }
        var ending = Ending.succeeded
        ending.fault = .runsAlready
        return ending
    }

    /// Something that is run once under a receipt.
    struct AttemptTask {
        /// Where the receipt is kept.
        var session: WorkerSession
        let isOnControlHost: Bool
        /// Whether it is run again if the outcome is unknown.
        let isRepeatable: Bool
        /// What is to be run as this attempt; nil where that cannot be said.
        let request: (_ attempt: Int) async throws -> AttemptRequest?
        /// Makes ready for an attempt; an ending where that fails.
        var prepare: (_ attempt: Int) async -> Ending? = { _ in nil }
    }

    /// A target that did not end well may have changed files that were pushed: the next attempt finds them as they were
    /// pushed, as the first one did. What an earlier process has pushed somebody may have changed since: that is looked at,
    /// too.
    private func pushAgain(before index: StepIndex, attempt: Int) async -> Ending? {
        guard let (first, push) = graph.chain(of: index).flatMap(graph.push(of:)) else { return nil }
        if attempt == 1, compared.isPushed(first) { return nil }
        var ending = await self.push(push, first)
        // The attempt itself has not begun, and is over; unless somebody may put the files back.
        if ending.outcome != .stale { ending.isOpen = false }
        return ending.outcome == .succeeded ? nil : ending
    }

    /// Runs the task, or finds out what became of it. Returns the attempt that the ending is of: an attempt that is known
    /// never to have begun, or that may be repeated, is ended and the next one made.
    func run(_ task: AttemptTask, _ index: StepIndex, attempt: Int, isResumed: Bool) async throws -> (Ending, Int) {
        var pursuit = Pursuit(task: task, index: index, attempt: attempt, isKnown: isResumed)
        while true {
            if let ending = try await runOnce(&pursuit) { return (ending, pursuit.attempt) }
            pursuit.renewals += 1
            pursuit.attempt += 1
            pursuit.isKnown = false
        }
    }

    /// A task and the attempt of it that is next.
    private struct Pursuit {
        var task: AttemptTask
        let index: StepIndex
        var attempt: Int
        /// Whether the attempt may have begun.
        var isKnown: Bool
        var renewals = 0
        let began = ContinuousClock.now

        var place: StepFault.Place { task.isOnControlHost ? .controlHost : .worker }
    }

    /// Makes one attempt, or finds out what became of it. Returns nil if the next one is to be made.
    private func runOnce(_ pursuit: inout Pursuit) async throws -> Ending? {
        let (task, attempt, isKnown, place) = (pursuit.task, pursuit.attempt, pursuit.isKnown, pursuit.place)
        let prepared: AttemptRequest?
        do {
            prepared = try await task.request(attempt)
        } catch {
            return Ending(outcome: .failed, isOpen: isKnown, fault: .notPrepared(error))
        }
        guard var request = prepared else {
            return .failed(.nothingPlanned)
        }
        if !isKnown, let ending = await task.prepare(attempt) { return ending }
        request.latestStart =
            graph.mustGoOn(pursuit.index) ? nil : monitor.remaining().flatMap(task.session.time(after:))
        var verdict = await verdict(request, task.session, place, isKnown: isKnown)
        if case .blocked(let other) = verdict {
            // Asked again by the same id: if somebody is in the way, nothing has begun.
            let earlier = (1..<max(1, attempt)).map { recorder.attemptID(pursuit.index, $0) }
            if try await clear(other, decided: earlier, task.session) {
                verdict = await self.verdict(request, task.session, place, isKnown: false)
            }
        }
        switch verdict {
        case .ended(let ending): return ending
        case .blocked(let other): return .failed(.busy(other))
        case .neverBegan(let why, let isFenced): return try await renew(&pursuit, request, why, isFenced: isFenced)
        case .lost(let ending, let isAlive):
            return try await runAgain(pursuit, request, after: ending, isAlive: isAlive)
        }
    }

    /// Ends an attempt that never began and never will. Returns nil if the next one is to be made.
    private func renew(
        _ pursuit: inout Pursuit, _ request: AttemptRequest, _ why: StepFault, isFenced: Bool
    ) async throws -> Ending? {
        let isKnown = pursuit.isKnown
        // Closed for good by the worker; the next process finds it so and makes another attempt.
        // So is what this process sent when the opening was all but over.
        if !graph.mustGoOn(pursuit.index), !monitor.isOpen(margin: isFenced && !isKnown ? Self.lastSeconds : .zero) {
            return Ending(outcome: .interrupted, isOpen: true, fault: why)
        }
        // Of an attempt that this process made, the worker says why it will not have it.
        // One that was waited for in vain as long as it may take is not tried again at once.
        let patience = pursuit.task.session.patience(for: request)
        let isOverdue = patience.map { pursuit.began.duration(to: .now) >= $0 } ?? false
        guard isKnown || isFenced, pursuit.renewals < Self.renewals, !isOverdue else {
            return .failed(why)
        }
        // Its clock may have been set meanwhile.
        if isFenced, !isKnown, let report = try? await pursuit.task.session.preflight(isSeen: true), report.isReady {
            pursuit.task.session.noteClock(of: report)
        }
        try await recorder.renew(
            pursuit.index, attempt: pursuit.attempt, digest: try digest(of: pursuit.index), detail: why.description)
        return nil
    }

    /// Ends an attempt of which nobody knows how it ended, if its task may be repeated. Returns nil if the next one is to be
    /// made.
    private func runAgain(
        _ pursuit: Pursuit, _ request: AttemptRequest, after ending: Ending, isAlive: Bool
    ) async throws -> Ending? {
        guard pursuit.task.isRepeatable, pursuit.renewals < Self.renewals else { return ending }
        let session = pursuit.task.session
        // Not beside itself.
        if isAlive {
            guard let isGone = try await parking.race({ try await isGone(request, session) }) else {
                return Ending(outcome: .interrupted, isOpen: true, fault: ending.fault)
            }
            guard isGone else { return ending }
        }
        try? await session.settle(request.id)
        try await recorder.renew(
            pursuit.index, attempt: pursuit.attempt, digest: try digest(of: pursuit.index),
            detail: "\(ending.detail ?? ""); repeated, since the manifest says that it may be")
        return nil
    }

    /// What is known of an attempt after asking its worker.
    enum Verdict {
        case ended(Ending)
        /// The id is closed: it did not begin and never will.
        case neverBegan(StepFault, isFenced: Bool)
        /// It began, and nobody knows how it ended, or whether it will: processes of it may live.
        case lost(Ending, isAlive: Bool)
        /// It has not begun: another attempt, or what a dead one left, is in the way.
        case blocked(by: String)
    }

    /// Waits until no process of a dead attempt lives, for as long as the attempt itself may take; false where some then
    /// still do.
    private func isGone(_ request: AttemptRequest, _ session: WorkerSession) async throws -> Bool {
        let end = ContinuousClock.now + (request.timeout ?? .zero)
        repeat {
            guard case .interrupted(let interruption)? = try? await session.inquire(request.id, tailLimit: 0) else {
                return false
            }
            if interruption.orphans.isEmpty { return true }
            try await recorder.clock.sleep(.seconds(1))
        } while ContinuousClock.now < end
        return false
    }

    /// Makes room where a dead attempt is in the way about which a person has decided: an earlier attempt of this step,
    /// one of another step that was resolved, or one of a run that has ended. What runs stays in the way; what a dead
    /// attempt has left may be a service that it has started.
    func clear(_ other: String, decided: [String] = [], _ session: WorkerSession) async throws -> Bool {
        let nonce = other.prefix { $0 != "-" }
        let isDecided =
            try decided.contains(other)
            || recorder.catalog.steps(of: recorder.run.id).contains {
                $0.attemptID == other && $0.state != .started && $0.state != .unknown
            }
            || recorder.catalog.runs(limit: Self.rememberedRuns).contains {
                $0.nonce == nonce && !$0.state.isUnfinished
            }
        guard isDecided else { return false }
        do {
            try await session.settle(other)
            return true
        } catch {
            return false
        }
    }

    private func verdict(
        _ request: AttemptRequest, _ session: WorkerSession, _ place: StepFault.Place, isKnown: Bool
    ) async -> Verdict {
        let due = session.patience(for: request).map { ContinuousClock.now + $0 }
        do {
            if !isKnown { return Self.verdict(on: try await session.run(request, due: due), of: request, place) }
            return try await asked(request, session, place, due: due)
        } catch {
            return await afterError(error, request, session, place, due: due)
        }
    }

    /// What a worker says that is asked about an attempt which may have begun.
    ///
    /// - Parameter due: by when it has to be over.
    private func asked(
        _ request: AttemptRequest, _ session: WorkerSession, _ place: StepFault.Place, due: ContinuousClock.Instant?
    ) async throws(TransportError) -> Verdict {
        switch try await session.inquire(request.id, tailLimit: Self.outputLimit) {
        case .absent:
            // The intent may still be on its way; closing the id makes sure.
            let report = try await session.fence(request.id, tailLimit: Self.outputLimit)
            return Self.verdict(on: report, of: request, place)
        case .running:
            if let due, due <= .now { return Self.hung(request, place) }
            var report = try await session.run(request, due: due)
            // An earlier release ran it by other lines: it is not asked for again, and its end is waited for all the same.
            if report == .conflict {
                repeat {
                    if let due, due <= .now { return Self.hung(request, place) }
                    try? await recorder.clock.sleep(.seconds(1))
                    report = try await session.inquire(request.id, tailLimit: Self.outputLimit)
                } while report == .running
            }
            return Self.verdict(on: report, of: request, place)
        case let report: return Self.verdict(on: report, of: request, place)
        }
    }

    /// The worker itself ends what has taken too long; where it does not, what does that is stopped or hangs.
    private static func hung(_ request: AttemptRequest, _ place: StepFault.Place) -> Verdict {
        .ended(Ending(outcome: .unknown, fault: .hung(place, seconds: request.timeout?.components.seconds ?? 0)))
    }

    /// The connection failed. Connecting is tried again, the command never: only asking by the same id tells whether
    /// it began.
    private func afterError(
        _ error: TransportError, _ request: AttemptRequest, _ session: WorkerSession, _ place: StepFault.Place,
        due: ContinuousClock.Instant?
    ) async -> Verdict {
        guard error.mayHaveReachedWorker else {
            return .ended(Ending(outcome: .unreachable, fault: .unreachable(error)))
        }
        var silences = 0
        for pause in [0, 1, 2, 5, 10] {
            if error.kind == .cancelled { return .ended(.left) }
            try? await recorder.clock.sleep(.seconds(pause))
            do {
                return try await asked(request, session, place, due: due)
            } catch {
                if error.kind == .cancelled { return .ended(.left) }
                // Connecting was tried for as long as the transport thinks right, and who is silent twice stays so.
                if error.kind == .timedOut { silences += 1 }
                guard error.mayHaveReachedWorker, silences < 2 else { break }
            }
        }
        return .ended(Ending(outcome: .unreachable, isOpen: true, fault: .maybeRunning(error)))
    }

    static func verdict(on report: AttemptReport, of request: AttemptRequest, _ place: StepFault.Place) -> Verdict {
        switch report {
        case .finished(let result):
            let output = StepOutput(result.output, result.errorOutput)
            var ending = Ending(outcome: .succeeded, exitStatus: result.exitStatus, output: output)
            ending.remarks = result.remarks
            if !result.isSuccess {
                ending.outcome = .failed
                ending.fault =
                    result.timedOut
                    ? .timedOut(place, seconds: request.timeout?.components.seconds ?? 0)
                    : .exit(status: result.exitStatus)
            }
            return .ended(ending)
        case .running, .absent:
            return .ended(Ending(outcome: .unreachable, isOpen: true, fault: .stillRunning(place)))
        case .fenced: return .neverBegan(.unbegun(.closed), isFenced: true)
        case .notStarted(.noJobDirectory) where request.isMakefileOptional:
            return .ended(Ending(outcome: .succeeded, fault: .nothingToStop))
        case .notStarted(let reason):
            // What was sent before a connection broke may arrive too late; nobody has to be asked to send it again.
            return .neverBegan(.unbegun(.refused(reason)), isFenced: reason == .tooLate)
        case .interrupted(let interruption):
            return .lost(
                Ending(
                    outcome: .unknown, fault: .interrupted(interruption, place),
                    output: StepOutput(interruption.output, interruption.errorOutput)),
                isAlive: !interruption.orphans.isEmpty)
        case .conflict:
            return .ended(.failed(.otherCommand))
        case .busy(let other): return .blocked(by: other)
        case .generationChanged:
            return .lost(
                Ending(outcome: .unknown, fault: .unprovable(place)), isAlive: false)
        case .notOwner(let owner):
            return .ended(.failed(.takenOver(place, by: owner)))
        case .refused(let reason): return .ended(.failed(.refused(place, reason)))
        }
    }

    func request(_ target: Target, _ index: StepIndex, _ attempt: Int) -> AttemptRequest {
        let (job, worker) = (target.allocation.job.text, target.allocation.worker)
        let current = target.from?.version ?? Version.none.text
        return AttemptRequest(
            id: recorder.attemptID(index, attempt),
            action: .target(
                target.name, isMakefileOptional: target.isMakefileOptional),
            job: job,
            environment: [
                "ALLOCATION_IP": pool.address(worker) ?? "",
                "CURRENT_VERSION": current,
                "JOB": job,
                "NEW_VERSION": target.release?.version ?? current,
            ], timeout: .seconds(target.timeout),
            tailLimit: Self.outputLimit)
    }

    /// Over everything that the step sends or starts; kept with each of its rows.
    func digest(of index: StepIndex) throws -> Digest {
        let step = graph.steps[index]
        var text = "\(step.id)\n"
        if let release = step.task.rules.release { text += "\(release.version) \(release.content)\n" }
        switch step.task {
        case .target(let target): text += request(target, index, 1).digest
        case .hook(let hook): text += try call(hook, index, attempt: 1).digest
        case .shell(let shell): text += try request(shell, index, 1).digest
        case .reboot(let reboot): text += "\(reboot.rules.command)\n"
        case .push, .gate, .bake, .order, .promote, .remove, .complete, .boot, .pause: break
        }
        return Digest.of(text.utf8)
    }
}
