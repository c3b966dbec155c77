public import Model

/// Records as which boot a worker runs, so that another one is recognised.
public struct BootNote: TaskRules {
    public var verb: String { "boot" }
    public var job: Plan.Job? { nil }
    public var contactsWorker: Bool { true }
    public var limitMilliseconds: Int64 { 60_000 }
}

/// Reboots a worker: sends the command once, and waits until the worker runs as another boot.
public struct RebootTask: TaskRules {
    public let rules: Reboot.Rules

    public var verb: String { "reboot" }
    public var job: Plan.Job? { nil }
    public var contactsWorker: Bool { true }
    public var receipt: ReceiptKeeper? { .worker }
    public var limitMilliseconds: Int64 { Int64(rules.timeout + ExecutionLimits.grace) * 1000 }

    /// Seconds that the command itself may take; the worker may go away before it ends.
    public static let commandTimeout = 60
}

/// Leaves everything alone between two batches of reboots, unless nothing was rebooted in the first one.
public struct Pause: TaskRules {
    public let seconds: Int
    /// The workers of the batch before it.
    public let workers: [WorkerName]

    public var verb: String { "pause" }
    public var job: Plan.Job? { nil }
    public var leastMilliseconds: Int64 { Int64(seconds) * 1000 }
    public var limitMilliseconds: Int64 { Int64(seconds) * 1000 }
}
