public import Catalog
public import Model
public import Plans
public import StepMachinery

/// What happens during a run, for a terminal or a log; nothing depends on it.
public enum RunEvent: Sendable {
    /// This process begins, or goes on with, what is recorded of the run. For a way back it comes once more.
    case began(Run, StepGraph, [StepRecord])
    /// Hooks have set another order: these are the steps from now on.
    case reordered(StepGraph)
    /// These workers are asked something, besides their steps; `answered` comes for each.
    case asking(Question, [WorkerName])
    case answered(Question, WorkerName)
    case stepStarted(Step, attempt: Int)
    /// An earlier process recorded the intent; the worker is asked what became of it.
    case stepResumed(Step, attempt: Int)
    /// `code`: why it has not succeeded, a word of `StepFault.Code`.
    case stepEnded(
        Step, outcome: StepMachine.Outcome, code: String?, detail: String?, milliseconds: Int64)
    case promoted([AllocationID], version: String)
    /// The machine has shown that it is the one that it was, and goes by its new name.
    case renamed(Plan.Rename)
    /// The run goes on without the allocation or worker.
    case leftBehind(Subject, reason: String)
    /// A worker needs no reboot, as it has said.
    case notNeeded(WorkerName)
    /// Nothing more of a job, of the stops, or of workers as a whole is done in this process.
    case jobEnded(String, UnitIndex, StepMachine.Result)
    /// A gate has not passed yet and is probed again.
    case gateWaiting(Step, tries: Int, of: Int, problem: String)
    /// Nothing has ended for a while: what is waited for longest, and how many things more.
    case waiting([(what: String, seconds: Int)], more: Int)
    /// A batch is left alone for this many seconds before the rollout goes on.
    case baking(Step, seconds: Int)
    case parking(ParkRequest)
    /// The batch begins: so long it is expected to take, by records of such steps or else by their timeouts.
    case admitted(batch: String, seconds: Int, isRecorded: Bool, end: Timestamp, cutoff: Timestamp)
    /// Neither this batch nor, where it is nil, anything else begins in the present opening of the window.
    case held(batch: String?, WindowHold)
    case warning(RunWarning)

    /// What workers are asked besides their steps.
    public enum Question: String, Sendable {
        /// Whether they are ready for the run.
        case readiness
        /// What is in the files of a batch.
        case files
        /// Whether they are those that did the work.
        case proof
    }
}

extension RunEvent {
    static func stepEnded(_ step: Step, _ ending: StepRunner.Ending, milliseconds: Int64) -> RunEvent {
        .stepEnded(
            step, outcome: ending.outcome, code: ending.fault?.code.rawValue, detail: ending.fault?.text,
            milliseconds: milliseconds)
    }
}
