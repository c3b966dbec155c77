internal import Foundation
package import HookAPI
package import Model
package import Plans
package import Workers

/// Runs what hooks ask to run on workers: over the connections of the run, as targets run, but recorded nowhere.
package struct HookWorkers: Sendable {
    /// The workers that hooks may ask for.
    private let fleet: Fleet
    /// Knows all of them.
    private let transport: any Transport
    /// The way to a worker; throws what keeps it from being used.
    private let session: @Sendable (WorkerName) async throws -> WorkerSession

    /// Bytes of each output stream that a hook gets.
    private static let outputLimit = 256 << 10

    package init(
        fleet: Fleet, transport: any Transport, session: @escaping @Sendable (WorkerName) async throws -> WorkerSession
    ) {
        self.fleet = fleet
        self.transport = transport
        self.session = session
    }

    /// Of a run: what it has not asked whether it is ready is asked when a hook needs it, and taken for the run.
    package init(fleet: Fleet, transport: any Transport, of stepRunner: StepRunner, owner: Owner) {
        let others = OtherWorkers()
        self.init(fleet: fleet, transport: transport) { [pool = stepRunner.pool] worker in
            if let session = try await pool.sessionIfAsked(worker) { return session }
            return try await others.session(WorkerSession(worker, of: fleet, owner: owner, transport: transport))
        }
    }

    package func run(_ command: HookWorkerCommand) async -> HookWorkerOutcome {
        guard let worker = fleet.worker(command.worker) else {
            return .unknownWorker(
                "\(command.worker) is no worker of this bucket, or one that is not in the plan and that no rollout has reached"
            )
        }
        do {
            let session = try await session(worker)
            let report = try await session.run(request(command, on: worker, of: session.owner))
            // Another run of this controller was there since.
            if case .notOwner(let other?) = report, other.controller == session.owner.controller {
                return outcome(
                    try await session.owned(by: other).run(request(command, on: worker, of: other)), command)
            }
            return outcome(report, command)
        } catch let error as TransportError {
            return .failed(error.message)
        } catch let error as NotReady {
            return .failed("\(worker): \(error.reason)")
        } catch {
            return .failed("\(worker): \(error)")
        }
    }

    /// Nobody asks about it again: a hook that runs once more asks for a new one.
    private func request(_ command: HookWorkerCommand, on worker: WorkerName, of owner: Owner) -> AttemptRequest {
        AttemptRequest(
            id: "\(owner.run)-probe-\(WorkerSession.randomNonce())",
            action: .shell(Self.script(command, in: transport.path("", on: worker.text))), job: nil, lock: .none,
            timeout: .seconds(command.timeout), tailLimit: Self.outputLimit)
    }

    /// - Parameter folder: what stands for the worker's root; empty for a host, where the command begins in the home folder.
    private static func script(_ command: HookWorkerCommand, in folder: String) -> String {
        let place = folder.isEmpty ? "\"${HOME:-/}\"" : ShellText.quoted(folder)
        var text = "cd \(place) || exit 126\nshell=$(command -v bash || command -v sh)\n"
        let run = "\"$shell\" -c \(ShellText.quoted(command.lines))\n"
        guard let input = command.input else { return text + "exec " + run }
        // No byte of it is taken for a line of the script.
        let encoded = Data(input.utf8).base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed])
        text += "base64 -d <<'.' | " + run + encoded + "\n.\n"
        return text
    }

    private func outcome(_ report: AttemptReport, _ command: HookWorkerCommand) -> HookWorkerOutcome {
        guard case .finished(let result) = report else {
            return .failed(report.problem(of: "the command", timeout: command.timeout) ?? "the command did not run")
        }
        return .ended(
            exitStatus: result.exitStatus, timedOut: result.timedOut,
            output: .init(bytes: result.output.bytes, total: result.output.total),
            errorOutput: .init(bytes: result.errorOutput.bytes, total: result.errorOutput.total))
    }
}

/// Workers on which no step of the run has anything to do.
private actor OtherWorkers {
    private var ready: [String: WorkerSession] = [:]

    /// Asks the worker whether it is ready, once.
    func session(_ session: WorkerSession) async throws -> WorkerSession {
        if let session = ready[session.worker] { return session }
        let report = try await session.preflight()
        if let other = report.otherOwner {
            throw NotReady(.refused, "it belongs to run \(other.sequence) of the controller \(other.controller)")
        }
        guard report.isReady else { throw NotReady(.unusable, report.faults.joined(separator: "; ")) }
        ready[session.worker] = session
        return session
    }
}
