public import Catalog
internal import Model
public import StepMachinery

extension StepRecord {
    /// What the step machine has to know of it.
    public var recorded: StepMachine.Recorded {
        StepMachine.Recorded(state: isReopened ? .pending : state, attempt: attempt)
    }
}
