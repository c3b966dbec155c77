public import Model

// Words that stand in plans: each is read and written as it is.
extension LifecycleAction: FieldValue {}
extension Reason: FieldValue {}
extension PlanKind: FieldValue {}
extension TransportKind: FieldValue {}
extension FailurePolicy: FieldValue {}
extension GateTiming: FieldValue {}
extension GateDebt: FieldValue {}
extension PhaseKind: FieldValue {}
extension ChangeKind: FieldValue {}
extension OrderSource: FieldValue {}
extension HealthCheck.Check.Kind: FieldValue {}
extension AllocationRecord.State: FieldValue {}
extension Plan.Stop.End: FieldValue {}
