internal import Catalog
internal import Model

/// Does what a step says, on its worker, and records it: intent before, outcome after.
struct Performer: Sendable {
    let recorder: Recorder
    let store: ContentStore
    let workforce: Workforce

    private var itinerary: Itinerary { recorder.itinerary }

    /// Bytes of each output stream that come back from a worker and are kept.
    static let outputLimit = StepOutput.limit

    /// How often a target that the manifest calls repeatable is run again after its outcome was lost.
    static let repeats = 3

    /// How a step's attempt ended, with what is recorded of it.
    struct Ending: Sendable {
        var outcome: StepMachine.Outcome
        var exitStatus: Int?
        var detail: String?
        var output: StepOutput?

        static let succeeded = Ending(outcome: .succeeded)
    }

    /// Records the intent, then does the step.
    func perform(_ index: Int, attempt: Int) async throws -> StepMachine.Outcome {
        switch itinerary.steps[index].kind {
        case .promote: return try await recorded { try await recorder.promote([index]) }
        case .complete: return try await recorded { try await recorder.complete(index) }
        case .push, .action, .remove, .gate:
            try await recorder.begin(index, attempt: attempt, digest: digest(of: index))
            return try await finish(index, attempt: attempt, isResumed: false)
        }
    }

    /// The intent was recorded by an earlier process.
    func settle(_ index: Int, attempt: Int) async throws -> StepMachine.Outcome {
        let step = itinerary.steps[index]
        recorder.observe(.stepResumed(step, attempt: attempt))
        switch step.kind {
        // Files that are there already stay as they are, and a probe changes nothing: asking again is settling.
        case .push, .remove, .gate: return try await finish(index, attempt: attempt, isResumed: true)
        case .action: return try await finish(index, attempt: attempt, isResumed: true)
        case .promote: return try await recorded { try await recorder.promote([index]) }
        case .complete: return try await recorded { try await recorder.complete(index) }
        }
    }

    private func recorded(_ body: () async throws -> Void) async throws -> StepMachine.Outcome {
        try await body()
        return .succeeded
    }

    private func finish(_ index: Int, attempt: Int, isResumed: Bool) async throws -> StepMachine.Outcome {
        let step = itinerary.steps[index]
        let began = recorder.clock.now()
        var attempt = attempt
        var ending: Ending
        FaultPoint.reach("before \(step.id) does its work")
        switch step.kind {
        case .push: ending = await push(index, attempt: attempt)
        case .remove: ending = await remove(index)
        case .gate: ending = try await gate(index)
        case .promote, .complete: ending = .succeeded
        case .action(let action):
            (ending, attempt) = try await run(action, index, attempt: attempt, isResumed: isResumed)
        }
        FaultPoint.reach("after \(step.id) did its work")
        let milliseconds = recorder.clock.now().milliseconds - began.milliseconds
        if let state = Self.state(of: ending.outcome) {
            try await recorder.end(
                index, attempt: attempt, state: state, exitStatus: ending.exitStatus, detail: ending.detail,
                output: ending.output)
        }
        recorder.observe(
            .stepEnded(step, outcome: ending.outcome, detail: ending.detail, milliseconds: milliseconds))
        return ending.outcome
    }

    /// What is recorded; nil where the attempt stays `started`, since its worker has to be asked again.
    private static func state(of outcome: StepMachine.Outcome) -> StepState? {
        switch outcome {
        case .succeeded: .succeeded
        case .failed, .stale: .failed
        case .unreachable: .unreachable
        case .unknown: .unknown
        }
    }

    // MARK: Files

    private func push(_ index: Int, attempt: Int) async -> Ending {
        guard let worker = itinerary.steps[index].worker, let session = workforce.session(worker),
            let job = itinerary.job(of: index), let release = recorder.release(of: index),
            let entry = itinerary.entry(of: index)
        else { return Ending(outcome: .failed, detail: "the plan names no content for it") }
        let from = job.from.first { $0.name == entry.from }?.value
        do {
            let tree = try store.tree(release.content)
            // What an unfinished push left is unknown, so everything is sent and nothing is taken for granted.
            let old = from?.unfinished == nil ? try from?.content.map(store.tree) : nil
            return try await session.push(
                tree, over: old, job: job.job, isForced: from?.unfinished != nil,
                attemptID: recorder.attemptID(index, attempt), timeout: job.timeouts.push, store: store)
        } catch let error as StoreError {
            return Ending(outcome: .failed, detail: "\(error)")
        } catch {
            return Self.ending(of: error)
        }
    }

    private func remove(_ index: Int) async -> Ending {
        guard let worker = itinerary.steps[index].worker, let session = workforce.session(worker) else {
            return Ending(outcome: .failed, detail: "the plan does not say how to reach the worker")
        }
        do {
            return try await session.remove(itinerary.steps[index].job)
        } catch {
            return Self.ending(of: error)
        }
    }

    // MARK: Targets

    /// Runs a target, or finds out what became of it. Returns the attempt that the ending is of: where an attempt is
    /// known never to have begun, or may be repeated, it is ended and the next one made.
    private func run(
        _ action: LifecycleAction, _ index: Int, attempt: Int, isResumed: Bool
    ) async throws -> (Ending, Int) {
        guard let worker = itinerary.steps[index].worker, let session = workforce.session(worker) else {
            return (Ending(outcome: .failed, detail: "the plan does not say how to reach the worker"), attempt)
        }
        let command = command(action, index)
        var attempt = attempt
        var asks = isResumed
        var repeats = 0
        while true {
            let id = recorder.attemptID(index, attempt)
            let answer: WorkerSession.Answer
            do {
                answer = asks ? try await session.settle(id, command) : try await session.run(id, command)
            } catch {
                return (Self.ending(of: error), attempt)
            }
            switch answer {
            case .ended(let ending): return (ending, attempt)
            case .neverBegan(let why):
                try await recorder.end(index, attempt: attempt, state: .failed, detail: why)
            case .lost(let why):
                guard itinerary.job(of: index)?.repeatable.contains(action) == true, repeats < Self.repeats else {
                    return (Ending(outcome: .unknown, detail: why), attempt)
                }
                repeats += 1
                try await recorder.end(
                    index, attempt: attempt, state: .failed, detail: "\(why); the manifest says it is repeatable")
            }
            attempt += 1
            asks = false
            try await recorder.begin(index, attempt: attempt, digest: digest(of: index))
        }
    }

    private func command(_ action: LifecycleAction, _ index: Int) -> WorkerSession.Command {
        let step = itinerary.steps[index]
        let stop = itinerary.stop(of: index)
        let job = itinerary.job(of: index)
        let current: String
        if let entry = itinerary.entry(of: index) {
            current = job?.from.first { $0.name == entry.from }?.value.version ?? Version.none.text
        } else {
            current = stop?.from.version ?? Version.none.text
        }
        return WorkerSession.Command(
            job: step.job, target: action.target ?? action.rawValue,
            environment: [
                ("ALLOCATION_IP", step.worker.flatMap(workforce.address) ?? ""),
                ("CURRENT_VERSION", current),
                ("JOB", step.job.text),
                ("NEW_VERSION", job?.version ?? current),
            ], timeout: stop?.timeout ?? job?.timeouts.action ?? 600)
    }

    /// Over everything that the step sends or starts; kept with each of its rows.
    private func digest(of index: Int) -> Digest {
        let step = itinerary.steps[index]
        var text = "\(step.id)\n"
        if let release = recorder.release(of: index) { text += "\(release.version) \(release.content)\n" }
        if case .action(let action) = step.kind { text += command(action, index).text }
        return Digest.of(text.utf8)
    }

    // MARK: Gates

    private func gate(_ index: Int) async throws -> Ending {
        let step = itinerary.steps[index]
        guard let job = itinerary.job(of: index), let health = job.healthCheck else { return .succeeded }
        let gate = Gate(
            health: health, targets: job.active.map { ($0, workforce.address($0) ?? $0.text) },
            command: { worker, line, timeout in
                guard let session = workforce.session(worker) else { return "the plan does not say how to reach it" }
                return await session.probe(line, timeout: timeout)
            })
        let problem = try await gate.pass(clock: recorder.clock) { tries, problem in
            recorder.observe(.gateWaiting(step, tries: tries, of: health.attempts, problem: problem))
        }
        return problem.map { Ending(outcome: .failed, detail: $0) } ?? .succeeded
    }

    // MARK: Errors

    static func ending(of error: any Error) -> Ending {
        Ending(outcome: .unreachable, detail: "\(error)")
    }
}
