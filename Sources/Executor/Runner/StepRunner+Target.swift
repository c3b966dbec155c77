internal import Catalog
internal import Model
internal import Workers

/// Runs Makefile targets, and finds out what became of those that were begun.
extension StepRunner {
    /// Runs a target on its worker, or finds out what became of it.
    func runTarget(
        _ target: Target, _ index: StepIndex, attempt: Int, isResumed: Bool
    ) async throws -> (Ending, Int) {
        let session: WorkerSession
        do {
            session = try await pool.session(graph.steps[index].worker)
        } catch {
            // What an earlier process began may be running there.
            let ending = Ending(
                outcome: error.isUnreachable ? .unreachable : .failed, isOpen: isResumed, detail: error.reason)
            return (ending, attempt)
        }
        let task = AttemptTask(session: session, isOnControlHost: false, isRepeatable: target.isRepeatable) {
            attempt in
            request(target, index, attempt)
        } prepare: { attempt in
            await pushAgain(before: index, attempt: attempt)
        }
        return try await run(task, index, attempt: attempt, isResumed: isResumed)
    }

    /// The end of an opening in which a worker may find that its time is over: clocks are compared in whole seconds, and
    /// words take their time.
    private static let lastSeconds = Duration.seconds(5)

    /// Something that is run once under a receipt.
    struct AttemptTask {
        /// Where the receipt is kept.
        let session: WorkerSession
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
        guard let first = graph.chain(of: index)?.steps.first, case .push(let push) = graph.steps[first].task else {
            return nil
        }
        if attempt == 1, compared.isPushed(first) { return nil }
        var ending = await self.push(push, first)
        // The attempt itself has not begun, and is over; unless somebody may put the files back.
        if ending.outcome != .stale { ending.isOpen = false }
        return ending.outcome == .succeeded ? nil : ending
    }

    /// Runs the task, or finds out what became of it. Returns the attempt that the ending is of: where an attempt is known
    /// never to have begun, or may be repeated, it is ended and the next one made.
    func run(_ task: AttemptTask, _ index: StepIndex, attempt: Int, isResumed: Bool) async throws -> (Ending, Int) {
        var session = task.session
        let place = task.isOnControlHost ? "this host" : "the worker"
        var attempt = attempt
        var isKnown = isResumed
        var renewals = 0
        let began = ContinuousClock.now
        while true {
            let prepared: AttemptRequest?
            do {
                prepared = try await task.request(attempt)
            } catch {
                let detail = "it was not begun: \(error)"
                return (Ending(outcome: .failed, isOpen: isKnown, detail: detail), attempt)
            }
            guard var request = prepared else {
                return (Ending(outcome: .failed, detail: "the plan does not say what to run"), attempt)
            }
            if !isKnown, let ending = await task.prepare(attempt) { return (ending, attempt) }
            request.latestStart = monitor.remaining().flatMap(session.time(after:))
            var verdict = await verdict(request, session, place, isKnown: isKnown)
            if case .blocked(let other) = verdict {
                // Asked again by the same id: where somebody is in the way, nothing has begun.
                let earlier = (1..<max(1, attempt)).map { recorder.attemptID(index, $0) }
                if try await clear(other, decided: earlier, session) {
                    verdict = await self.verdict(request, session, place, isKnown: false)
                }
            }
            switch verdict {
            case .ended(let ending): return (ending, attempt)
            case .blocked(let other):
                return (Ending(outcome: .failed, detail: Self.busy(other)), attempt)
            case .neverBegan(let why, let isFenced):
                // Closed for good by the worker; the next process finds it so and makes another attempt.
                // So is what this process sent when the opening was all but over.
                if !monitor.isOpen(margin: isFenced && !isKnown ? Self.lastSeconds : .zero) {
                    return (Ending(outcome: .interrupted, isOpen: true, detail: why), attempt)
                }
                // Of an attempt that this process made, the worker says why it will not have it.
                // One that was waited for in vain as long as it may take is not tried again at once.
                let isOverdue = session.patience(for: request).map { began.duration(to: .now) >= $0 } ?? false
                guard isKnown || isFenced, renewals < Self.renewals, !isOverdue else {
                    return (Ending(outcome: .failed, detail: why), attempt)
                }
                // Its clock may have been set meanwhile.
                if isFenced, !isKnown, let report = try? await session.preflight(isSeen: true), report.isReady {
                    session.noteClock(of: report)
                }
                try await recorder.renew(index, attempt: attempt, digest: try digest(of: index), detail: why)
            case .lost(let ending, let isAlive):
                guard task.isRepeatable, renewals < Self.renewals else { return (ending, attempt) }
                // Not beside itself.
                if isAlive {
                    let known = request
                    let asked = session
                    guard let isGone = try await parking.race({ try await isGone(known, asked) }) else {
                        return (Ending(outcome: .interrupted, isOpen: true, detail: ending.detail), attempt)
                    }
                    guard isGone else { return (ending, attempt) }
                }
                try? await session.settle(request.id)
                try await recorder.renew(
                    index, attempt: attempt, digest: try digest(of: index),
                    detail: "\(ending.detail ?? ""); repeated, since the manifest says that it may be")
            }
            renewals += 1
            attempt += 1
            isKnown = false
        }
    }

    /// What is known of an attempt after asking its worker.
    enum Verdict {
        case ended(Ending)
        /// The id is closed: it did not begin and never will.
        case neverBegan(String, isFenced: Bool)
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

    static func busy(_ other: String) -> String {
        "another attempt is at work on the job there, or what it left: \(other)"
    }

    private func verdict(
        _ request: AttemptRequest, _ session: WorkerSession, _ place: String, isKnown: Bool
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
        _ request: AttemptRequest, _ session: WorkerSession, _ place: String, due: ContinuousClock.Instant?
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
    private static func hung(_ request: AttemptRequest, _ place: String) -> Verdict {
        .ended(
            Ending(
                outcome: .unknown,
                detail:
                    "its limit of \(request.timeout?.components.seconds ?? 0) s was up long ago, and \(place) neither ended "
                    + "it nor says how it ended: what runs it is stopped or hangs. Once that goes on or is killed, the same "
                    + "command asks again"))
    }

    /// The connection failed. Connecting is tried again, the command never: only asking by the same id tells whether
    /// it began.
    private func afterError(
        _ error: TransportError, _ request: AttemptRequest, _ session: WorkerSession, _ place: String,
        due: ContinuousClock.Instant?
    ) async -> Verdict {
        guard error.mayHaveReachedWorker else {
            return .ended(Ending(outcome: .unreachable, detail: error.description))
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
        return .ended(
            Ending(
                outcome: .unreachable, isOpen: true, detail: "\(error); it may be running: the same command asks again")
        )
    }

    static func verdict(on report: AttemptReport, of request: AttemptRequest, _ place: String) -> Verdict {
        switch report {
        case .finished(let result):
            let output = StepOutput(stdout: result.output.bytes, stderr: result.errorOutput.bytes)
            var ending = Ending(outcome: .succeeded, exitStatus: result.exitStatus, output: output)
            ending.remarks = result.remarks
            if !result.isSuccess {
                ending.outcome = .failed
                ending.detail =
                    result.timedOut
                    ? "ended on \(place), its limit of \(request.timeout?.components.seconds ?? 0) s was up"
                    : text(exitStatus: result.exitStatus)
            }
            return .ended(ending)
        case .running, .absent:
            return .ended(Ending(outcome: .unreachable, isOpen: true, detail: "\(place) still runs it"))
        case .fenced: return .neverBegan("closed before it began", isFenced: true)
        case .notStarted(.noJobDirectory) where request.isMakefileOptional:
            return .ended(Ending(outcome: .succeeded, detail: "nothing of the job is there that could be stopped"))
        case .notStarted(let reason):
            // What was sent before a connection broke may arrive too late; nobody has to be asked to send it again.
            return .neverBegan("it did not begin: \(text(reason))", isFenced: reason == .tooLate)
        case .interrupted(let interruption):
            return .lost(
                Ending(
                    outcome: .unknown, detail: text(interruption, place),
                    output: StepOutput(
                        stdout: interruption.output.bytes, stderr: interruption.errorOutput.bytes)),
                isAlive: !interruption.orphans.isEmpty)
        case .conflict:
            return .ended(Ending(outcome: .failed, detail: "another command was run under the id of this attempt"))
        case .busy(let other): return .blocked(by: other)
        case .generationChanged:
            return .lost(
                Ending(
                    outcome: .unknown,
                    detail: "the receipts on \(place) are not those that this run saw first, so that they prove nothing"
                ), isAlive: false)
        case .notOwner(let owner):
            return .ended(
                Ending(
                    outcome: .failed,
                    detail: "\(place) was taken over"
                        + (owner.map { " by run \($0.sequence) of \($0.controller)" } ?? "")))
        case .refused(let reason): return .ended(Ending(outcome: .failed, detail: "\(place) refused: \(reason)"))
        }
    }

    /// As the shell gives it: a program that a signal ended has 128 and the signal's number.
    private static func text(exitStatus: Int) -> String {
        "exit status \(exitStatus)" + (129...192 ~= exitStatus ? ", as of signal \(exitStatus - 128)" : "")
    }

    private static func text(_ reason: NotStarted) -> String {
        switch reason {
        case .tooLate: "the time for it was over"
        case .noJobDirectory: "the job's folder is not on the worker; abandon the run and plan again"
        case .generationChanged: "the worker's receipts were replaced meanwhile"
        case .runIsCleanedUp: "the run's receipts have been removed from the worker"
        case .other(let reason): reason
        }
    }

    private static func text(_ interruption: Interruption, _ place: String) -> String {
        switch interruption.cause {
        case .rebooted: "\(place) was rebooted while it ran"
        case .died(let orphans):
            "what ran it was killed on \(place)"
                + (orphans.isEmpty ? "" : ", and processes of it still live: \(interruption.orphansText)")
        }
    }

    func request(_ target: Target, _ index: StepIndex, _ attempt: Int) -> AttemptRequest {
        let step = graph.steps[index]
        let current = target.from?.version ?? Version.none.text
        return AttemptRequest(
            id: recorder.attemptID(index, attempt),
            action: .target(
                target.action.target ?? target.action.rawValue, isMakefileOptional: target.isMakefileOptional),
            job: step.job.text,
            environment: [
                "ALLOCATION_IP": step.worker.flatMap(pool.address) ?? "",
                "CURRENT_VERSION": current,
                "JOB": step.job.text,
                "NEW_VERSION": target.job?.version ?? current,
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
        case .push, .gate, .bake, .order, .promote, .remove, .complete: break
        }
        return Digest.of(text.utf8)
    }
}
