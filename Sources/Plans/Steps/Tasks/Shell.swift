internal import Model

/// Runs lines of shell on a worker, once.
public struct ShellTask: TaskRules {
    /// For what they run.
    public enum Purpose: Sendable {
        /// They are what the plan is for.
        case command
        /// Their exit status says whether the worker is rebooted.
        case condition
    }

    public let command: WorkerCommand
    public let purpose: Purpose

    public var verb: String {
        switch purpose {
        case .command: "command"
        case .condition: "only-if"
        }
    }

    public var job: Plan.Job? { nil }
    public var contactsWorker: Bool { true }
    public var receipt: ReceiptKeeper? { .worker }
    public var limitMilliseconds: Int64 { Int64(command.timeout + ExecutionLimits.grace) * 1000 }

    /// Whether an exit status of a condition says that the worker need not be rebooted. From 126 on it says that nothing could
    /// be asked.
    public static func isNotNeeded(exitStatus: Int) -> Bool { (1...125).contains(exitStatus) }
}
