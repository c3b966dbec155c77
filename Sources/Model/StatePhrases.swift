extension StepState {
    /// What follows a step's name in a sentence.
    public var phrase: String {
        switch self {
        case .pending: "has not begun"
        case .started: "is under way"
        case .succeeded: "has succeeded"
        case .failed: "has failed"
        case .unreachable: "is unreachable"
        case .unknown: "is unknown"
        case .skipped: "was left out"
        case .blocked: "is blocked"
        }
    }
}

extension RunState {
    /// What follows a run's number in a sentence.
    public var phrase: String {
        switch self {
        case .running: "is under way"
        case .parked: "is parked"
        case .failed: "has failed"
        case .succeeded: "has succeeded"
        case .abandoned: "was abandoned"
        case .rolledBack: "failed and was rolled back"
        }
    }
}
