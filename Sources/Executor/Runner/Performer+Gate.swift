internal import Catalog
internal import Model

/// What a rollout waits for between its batches.
extension Performer {
    /// Probes the job's health check until it passes or its tries are used up.
    func gate(_ index: Int) async throws -> Ending {
        let step = itinerary.steps[index]
        guard let job = itinerary.job(of: index), let health = job.healthCheck else { return .succeeded }
        let failed = try failedWorkers(of: job)
        let gate = Gate(
            health: health,
            targets: job.active.filter { !failed.contains($0) }.map { ($0, workforce.address($0) ?? $0.text) },
            command: { worker, line, timeout in await probe(worker, line, timeout: timeout) },
            hooks: { worker in await probeHooks(index, worker) })
        let problem = try await gate.pass(clock: recorder.clock) { tries, problem in
            recorder.observe(.gateWaiting(step, tries: tries, of: health.attempts, problem: problem))
        }
        return problem.map { Ending(outcome: .failed, detail: $0) } ?? .succeeded
    }

    /// Leaves the batch alone for the job's bake time, then asks whether it is still healthy.
    ///
    /// The time counts from the intent of the first attempt, so that a process that continues the run waits for the
    /// rest alone; a clock that was set back makes it no longer than the whole.
    func bake(_ index: Int) async throws -> Ending {
        let step = itinerary.steps[index]
        guard let job = itinerary.job(of: index) else { return .succeeded }
        let whole = Int64(job.batching.bakeSeconds) * 1000
        let now = recorder.clock.now().milliseconds
        let began = try recorder.catalog.attempts(of: recorder.run.id, step: step.id).first?.startedAt.milliseconds
        let rest = min(max(whole - (now - (began ?? now)), 0), whole)
        if rest > 0 {
            recorder.observe(.baking(step, seconds: Int((rest + 999) / 1000)))
            try await recorder.clock.sleep(.milliseconds(rest))
        }
        return try await gate(index)
    }

    /// `body`, unless the run parks before it ends: a probe changes nothing and is begun again by the next process.
    func untilParked(_ body: @escaping @Sendable () async throws -> Ending) async throws -> Ending {
        try await parking.race(body) ?? Ending(outcome: .interrupted, isOpen: true)
    }

    /// Allocations that a job with `max_failures` goes on without: they cannot be asked to be healthy.
    private func failedWorkers(of job: Plan.Job) throws -> Set<WorkerName> {
        if job.batching.maxFailures == 0 { return [] }
        let failed = Set(
            try recorder.catalog.steps(of: recorder.run.id).lazy
                .filter { $0.state == .failed || $0.state == .unreachable }.map(\.step))
        return Set(itinerary.steps.lazy.filter { $0.job == job.job && failed.contains($0.id) }.compactMap(\.worker))
    }

    /// Runs the job's hooks of the event `health_check` for one allocation, one after the other.
    ///
    /// - Returns: nil where all of them succeed.
    private func probeHooks(_ gate: Int, _ worker: WorkerName) async -> String? {
        guard let hooks, let job = itinerary.job(of: gate) else { return nil }
        for hook in job.hooks(.healthCheck) {
            let call = HookCall(
                probe: hook, of: job, worker, run: recorder.run, versions: (job.version, job.version))
            if let problem = await hooks.probe(call) { return problem }
        }
        return nil
    }

    /// Runs a check's command on a worker; nil where it exits 0. A probe's attempts are nobody's steps: each has an id
    /// of its own and is never asked about again.
    private func probe(_ worker: WorkerName, _ line: String, timeout: Int) async -> String? {
        let request = AttemptRequest(
            id: "\(recorder.run.nonce)-probe-\(WorkerSession.randomNonce())", action: .shell(line), job: nil,
            isExclusive: false, timeout: .seconds(timeout), grace: .seconds(1), tailLimit: 1024)
        do {
            let session = try await workforce.session(worker)
            return Self.problem("the check", try await session.run(request), timeout: timeout)
        } catch {
            return (error as? NotReady)?.reason ?? "\(error)"
        }
    }

    /// What a probe says of what it looked at; nil where it succeeded.
    static func problem(_ what: String, _ report: AttemptReport, timeout: Int) -> String? {
        guard case .finished(let result) = report else { return "\(what) did not run" }
        if result.isSuccess { return nil }
        let output = String(decoding: result.errorOutput.bytes + result.output.bytes, as: UTF8.self)
        let lastLine = output.split(whereSeparator: \.isNewline).last.map { ": " + $0.prefix(200) } ?? ""
        return (result.timedOut ? "\(what) took longer than \(timeout) s" : "\(what) exited \(result.exitStatus)")
            + lastLine
    }
}
