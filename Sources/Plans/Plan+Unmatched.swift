public import Model
internal import YAML

extension Plan {
    /// A job of the workspace without a worker.
    public struct UnmatchedJob: Equatable, Sendable {
        public var job: JobName
        /// The labels that a worker needs for it, all of them.
        public var selectors: [String]
        /// Labels among them that no worker has -> the label of a worker that is spelled nearly so; only if there is one.
        public var nearest: [Named<String>]

        public init(job: JobName, selectors: [String], nearest: [Named<String>]) {
            self.job = job
            self.selectors = selectors
            self.nearest = nearest
        }
    }
}

extension Plan.UnmatchedJob: Record, FieldValue {
    static let title = "unmatched"
    static let meaning = "A job whose selectors match no worker."
    static var blank: Plan.UnmatchedJob { Plan.UnmatchedJob(job: .blank, selectors: [], nearest: []) }

    mutating func visit(_ fields: inout some Fields) {
        fields.required("job", &job, "the job")
        fields.required(
            "selectors", &selectors, ListType(element: TextType(.any)), "labels that a worker needs for the job")
        fields.optional(
            "nearest", &nearest, MapType(element: TextType(.any), key: "selector that no worker has"), default: [],
            "labels of workers that are spelled nearly so; only if there are any")
    }
}
