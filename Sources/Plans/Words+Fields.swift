public import Model

// Words that stand in plans: each is read and written as it is.
extension LifecycleAction: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension Reason: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension PlanKind: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension TransportKind: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension FailurePolicy: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension GateTiming: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension GateDebt: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension PhaseKind: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension ChangeKind: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension OrderSource: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension HealthCheck.Check.Kind: FieldValue {
    typealias FieldKind = WordType<Self>
}

extension AllocationRecord.Standing: FieldValue {
    typealias FieldKind = WordType<Self>
}
