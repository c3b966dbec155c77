import ArgumentParser
import Catalog
import Executor
import Foundation
import Review
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
struct CommandFailure: CodedError {
    let status: ExitStatus
    let code: ErrorCode
    let description: String

    init(_ status: ExitStatus, _ code: ErrorCode, _ description: String) {
        self.status = status
        self.code = code
        self.description = description
    }

    /// Finds the exit code of an error of any of the modules.
    init(_ error: any Error) {
        if let failure = error as? CommandFailure {
            self = failure
        } else {
            self.init(Self.status(of: error), (error as? any CodedError)?.code ?? .failed, "\(error)")
        }
    }

    /// An error that is about a plan.
    init(_ error: any Error, plan: String) {
        self.init(error)
        self.init(status, code, "\(plan): \(description)")
    }

    private static func status(of error: any Error) -> ExitStatus {
        switch error {
        case let refusal as RolloutError: status(of: refusal)
        case let hold as WindowHold: hold.isUnapproved ? .notApproved : .tryLater
        case is ApprovalProblem: .notApproved
        case is InputFailure, is TransportFailure, CatalogError.otherBucket: .invalid
        case LockError.held: .tryLater
        default: .failed
        }
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
///
/// - Parameter isJSON: the command prints JSON: an error is also an object on standard output,
///   `{"error": {"code": ..., "message": ...}}`.
func reportingFailures(isJSON: Bool = false, _ body: () async throws -> Void) async throws {
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
        if isJSON { Terminal.write(failure.document.text, to: STDOUT_FILENO) }
        throw ExitCode(failure.status.rawValue)
    }
}

extension CommandFailure {
    fileprivate var document: JSON {
        .object([("error", .object([("code", .string(code.rawValue)), ("message", .string(description))]))])
    }
}
