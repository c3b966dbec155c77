import ArgumentParser
import Commands
import Executor
import Workers
import YAML

extension Failure {
    /// Finds the exit code of an error of any of the modules.
    init(of error: any Error) {
        switch error {
        case let refusal as RolloutError: self.init(Self.status(of: refusal), refusal.description)
        case let hold as WindowHold: self.init(hold.isUnapproved ? .notApproved : .tryLater, "\(hold)")
        case let failure as TransportFailure: self.init(.invalidInput, failure.description)
        default: self = Failure(error) ?? Failure(.failed, "\(error)")
        }
    }

    /// A refusal, with the plan that it is about.
    init(_ refusal: RolloutError, plan: String) {
        self.init(Self.status(of: refusal), "\(plan): \(refusal)")
    }

    private static func status(of refusal: RolloutError) -> Exit {
        switch refusal {
        case .otherBucket, .otherTransport, .otherWorkerRoot, .content, .contradictory, .hooks, .notDeployed,
            .noSuchRun, .notUnfinished,
            .noSuchStep,
            .notUnknown,
            .freezes, .neverFits:
            .invalidInput
        case .unfinishedRun: .unfinishedRun
        case .abandoned, .stale, .knownOtherwise, .renamedSince, .otherMachines, .zone, .tooLate, .opensTooLate,
            .windowIsOver:
            .stale
        case .preflight: .unreachable
        case .hookPort: .tryLater
        case .notApproved: .notApproved
        }
    }
}

/// Runs a command's body; prints an error for people and leaves with its exit code.
func reportingFailures(_ body: () async throws -> Void) async throws {
    Signals.surviveClosedPipes()
    do {
        try await body()
    } catch let code as ExitCode {
        throw code
    } catch {
        let failure = Failure(of: error)
        let lines = "maand-apply: \(failure.message)".split(separator: "\n", omittingEmptySubsequences: false)
        printNotice(lines.map { VisibleText.escape(String($0), for: .terminal) }.joined(separator: "\n"))
        if let note = failure.note { printNotice("  \(VisibleText.escape(note, for: .terminal))") }
        throw ExitCode(failure.code.rawValue)
    }
}
