public import Model
internal import YAML

extension Plan {
    /// A part of a job's rollout, in batches.
    public struct Phase: Equatable, Sendable {
        public var kind: PhaseKind
        /// In order; the entries of one batch act in parallel.
        public var batches: [[Entry]]
        /// When the health check is asked.
        public var gate: GateTiming

        public init(kind: PhaseKind, batches: [[Entry]], gate: GateTiming) {
            self.kind = kind
            self.batches = batches
            self.gate = gate
        }
    }

    /// One allocation in one batch.
    public struct Entry: Equatable, Sendable {
        public var worker: WorkerName
        public var action: LifecycleAction
        public var reason: Reason
        /// Name of one of the job's `from` states.
        public var from: String
        /// `restart_globs` that matched -> changed paths that they match, both sorted.
        public var matched: [Named<[String]>]
        /// The gate that the allocation has not passed; only in the phase `recover`.
        public var gate: GateDebt?

        public init(
            worker: WorkerName, action: LifecycleAction, reason: Reason, from: String, matched: [Named<[String]>] = [],
            gate: GateDebt? = nil
        ) {
            self.worker = worker
            self.action = action
            self.reason = reason
            self.from = from
            self.matched = matched
            self.gate = gate
        }
    }
}

extension Plan.Phase: Record, FieldValue {
    static let title = "phase"
    static let meaning = "A part of a job's rollout, in batches."
    static let style = Emitter.Style.block
    static let blank = Plan.Phase(kind: .upgrade, batches: [], gate: .none)
    private static let kinds = PhaseKind.allCases.filter { $0 != .operation }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("phase", &kind, .word(Self.kinds), "the kind of phase")
        fields.required("batches", &batches, "the entries of one batch run at the same time")
        fields.required("gate", &gate, "when the health check is asked")
    }
}

extension Plan.Entry: Record, FieldValue {
    static let title = "entry"
    static let meaning = "One allocation in one batch."
    static var blank: Plan.Entry { Plan.Entry(worker: .blank, action: .sync, reason: .forced, from: "") }
    private static let actions = LifecycleAction.allCases.filter { $0.phase != nil }
    private static let reasons = Reason.allCases.filter {
        $0 != .disabled && $0 != .removed && $0 != .noWorkerMatches && $0 != .requested
    }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("worker", &worker, "the worker")
        fields.required("action", &action, .word(Self.actions), "what is done")
        fields.required("reason", &reason, .word(Self.reasons), "[why](concepts.md#actions-and-reasons)")
        fields.required("from", &from, "a key of the job's `from`")
        fields.optional(
            "gate", &gate,
            "only in `recover`: `failed` if the last gate named this allocation, `owed` if it has not passed a gate since "
                + "its promote")
        fields.optional(
            "matched", &matched, MapType(element: ListType(element: TextType(.plain)), key: "glob of `restart_globs`"),
            default: [], "changed paths that match")
    }
}
