import Model
import Plans

/// What becomes of an allocation with the next deploy, in Maand's words as far as it has one.
enum AllocationState: String {
    /// A deploy would start it.
    case new
    /// A deploy would change it.
    case restart
    /// What was promoted is what the workspace wants.
    case promoted
    /// Its gate has failed.
    case healthFailed = "health_failed"
    case disabled
    /// The workspace does not want it.
    case removed
    /// A person has stopped it.
    case stopped
    /// The last run has gone on without it.
    case leftBehind = "left_behind"

    /// - Parameters:
    ///   - isWanted: whether the workspace has the allocation; nil if that is not known.
    ///   - acts: whether a deploy would act on it.
    init(_ record: AllocationRecord, isWanted: Bool?, isDisabled: Bool, acts: Bool, isLeftBehind: Bool) {
        self =
            if isWanted == false || (isWanted == nil && record.state == .removed) {
                .removed
            } else if isDisabled || (isWanted == nil && record.state == .stopped) {
                .disabled
            } else if record.state == .stoppedByHand {
                .stopped
            } else if isLeftBehind {
                .leftBehind
            } else if record.gateDebt == .failed {
                .healthFailed
            } else if record.promoted == nil || record.state != .active {
                .new
            } else if acts || record.unfinished != nil {
                .restart
            } else {
                .promoted
            }
    }

    /// For tables.
    var text: String { self == .leftBehind ? "left behind" : rawValue }
}

extension AllocationState {
    /// Neither disabled nor removed nor stopped.
    var isMeantToRun: Bool {
        switch self {
        case .new, .restart, .promoted, .healthFailed, .leftBehind: true
        case .disabled, .removed, .stopped: false
        }
    }
}
