public import Approvals
public import Catalog
public import Executor
public import HookAPI
public import KeyValues
package import SecretSources
public import Workers
public import YAML

extension InputFailure: CodedError {
    public var code: ErrorCode { .invalidInput }
}

extension ApprovalProblem: CodedError {
    public var code: ErrorCode { .notApproved }
}

extension WindowHold: CodedError {
    public var code: ErrorCode {
        switch cause {
        case .closed: .windowClosed
        case .tooShort: .windowTooShort
        case .frozen: .frozen
        case .freezesUnreadable: .freezesUnreadable
        case .unapproved: .approvalLapsed
        }
    }
}

extension ParkRequest {
    public var code: ErrorCode {
        switch source {
        case .signal: .signal
        case .pause: .paused
        }
    }
}

extension TransportFailure: CodedError {
    public var code: ErrorCode { .connectionSettings }
}

extension TransportError: CodedError {
    public var code: ErrorCode {
        switch kind {
        case .unreachable, .refused, .timedOut, .connectionLost, .cancelled: .workerUnreachable
        case .authentication, .unknownHostKey, .changedHostKey: .workerRefused
        case .source: .contentUnusable
        case .malformedAnswer, .workerFault: .workerFault
        }
    }
}

extension HookFileProblem: CodedError {
    public var code: ErrorCode { .hookFile }
}

extension LockError: CodedError {
    public var code: ErrorCode {
        switch self {
        case .held: .bucketLocked
        case .networkFileSystem: .networkFileSystem
        case .diskFull: .diskFull
        case .failed: .lockFailed
        }
    }
}

extension CatalogError: CodedError {
    public var code: ErrorCode {
        switch self {
        case .cannotOpen: .catalogUnopenable
        case .notACatalog: .notACatalog
        case .corrupted, .illegalValue: .catalogDamaged
        case .replaced: .catalogReplaced
        case .emptied: .catalogEmptied
        case .newerSchema: .catalogTooNew
        case .otherBucket: .catalogOfOtherBucket
        case .locked: .catalogLocked
        case .diskFull: .diskFull
        case .readOnly: .catalogReadOnly
        case .networkFileSystem: .networkFileSystem
        case .illegalTransition, .illegalRunTransition: .illegalTransition
        case .runEnded: .runEnded
        case .unfinishedRun: .unfinishedRun
        case .unknownRun: .noSuchRun
        case .failed: .catalogFailed
        }
    }
}

extension StoreError: CodedError {
    public var code: ErrorCode {
        switch self {
        case .altered: .contentAltered
        case .missing: .contentMissing
        case .sourceChanged: .contentChanged
        case .notAFile, .tooLarge, .notATree: .contentUnusable
        case .diskFull: .diskFull
        case .failed: .storeFailed
        }
    }
}

extension SecretSourceError: CodedError {
    package var code: ErrorCode { .secretNotGiven }
}

extension VaultError: CodedError {
    public var code: ErrorCode {
        switch self {
        case .lost, .lostInRun: .keyLost
        case .link, .other, .exposed, .foreignOwner, .malformed, .failed: .keyUnusable
        case .unreadable, .noFingerprints: .secretUnreadable
        }
    }
}
