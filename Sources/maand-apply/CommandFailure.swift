import Approvals
import ArgumentParser
import Catalog
import Executor
import Foundation
import Workers
import YAML

/// The exit codes of the command line, besides 0 and those of the argument parser.
enum ExitStatus: Int32 {
    case failed = 1
    case stale = 3
    /// A step is unknown, and a person has to say what became of it.
    case decisionNeeded = 4
    case otherRun = 5
    case invalid = 65
    case unreachable = 69
    case tryLater = 75
    case notApproved = 77
}

/// An error with its exit code.
struct CommandFailure: Error, CustomStringConvertible {
    let status: ExitStatus
    let description: String

    init(_ status: ExitStatus, _ description: String) {
        self.status = status
        self.description = description
    }

    /// Finds the exit code of an error of any of the modules.
    init(_ error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let failure as InputFailure: self.init(.invalid, failure.description)
        case let refusal as RolloutError: self.init(Self.status(of: refusal), refusal.description)
        case let hold as WindowHold: self.init(hold.isUnapproved ? .notApproved : .tryLater, "\(hold)")
        case let problem as ApprovalProblem: self.init(.notApproved, "\(problem)")
        case let failure as TransportFailure: self.init(.invalid, failure.description)
        case CatalogError.otherBucket: self.init(.invalid, "\(error)")
        default: self.init(.failed, "\(error)")
        }
    }

    /// A refusal, with the plan that it is about.
    init(_ refusal: RolloutError, plan: String) {
        self.init(Self.status(of: refusal), "\(plan): \(refusal)")
    }

    private static func status(of refusal: RolloutError) -> ExitStatus {
        switch refusal {
        case .otherBucket, .otherTransport, .otherWorkerRoot, .content, .contradictory, .hooks, .notDeployed,
            .noSuchRun, .notUnfinished,
            .noSuchStep,
            .notUnknown,
            .freezes, .neverFits:
            .invalid
        case .unfinishedRun: .otherRun
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
        let failure = CommandFailure(error)
        let lines = "maand-apply: \(failure.description)".split(separator: "\n", omittingEmptySubsequences: false)
        let text = lines.map { VisibleText.escape(String($0), for: .terminal) + "\n" }.joined()
        Terminal.write(text, to: STDERR_FILENO)
        throw ExitCode(failure.status.rawValue)
    }
}
