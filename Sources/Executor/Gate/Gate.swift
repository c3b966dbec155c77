package import Model
internal import Plans
internal import Probes
package import ThisHost
internal import Workers

/// Probes one health check on allocations of a job, again and again until all pass, as often in a row as the check asks
/// for, or the tries are used up.
package struct Gate: Sendable {
    /// Probes that are under way at the same time.
    static let width = ExecutionLimits.gateWidth
    /// Failing allocations that a report names.
    static let named = 5

    let health: HealthCheck
    /// Allocation's worker and the address where it is probed.
    let targets: [(worker: WorkerName, address: String)]
    /// Runs a command on a worker; nil where it exits 0.
    let command: @Sendable (WorkerName, _ command: String, _ timeout: Int) async -> String?
    /// Runs the job's hooks of the event `health_check` for an allocation; nil where they succeed.
    let hooks: @Sendable (WorkerName) async -> String?

    /// What did not hold at the last try.
    package struct Failure: Equatable, Sendable {
        /// An allocation, by its worker, and what does not hold there.
        package struct Allocation: Equatable, Sendable {
            package let worker: WorkerName
            package let problem: String
        }

        /// For people.
        package var problem: String
        /// Those that do not pass, in the order of `targets`.
        package var allocations: [Allocation]

        var failing: [WorkerName] { allocations.map(\.worker) }
    }

    /// The tries count up to the first one of those in a row that pass; so there are at most `attempts + successes - 1`.
    ///
    /// - Parameter waiting: called after each try that did not pass.
    /// - Returns: nil where the gate passes.
    /// - Throws: `CancellationError`.
    package func pass(clock: Clock, waiting: (_ tries: Int, _ problem: String) -> Void) async throws -> Failure? {
        if health.initialDelaySeconds > 0 { try await clock.sleep(.seconds(health.initialDelaySeconds)) }
        var tries = 0
        var passed = 0
        while true {
            tries += 1
            var failing = await each { await probe($0.worker, $0.address) }
            // They may be costly, and rely on what the checks have found.
            if failing.isEmpty { failing = await each { await hooks($0.worker) } }
            if failing.isEmpty {
                passed += 1
                if passed >= health.successes { return nil }
            } else {
                var problem = Self.describe(failing, of: targets.count)
                if passed > 0 { problem += " (after \(passed) of \(health.successes) tries in a row that passed)" }
                passed = 0
                guard tries < health.attempts else { return Failure(problem: problem, allocations: failing) }
                waiting(tries, problem)
            }
            try await clock.sleep(.seconds(health.intervalSeconds))
        }
    }

    /// The allocations for which `look` finds a problem now, in the order of `targets`.
    private func each(
        _ look: @escaping @Sendable ((worker: WorkerName, address: String)) async -> String?
    ) async -> [Failure.Allocation] {
        let problems = await targets.sideBySide(width: Self.width, look)
        return zip(targets, problems).compactMap { target, problem in
            problem.map { Failure.Allocation(worker: target.worker, problem: $0) }
        }
    }

    private func probe(_ worker: WorkerName, _ address: String) async -> String? {
        for check in health.checks {
            let problem = await Probe.ask(check, at: address, timeout: health.timeoutSeconds) { line, timeout in
                await command(worker, line, timeout)
            }
            if let problem { return problem }
        }
        return nil
    }

    private static func describe(_ failing: [Failure.Allocation], of count: Int) -> String {
        var text = "\(failing.count) of \(count) allocations do not pass: "
        text += failing.prefix(named).map { "\($0.worker): \($0.problem)" }.joined(separator: "; ")
        if failing.count > named { text += "; and \(failing.count - named) more" }
        return text
    }
}
