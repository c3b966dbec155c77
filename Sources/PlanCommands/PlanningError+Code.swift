public import Planner
public import UseCases

extension PlanningError: CodedError {
    public var code: ErrorCode {
        switch self {
        case .unknownJobs: .unknownJob
        case .unknownWorkers, .notOfJob: .unknownWorker
        case .unknownLabels: .unknownLabel
        case .disabled: .allocationDisabled
        case .unfinished: .allocationUnfinished
        case .notDeployed: .notDeployed
        case .otherHooks: .hooksChanged
        case .runsUnwanted: .allocationUnwanted
        case .budgetExceeded: .budgetExceeded
        case .recoversOthers: .recoversOthers
        case .startsNeeded: .startsNeeded
        case .unknownCommand: .unknownCommand
        case .noActiveAllocation: .noActiveAllocation
        case .namesTaken: .namesTaken
        case .portsExhausted: .portsExhausted
        case .certificatesMissing: .certificatesMissing
        case .contentMissing: .contentMissing
        case .noWayBack: .noWayBack
        case .notTakenBack: .notTakenBack
        }
    }
}
