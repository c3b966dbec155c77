internal import Catalog
internal import Model
internal import Plans
internal import StepMachinery
internal import ThisHost
internal import Workers

/// Reboots workers, and finds out whether they are back.
///
/// A worker has rebooted if it runs as another boot than the one that was recorded before the command was sent: with another
/// boot id of the kernel, or with another start of process 1, since containers share the boot id of their machine.
extension StepRunner {
    /// Milliseconds between two questions to a worker that is expected back.
    private static let pollInterval: Int64 = 1000

    /// Records as which boot the worker runs.
    func noteBoot(_ index: StepIndex) async -> Ending {
        do {
            var ending = Ending.succeeded
            ending.note = try await boot(of: index)
            return ending
        } catch {
            return Self.ending(of: error)
        }
    }

    /// Sends the command once, and waits until the worker runs as another boot; or goes on waiting after an earlier process.
    func reboot(
        _ task: RebootTask, _ index: StepIndex, attempt: Int, isResumed: Bool
    ) async throws -> (Ending, Int) {
        guard let before = try recordedBoot(before: index) else { return (.failed(.nothingPlanned), attempt) }
        if isResumed, let now = try? await boot(of: index), now != before { return (.succeeded, attempt) }
        var (attempt, isResumed) = (attempt, isResumed)
        while true {
            let (sent, last) = try await send(task, index, before, attempt: attempt, isResumed: isResumed)
            // It is not known if it was sent: it is asked for by its receipt if the worker answers as it was.
            let isInDoubt = sent.outcome == .unreachable && sent.isOpen
            guard await isExpectedAway(sent, index, before) else { return (sent, last) }
            if var ending = try await waitForReturn(task, index, before, attempt: last, isInDoubt: isInDoubt) {
                ending.output = sent.output
                return (ending, last)
            }
            (attempt, isResumed) = (last, true)
        }
    }

    /// Sends the command, or finds out what became of it.
    private func send(
        _ task: RebootTask, _ index: StepIndex, _ before: String, attempt: Int, isResumed: Bool
    ) async throws -> (Ending, Int) {
        try await runOnWorker(index, attempt: attempt, isResumed: isResumed) { attempt in
            AttemptRequest(
                id: recorder.attemptID(index, attempt), action: .shell(task.rules.command), job: nil,
                environment: workerEnvironment(index), timeout: .seconds(RebootTask.commandTimeout),
                tailLimit: Self.outputLimit)
        } prepare: { _ in
            await endingUnsent(index, before)
        }
    }

    /// Whether the worker may go away, or has gone, after the command ended so.
    private func isExpectedAway(_ sent: Ending, _ index: StepIndex, _ before: String) async -> Bool {
        switch sent.outcome {
        case .interrupted, .stale: return false
        // It was never sent.
        case .unreachable where !sent.isOpen: return false
        case .failed:
            // Without a status it never began.
            guard let status = sent.exitStatus else { return sent.isOpen }
            // A signal may have ended it because the worker goes away.
            if status >= Self.leastSignalled { return true }
            return (try? await boot(of: index)) != before
        case .succeeded, .unreachable, .unknown: return true
        }
    }

    /// The exit status from which on a shell says that a signal ended its command.
    private static let leastSignalled = 129

    /// What keeps the command from being sent: the worker runs as another boot already, since an earlier attempt or somebody
    /// else has sent it; or it does not say as which. Nil if it is to be sent.
    private func endingUnsent(_ index: StepIndex, _ before: String) async -> Ending? {
        do {
            return try await boot(of: index) == before ? nil : .succeeded
        } catch {
            return Self.ending(of: error)
        }
    }

    /// Asks until the worker runs as another boot, or its time is up. The time counts from the intent.
    ///
    /// - Parameter isInDoubt: it is not known if the command was sent.
    /// - Returns: nil if it is in doubt, and the worker answers as the boot that it was.
    private func waitForReturn(
        _ task: RebootTask, _ index: StepIndex, _ before: String, attempt: Int, isInDoubt: Bool
    ) async throws -> Ending? {
        let step = graph.steps[index].id
        let now = recorder.clock.now().milliseconds
        let began =
            try recorder.catalog.attempts(of: recorder.run.id, step: step).last { $0.attempt == attempt }?.startedAt
            .milliseconds ?? now
        // A clock that was set makes it no longer than the whole.
        let due = min(began, now) + Int64(task.rules.timeout) * 1000
        var silence: String?
        while true {
            do {
                if try await boot(of: index) != before { return .succeeded }
                silence = nil
                if isInDoubt, recorder.clock.now().milliseconds < due { return nil }
            } catch let error as TransportError where error.kind == .cancelled {
                return .left
            } catch {
                silence = (error as? NotReady)?.reason ?? "\(error)"
            }
            guard recorder.clock.now().milliseconds < due else { break }
            try await recorder.clock.sleep(.milliseconds(Self.pollInterval))
        }
        return .failed(
            silence.map { .notBack(seconds: task.rules.timeout, because: $0) }
                ?? .notRebooted(seconds: task.rules.timeout))
    }

    /// The boot that was recorded before the command, in the same chain.
    private func recordedBoot(before index: StepIndex) throws -> String? {
        guard let chain = graph.chain(of: index) else { return nil }
        for step in chain.steps {
            guard case .boot = graph.steps[step].task else { continue }
            return try recorder.catalog.attempts(of: recorder.run.id, step: graph.steps[step].id)
                .last { $0.state == .succeeded }?.detail
        }
        return nil
    }

    /// As which boot the step's worker runs now.
    ///
    /// - Throws: `NotReady`, `TransportError`, or `StepFault` if the worker does not say it.
    private func boot(of index: StepIndex) async throws -> String {
        let session = try await pool.session(graph.steps[index].worker)
        let report = try await session.run(.probe(Self.bootQuestion, of: session.owner, timeout: .seconds(20)))
        if case .finished(let result) = report, result.isSuccess {
            let words = String(decoding: result.output.bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            if words.count == 2, words.allSatisfy({ ShellText.isWord(String($0)) }) {
                return words.joined(separator: " ")
            }
        }
        throw StepFault.refused(
            .worker, report.problem(of: "the question for its boot", timeout: 20) ?? "no answer")
    }

    /// The kernel's boot id, and when process 1 began.
    private static let bootQuestion = """
        read -r id </proc/sys/kernel/random/boot_id && read -r stat </proc/1/stat || exit 1
        set -- ${stat##*") "}
        echo "$id ${20}"

        """

    /// Leaves everything alone between two batches.
    func pause(_ task: Pause, _ index: StepIndex) async throws -> Ending {
        try await wait(Int64(task.seconds) * 1000, index)
        return .succeeded
    }
}

extension StepFault: Error {}
