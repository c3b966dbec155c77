public import Model

/// What happens during a run, for a terminal or a log; nothing depends on it.
public enum RunEvent: Sendable {
    case stepStarted(Step, attempt: Int)
    /// An earlier process recorded the intent; the worker is asked what became of it.
    case stepResumed(Step, attempt: Int)
    case stepEnded(Step, outcome: StepMachine.Outcome, detail: String?, milliseconds: Int64)
    case promoted([AllocationID], version: String)
    /// A gate has not passed yet and is probed again.
    case gateWaiting(Step, tries: Int, of: Int, problem: String)
    /// A batch is left alone for this many seconds before the rollout goes on.
    case baking(Step, seconds: Int)
    case parking(reason: String)
    case warning(String)
}
