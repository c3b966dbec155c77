internal import Approvals
internal import Catalog
internal import Executor
internal import KeyValues
internal import UseCases
internal import Workers
internal import YAML

extension Exit {
    /// The exit code that an error of one of the modules ends a program with; nil for other errors.
    package init?(of error: any Error) {
        switch error {
        case let failure as Failure: self = failure.status
        case let refusal as RolloutError: self.init(refusal)
        case let hold as WindowHold: self = hold.isUnapproved ? .notApproved : .tryLater
        case is ApprovalProblem: self = .notApproved
        case is InputFailure, is TransportFailure, is VaultError, CatalogError.otherBucket: self = .invalidInput
        case LockError.held: self = .tryLater
        case is any CodedError: self = .failed
        default: return nil
        }
    }

    private init(_ refusal: RolloutError) {
        switch refusal {
        case .otherBucket, .otherTransport, .otherWorkerRoot, .content, .contradictory, .noValue, .certificatesEnded,
            .hooks,
            .missingTarget,
            .notDeployed,
            .noSuchRun, .partOfRun, .notUnfinished, .noSuchStep, .notUnknown, .freezes, .neverFits:
            self = .invalidInput
        case .unfinishedRun: self = .unfinishedRun
        case .rolledBack: self = .failed
        case .abandoned, .stale, .knownOtherwise, .renamedSince, .otherMachines, .zone, .tooLate, .opensTooLate,
            .windowIsOver:
            self = .stale
        case .preflight: self = .unreachable
        case .hookPort: self = .tryLater
        case .notApproved: self = .notApproved
        }
    }

    /// The code of errors that have none of their own.
    var code: ErrorCode {
        switch self {
        case .changes, .failed, .decisionNeeded: .failed
        case .stale: .stalePlan
        case .unfinishedRun: .unfinishedRun
        case .usage: .usage
        case .invalidInput: .invalidInput
        case .unreachable: .workerUnreachable
        case .tryLater: .tryLater
        case .notApproved: .notApproved
        }
    }
}
